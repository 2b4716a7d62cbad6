"""Which commits of a branch's history touched given paths, and what their trailers say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.trailers import KEY_TRAILER, PLAN_TRAILER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worktrees.git import Git

MOST_COMMITS: Final = 50
MOST_PATHS: Final = 200


@dataclass(frozen=True, slots=True)
class Touch:
    """A commit of the first-parent history; ``plan`` and ``key`` are trailers of it, or empty."""

    commit: str
    plan: str
    key: str
    subject: str


def who_changed(git: Git, since: str, tip: str, paths: Sequence[str]) -> tuple[Touch, ...]:
    """The commits of ``since..tip`` that touched any of ``paths``, newest first.

    At most :data:`MOST_COMMITS`, and only the first :data:`MOST_PATHS` paths are looked at.
    """
    if not paths:
        return ()
    trailers = (f"%(trailers:key={key},valueonly,separator=%x20)" for key in (PLAN_TRAILER, KEY_TRAILER))
    fields = "%x01".join(("%H", *trailers, "%s"))  # the subject last: it may hold anything
    named = (f":(top,literal){path}" for path in paths[:MOST_PATHS])
    answer = git.run(
        "log",
        "-z",
        "--first-parent",
        f"--max-count={MOST_COMMITS}",
        f"--format={fields}",
        "--end-of-options",
        f"{since}..{tip}",
        "--",
        *named,
    )
    return tuple(Touch(*(part.strip() for part in record.split("\1", 3))) for record in answer.records)
