"""References: read as they are on disk now, changed only by transactions that name what they expect.

Promise of :meth:`References.transact`: the changes are made in the given order, and only if every reference
is as its change expects; if git refuses, nothing has changed. Not promised: one moment for all. The files
backend renames one reference after the other, so a reader or a crash may meet the first ones alone; whoever
relies on a set puts the reference that decides last. Who checks: git, under its lock on each reference.

Reading goes through libgit2 (0.03 ms, where ``for-each-ref`` is a process of 2 ms), which looks at the loose
file and at the stamp of ``packed-refs`` each time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from plans.effects import step as effects_step
from worktrees.errors import (
    GitFailedError,
    GitRefusedError,
    InvalidReferenceError,
    ReferenceMovedError,
    UnknownRevisionError,
)
from worktrees.git import valid_reference
from worktrees.keptwriter import PATIENT
from worktrees.locks import remove_left_locks
from worktrees.objects import Objects
from worktrees.trees import ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worktrees.git import Git

__all__ = ["ZERO", "Change", "Create", "Delete", "References", "Update", "Verify"]
OWN: Final = "refs/planctl/"
"""References of planctl's own; git keeps no logs of them."""
_OBJECT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Create:
    """Make a reference that must not exist."""

    name: str
    new: str


@dataclass(frozen=True, slots=True)
class Update:
    """Move a reference from exactly ``old`` to ``new``."""

    name: str
    new: str
    old: str


@dataclass(frozen=True, slots=True)
class Verify:
    """Let a reference be, but only if it is at ``old``; :data:`ZERO`: it must not exist."""

    name: str
    old: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a reference that is at exactly ``old``."""

    name: str
    old: str


Change: TypeAlias = Create | Update | Verify | Delete


class References:
    """The references of one repository. Safe to share between threads; keeps nothing."""

    def __init__(self, git: Git, objects: Objects | None = None) -> None:
        self._git = git
        self._objects = objects or Objects(git.repository)

    def read(self, name: str) -> str | None:
        """Return the object that the full name ``name`` points at, None when there is no such reference."""
        return self._objects.reference(name)

    def list(self, prefix: str) -> dict[str, str]:
        """Return name and object of every reference whose full name starts with ``prefix``."""
        return self._objects.references(prefix)

    def made_with(self, name: str) -> str | None:
        """Return the message that a reference was made with; None when its log does not tell."""
        return self._objects.first_logged(name)

    def resolve(self, revision: str) -> str:
        """Return the commit that a person's text names (branch, tag, id, ``HEAD~2``…) where they stand.

        Raises :class:`UnknownRevisionError`.
        """
        where = self._git.repository.top or self._git.repository.git_dir
        try:
            return self._git.run(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", at=where
            ).text
        except (GitRefusedError, ValueError) as error:  # ValueError: a NUL byte, which no argument can hold
            raise UnknownRevisionError(revision) from error

    def transact(self, changes: Sequence[Change], *, message: str, step: str) -> None:
        """Make all ``changes`` in the given order, or none.

        ``message`` goes to the reference logs, ``step`` names the effect for the kill tests. Raises
        :class:`ReferenceMovedError` when something was not as expected, :class:`GitFailedError` when git
        failed although everything is, :class:`InvalidReferenceError` for a text that is no name or id.
        Locks of planctl's own references that killed git children left are removed, once, where it is proven.
        """
        try:
            self._try(changes, message, step)
        except GitFailedError:
            if not remove_left_locks(self._git, {}):
                raise
            self._try(changes, message, step)

    def _try(self, changes: Sequence[Change], message: str, step: str) -> None:
        commands = [_command(c) for c in changes]
        line = " ".join(message.split()) or "planctl"
        try:
            with effects_step(step):
                if self._git.kept is None:
                    self._one_process(commands, line)
                else:
                    own = all(c.name.startswith(OWN) for c in changes)
                    self._git.kept.transact(commands, "planctl" if own else line)
        except GitFailedError as error:
            # Messages are not parsed: what git refused is what is not as it was expected to be.
            moved = [text for change in changes if (text := self._moved(change))]
            if moved:
                raise ReferenceMovedError("; ".join(moved)) from error
            raise

    def _one_process(self, commands: Sequence[str], line: str) -> None:
        words = "".join(f"{word}\0" for word in ("start", *commands, "prepare", "commit"))
        stdin = words.encode("utf-8", "surrogateescape")
        self._git.run(*PATIENT, "update-ref", "-m", line, "-z", "--stdin", stdin=stdin, writes=True)

    def _moved(self, change: Change) -> str | None:
        found = self.read(change.name) or ZERO
        expected = ZERO if isinstance(change, Create) else change.old
        if found == expected:
            return None
        return f"{change.name} is {_short(found)}, expected {_short(expected)}"


def _command(change: Change) -> str:
    name = valid_reference(change.name)
    match change:
        case Create(new=new):
            return f"create {name}\0{_object(new)}"
        case Update(new=new, old=old):
            return f"update {name}\0{_object(new)}\0{_object(old)}"
        case Verify(old=old):
            return f"verify {name}\0{_object(old)}"
        case Delete(old=old):
            return f"delete {name}\0{_object(old)}"
        case _:
            assert_never(change)


def _object(text: str) -> str:
    if not _OBJECT.fullmatch(text):
        raise InvalidReferenceError(text)
    return text


def _short(object_: str) -> str:
    return "absent" if object_ == ZERO else object_[:12]
