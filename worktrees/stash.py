"""The stash is one for all worktrees: a ``stash pop`` in a plan's worktree takes the user's entry.

So every entry is pinned at ``refs/planctl/archive/stash/<object>`` before plans start and while they run;
one that vanished can be named and put back. Promise: an entry that was in the list when :func:`pin_stashes`
looked is never lost. Not promised: entries made and dropped between two looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import ReferenceMovedError
from worktrees.objects import Objects
from worktrees.references import Create, References

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worktrees.git import Git

PREFIX: Final = "refs/planctl/archive/stash"
_STASH: Final = "refs/stash"
_LINE: Final = re.compile(rb"[0-9a-f]{40} ([0-9a-f]{40}) ")


@dataclass(frozen=True, slots=True)
class StashEntry:
    """A pinned entry: its commit, the reference that keeps it, and its subject for people."""

    commit: str
    reference: str
    subject: str


def pin_stashes(git: Git) -> tuple[str, ...]:
    """Pin every entry of the stash list; return their commits, oldest first (none: no stash).

    Cheap enough for a heartbeat: no process runs unless an entry is new.
    """
    while True:
        entries = stash_entries(git)
        new = [Create(name, e) for e in entries if References(git).read(name := f"{PREFIX}/{e}") is None]
        try:
            if new:
                References(git).transact(new, message="planctl: stash entry", step="stash.pin")
        except ReferenceMovedError:
            continue  # another planctl pinned one of them meanwhile
        return entries


def stash_entries(git: Git) -> tuple[str, ...]:
    """The commits of the stash list, oldest first, each once.

    Read from the reference's log file, which is the list; where git keeps no such file (none, or another
    reference format) git is asked, and at last the reference itself counts.
    """
    tip = References(git).read(_STASH)
    if tip is None:
        return ()
    log = git.repository.common_dir / "logs" / _STASH
    try:
        found = [match[1].decode() for line in log.read_bytes().splitlines() if (match := _LINE.match(line))]
    except FileNotFoundError:
        asked = git.run("log", "-g", "--format=%H", "--end-of-options", _STASH, "--", ok=(0, 128))
        found = asked.text.split()[::-1]
    objects = Objects(git.repository)
    # An entry whose commit is gone cannot be pinned, and would keep the others from it.
    return tuple(entry for entry in dict.fromkeys([*found, tip]) if objects.has(entry))


def vanished(git: Git, before: Sequence[str], now: Sequence[str]) -> tuple[StashEntry, ...]:
    """The entries of ``before`` that are not in ``now``: two lists as :func:`pin_stashes` returns them."""
    return tuple(_described(git, commit) for commit in before if commit not in now)


def _described(git: Git, commit: str) -> StashEntry:
    subject = Objects(git.repository).message(commit).partition("\n")[0]
    return StashEntry(commit, f"{PREFIX}/{commit}", subject)


def put_back(git: Git, entry: StashEntry) -> None:
    """Add a vanished entry to the top of the user's stash list again; only when the user asks for it."""
    with step("stash.put-back"):
        git.run("stash", "store", "-q", "-m", entry.subject, entry.commit, writes=True)
