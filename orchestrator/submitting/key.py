"""The landing key: one identity for one piece of work, on every machine and after every crash."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from worktrees.mirror import LANDED, canonical

__all__ = [
    "BY_KEY",
    "CANDIDATES",
    "HEADS",
    "LANDED",
    "candidate_reference",
    "landed_folder",
    "landed_reference",
    "landing_key",
]
CANDIDATES: Final = "refs/planctl/candidates"
HEADS: Final = "refs/planctl/entries"
BY_KEY: Final = "by-key"
"""Takes the place of a branch's name where only the key is known: from a trailer, see ``upstream``."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_DIGITS: Final = 20
_BATCH: Final = "batch-"
_AHEAD: Final = "ahead-"


def landing_key(target: str, subject: str, head: str) -> str:
    """Return the first 20 hex digits of sha256 over target reference, plan id or branch, and head commit.

    The same head queued twice, on two machines or after a crash, has the same key and so is one entry. A
    remote's branch has one name on all machines, whatever each calls the remote.
    """
    return hashlib.sha256(f"{canonical(target)}\0{subject}\0{head}".encode()).hexdigest()[:_DIGITS]


def landed_folder(landed: str, subject: str) -> str:
    """The folder, in ``landed``, of what a plan (or a branch, made safe as a component) has landed."""
    return f"{landed}/{_slug(subject)}"


def landed_reference(landed: str, subject: str, key: str) -> str:
    """The reference that says, once it is reachable from the target, that ``key`` has landed.

    ``landed`` is the folder of the target's landed references, :attr:`Workbench.landed`.
    """
    return f"{landed_folder(landed, subject)}/{key}"


def candidate_reference(key: str) -> str:
    """The reference that keeps the commit an entry would make of the target."""
    return f"{CANDIDATES}/{key}"


def batch_reference(key: str) -> str:
    """The reference that keeps the commit of a batch, named after its first entry."""
    return f"{CANDIDATES}/{_BATCH}{key}"


def ahead_reference(key: str, commit: str) -> str:
    """The reference that keeps a candidate that is checked ahead of the turn of ``key``."""
    return f"{CANDIDATES}/{_AHEAD}{key}-{commit}"


def head_reference(key: str) -> str:
    """The reference that keeps what an entry is to land, whatever becomes of its branch."""
    return f"{HEADS}/{key}"


def entry_of_candidate(reference: str) -> str:
    """The entry that a candidate's, a batch's or a head's reference is named after."""
    name = reference.rpartition("/")[2]
    return (
        name.removeprefix(_AHEAD).partition("-")[0] if name.startswith(_AHEAD) else name.removeprefix(_BATCH)
    )


def _slug(subject: str) -> str:
    """A plan id differs from its slug only in dots; keys keep two subjects of one slug apart."""
    return _UNSAFE.sub("-", subject).strip("-") or "branch"
