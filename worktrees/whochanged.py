"""Which commits of a branch's history touched given paths, and what their trailers say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.trailers import KEY_TRAILER, PLAN_TRAILER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worktrees.git import Git

MOST_COMMITS: Final = 50
MOST_PATHS: Final = 200
_MERGED: Final = 2


@dataclass(frozen=True, slots=True)
class Touch:
    """A commit of the target's history; ``plan`` and ``key`` are trailers of it, or empty."""

    commit: str
    plan: str
    key: str
    subject: str


def who_changed(git: Git, since: str, tip: str, paths: Sequence[str]) -> tuple[Touch, ...]:
    """The commits of ``since..tip`` that touched any of ``paths``, newest first; of a batch its members'.

    At most :data:`MOST_COMMITS`, and only the first :data:`MOST_PATHS` paths are looked at.
    """
    if not paths:
        return ()
    named = tuple(f":(top,literal){path}" for path in paths[:MOST_PATHS])
    touches: list[Touch] = []
    for touch, parents in _log(git, (f"{since}..{tip}",), named):
        is_batch = not touch.key and len(parents) == _MERGED
        members = _log(git, (parents[1], f"^{parents[0]}"), named) if is_batch else ()
        touches += [member for member, _ in members if member.key] or [touch]
    return tuple(touches[:MOST_COMMITS])


def _log(
    git: Git, commits: tuple[str, ...], named: tuple[str, ...]
) -> Iterator[tuple[Touch, tuple[str, ...]]]:
    """Each commit of a first-parent history that touched one of those, with its parents."""
    trailers = (f"%(trailers:key={key},valueonly,separator=%x20)" for key in (PLAN_TRAILER, KEY_TRAILER))
    fields = "%x01".join(("%P", "%H", *trailers, "%s"))  # the subject last: it may hold anything
    asked = ("log", "-z", "--first-parent", f"--max-count={MOST_COMMITS}", f"--format={fields}")
    for record in git.run(*asked, "--end-of-options", *commits, "--", *named).records:
        parents, *about = (part.strip() for part in record.split("\1", 4))
        yield Touch(*about), tuple(parents.split())
