"""What a clone knows of a remote's target: references of planctl's own, nobody else's.

| on the remote | here, for the remote ``origin`` |
| --- | --- |
| ``refs/heads/main``, the target | ``refs/planctl/remote/origin/heads/main`` |
| ``refs/heads/plan/x``, where work comes from | ``refs/planctl/remote/origin/heads/plan/x`` |
| ``refs/planctl/epoch`` | ``refs/planctl/remote/origin/epoch`` |
| ``refs/planctl/landed/…`` | ``refs/planctl/remote/origin/landed/…`` |
| the trailers of the target's commits | ``refs/planctl/remote/origin/told/<target>/…`` |
| to which commit they have been read | ``refs/planctl/remote/origin/read/<target>`` |

The user's branches, and the remote-tracking ones that ``git fetch`` keeps, are another matter.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from worktrees.errors import InvalidReferenceError

ROOT: Final = "refs/planctl/remote"
EPOCH: Final = "refs/planctl/epoch"
LANDED: Final = "refs/planctl/landed"
_OWN: Final = "refs/planctl/"
_HEADS: Final = "refs/heads/"
_DIGITS: Final = 20
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_TOLD: Final = re.compile(rf"({ROOT}/[^/]+)/told/([^/]+)/.+")
_TARGET: Final = re.compile(rf"{ROOT}/([^/]+)/heads/(.+)")


@dataclass(frozen=True, slots=True)
class Mirror:
    """One branch of one remote, and where what is known of it stands here."""

    remote: str
    branch: str

    @property
    def folder(self) -> str:
        """The folder of all references that mirror this remote."""
        return f"{ROOT}/{self.remote}"

    @property
    def target(self) -> str:
        """The branch that work lands on, as it was seen last."""
        return self.own(f"{_HEADS}{self.branch}")

    @property
    def epoch(self) -> str:
        """The fence of all queues that land there."""
        return self.own(EPOCH)

    @property
    def landed(self) -> str:
        """The folder of the landed references."""
        return self.own(LANDED)

    @property
    def told(self) -> str:
        """The folder of the landings that the trailers of the target's commits tell.

        Each target has its own, called after a digest of its name: a commit that was picked onto another one
        carries the trailers along, and is no landing of that key there.
        """
        return f"{self.folder}/told/{self._digest}"

    @property
    def read(self) -> str:
        """The mark to which commit the trailers have been read."""
        return f"{self.folder}/read/{self._digest}"

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.branch.encode()).hexdigest()[:_DIGITS]

    def own(self, theirs: str) -> str:
        """Where the reference that the remote calls ``theirs`` is mirrored."""
        if theirs.startswith(_OWN):
            return f"{self.folder}/{theirs.removeprefix(_OWN)}"
        return f"{self.folder}/{theirs.removeprefix('refs/')}"

    def theirs(self, own: str) -> str:
        """What the remote calls the reference that is mirrored as ``own``; raises InvalidReferenceError."""
        rest = own.removeprefix(f"{self.folder}/")
        if rest == own:
            raise InvalidReferenceError(own)
        return f"refs/{rest}" if rest.startswith("heads/") else f"{_OWN}{rest}"


def is_remote_name(text: str) -> bool:
    """Whether it may be the name of a remote here."""
    return bool(_NAME.fullmatch(text)) and not text.endswith((".", ".lock")) and ".." not in text


def mirror_of(remote: str, branch: str) -> Mirror:
    """The mirror of ``branch`` of the remote of that name; raises InvalidReferenceError for what is no name.

    A URL is none: whoever may write ``planctl.yaml`` must not choose what git talks to.
    """
    if not is_remote_name(remote):
        raise InvalidReferenceError(remote)
    return Mirror(remote, branch)


def mark_of(told: str) -> str | None:
    """The mark beside what stands in a folder ``told``; None for any other reference."""
    found = _TOLD.fullmatch(told)
    return f"{found.group(1)}/read/{found.group(2)}" if found else None


def remote_of(target: str) -> str | None:
    """The remote that ``target``, a full reference that work lands on, mirrors; None for a local branch."""
    found = _TARGET.fullmatch(target)
    return found.group(1) if found else None


def shown_target(target: str) -> str:
    """How people call it: ``main``, or ``origin/main``."""
    found = _TARGET.fullmatch(target)
    return f"{found.group(1)}/{found.group(2)}" if found else target.removeprefix(_HEADS)


def canonical(target: str) -> str:
    """The name that all machines have for it, whatever each calls the remote: that of the branch there."""
    found = _TARGET.fullmatch(target)
    return f"{_HEADS}{found.group(2)}" if found else target
