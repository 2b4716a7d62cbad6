"""Give objects a name under ``refs/planctl/``, so that git keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.errors import GitFailedError, ReferenceMovedError
from worktrees.git import valid_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worktrees.git import Git


def pin(git: Git, pins: Mapping[str, str], *, effect: str, message: str) -> None:
    """Create every reference of ``pins`` (name to object), all or none.

    Names are never moved: one that exists raises :class:`ReferenceMovedError`. ``effect`` names the step.
    """
    if not pins:
        return
    lines = [f"create {valid_reference(name)}\0{commit}\0" for name, commit in sorted(pins.items())]
    with step(effect):
        _update(git, lines, message)


def unpin(git: Git, name: str, expected: str, *, effect: str, message: str) -> None:
    """Delete reference ``name`` if it still is at ``expected``, else raise :class:`ReferenceMovedError`."""
    with step(effect):
        _update(git, [f"delete {valid_reference(name)}\0{expected}\0"], message)


def _update(git: Git, lines: list[str], message: str) -> None:
    data = "".join(lines).encode("utf-8", "surrogateescape")
    try:
        git.run("update-ref", "-m", message, "--no-deref", "--stdin", "-z", stdin=data, writes=True)
    except GitFailedError as error:
        raise ReferenceMovedError(error.stderr.strip()) from error


def read_references(git: Git, *prefixes: str) -> dict[str, str]:
    """Return name to object of all references under ``prefixes`` (whole components), in name order."""
    format_ = "--format=%(objectname) %(refname)"
    lines = git.run("for-each-ref", format_, "--", *prefixes).text.splitlines()
    return {name: commit for commit, name in (line.split(" ", 1) for line in lines)}
