"""Work whose target is a remote's: the branches that only the remote has, and why entries wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worktrees.errors import InvalidReferenceError
from worktrees.git import branch_reference

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench

UNREACHABLE: Final = "remote-unreachable"
"""The code of the stored reason while a remote does not answer."""


def is_text(name: str) -> bool:
    """Whether the name that git gave is UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def branch_head(bench: Workbench, name: str) -> str | None:
    """Where a branch stands: here, or on the remote whose target counts, whichever has the other's work.

    Where each has work of its own, the one that is here. None when there is no such branch, or no such name;
    one whose bytes are not UTF-8 is none, for nothing that is written down could name it.
    """
    if not is_text(name):
        return None
    try:
        reference = branch_reference(name)
    except InvalidReferenceError:
        return None
    here, mirror = bench.references.read(reference), bench.mirror
    there = None if mirror is None or name == mirror.branch else bench.references.read(mirror.own(reference))
    if here is None or there is None:
        return here or there
    return there if bench.objects.is_ancestor(here, there) else here
