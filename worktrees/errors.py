"""What can go wrong with git, as types with fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.errors import PlanctlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_KILLS: Final = frozenset({1, 2, 9, 15})
"""SIGHUP, SIGINT, SIGKILL, SIGTERM; git's own abort (6) says that it cannot do what it was asked."""


class GitFailedError(PlanctlError):
    """The git program ended with a status that the caller did not expect, or was killed (a negative one)."""

    def __init__(self, arguments: Sequence[str], status: int, stderr: str) -> None:
        self.arguments = tuple(arguments)
        self.status = status
        self.stderr = stderr
        super().__init__(f"git {_command(arguments)} failed with status {status}: {said(stderr)}")

    @property
    def was_killed(self) -> bool:
        """Somebody else ended it (an OOM killer, a shutdown): that tells nothing of what it was asked."""
        return -self.status in _KILLS


class GitRefusedError(GitFailedError):
    """Git ended by itself: what it says is about what it was asked, which a killed git's end is not."""


def said(stderr: str) -> str:
    """One line of what git said: its first fault and the line before it, which names the cause of a filter's.

    What follows a fault is advice ("remove the file manually to continue."), or what a colon announces.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith("hint:")]
    faults = [n for n, line in enumerate(lines) if line.startswith(("fatal:", "error:"))]
    if not faults:
        return lines[-1] if lines else "no message"
    first = faults[0]
    end = first + 2 if lines[first].endswith(":") else first + 1
    return "; ".join((*lines[max(first - 1, 0) : first], " ".join(lines[first:end])))


def _command(arguments: Sequence[str]) -> str:
    """The subcommand and its first argument, without the ``-c name=value`` before it."""
    rest = list(arguments)
    while rest[:1] == ["-c"]:
        del rest[:2]
    return " ".join(rest[:2])


class GitTooOldError(PlanctlError):
    """The git program is missing or older than planctl needs."""

    def __init__(self, found: str | None, needed: str) -> None:
        self.found = found
        self.needed = needed
        super().__init__(f"git {needed} or newer is needed, found {found or 'none'}")


class NotARepositoryError(PlanctlError):
    """No git repository holds this folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is not inside a git repository")


class UnsupportedRepositoryError(PlanctlError):
    """A repository of a kind that planctl cannot work on, such as SHA-256 or reftable."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the repository at {path} cannot be used: {reason}")


class UnknownRevisionError(PlanctlError):
    """A revision that names no commit."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(f"{revision!r} names no commit")


class InvalidReferenceError(PlanctlError):
    """A text that is no valid name of a branch or reference."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name!r} is not a valid reference name")


class ReferenceMovedError(PlanctlError):
    """A reference transaction was refused: something was not as it was expected; nothing has changed."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"a reference was not as expected: {detail}")


class BranchExistsError(PlanctlError):
    """A branch that planctl was to create is there already and is not planctl's own."""

    def __init__(self, branch: str, commit: str) -> None:
        self.branch = branch
        self.commit = commit
        super().__init__(f"branch {branch} exists already, at {commit[:12]}")


class BranchClashError(PlanctlError):
    """A branch that git cannot make: another one has its name as a folder, or is one of its folders."""

    def __init__(self, branch: str, other: str) -> None:
        self.branch = branch
        self.other = other
        super().__init__(f"branch {branch} cannot be made beside the branch {other}")


class FilterMissingError(PlanctlError):
    """Files cannot be checked out: a filter that git requires for them has no program that can be run."""

    def __init__(self, name: str, command: str, path: str) -> None:
        self.name = name
        self.command = command
        self.path = path
        what = f"its program cannot be found: {command}" if command else "it has no command"
        super().__init__(f"{path} needs the filter {name}, and {what}")


class SlotUnavailableError(PlanctlError):
    """No slot can be had: the pool is full, or the disk floor would be passed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"no worktree can be had: {reason}")


class DiskFloorError(SlotUnavailableError):
    """Less space is free on the pool's file system than ``pool: {disk_floor: …}`` asks for; in bytes."""

    def __init__(self, place: Path, free: int, floor: int) -> None:
        self.place = place
        self.free = free
        self.floor = floor
        super().__init__(f"{free / 2**30:.1f} GiB are free at {place}, the floor is {floor / 2**30:.1f}")


class FragmentLostError(PlanctlError):
    """A file that is put together from snippets holds text on one side that is in none of them."""

    def __init__(self, path: str, folder: str, side: str) -> None:
        self.path = path
        self.folder = folder
        self.side = side
        self.paths = (path,)
        super().__init__(f"{path} at {side[:12]} has text that no snippet in {folder}/ gives")


class PoolFolderError(SlotUnavailableError):
    """The folder that was configured for worktrees cannot hold them."""


class ProvisioningError(PlanctlError):
    """A worktree could not be made ready; what had been made was unmade."""

    def __init__(self, path: Path, reason: str, log: Path | None = None) -> None:
        self.path = path
        self.reason = reason
        self.log = log
        super().__init__(f"the worktree {path} could not be made ready: {reason}")


class RescueIncompleteError(PlanctlError):
    """Work in a worktree could not be captured whole; the worktree must not be reused or removed by itself.

    ``reference`` keeps what could be captured (None: nothing). ``whole``: that is everything, and only
    because it holds repositories of its own it is for a person to say that the worktree may go.
    """

    def __init__(self, path: Path, reason: str, reference: str | None = None, *, whole: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.reference = reference
        self.whole = whole
        kept = "" if reference is None else f"; {'all' if whole else 'the rest'} is kept at {reference}"
        said = "holds what git does not keep" if whole else "cannot be captured whole"
        super().__init__(f"the work in {path} {said}: {reason}{kept}")


class RescueInterruptedError(RescueIncompleteError):
    """A git child was killed while work was captured: nothing is wrong with the work; try again."""


class CheckoutInTheWayError(PlanctlError):
    """A checkout of the target holds the user's work on files that a landing changes."""

    def __init__(self, checkout: Path, paths: Sequence[str], reason: str) -> None:
        self.checkout = checkout
        self.paths = tuple(paths)
        self.reason = reason
        super().__init__(f"{checkout}: {reason}")


class CheckoutLockedError(CheckoutInTheWayError):
    """The index of a checkout of the target is locked: git is at work there, or was killed there.

    ``lock`` is the file, where one is known.
    """

    def __init__(self, checkout: Path, reason: str, lock: Path | None = None) -> None:
        self.lock = lock
        super().__init__(checkout, (), reason)


class LeftoversRefusedError(PlanctlError):
    """What a command left behind must not be committed as it is; nothing was committed.

    ``code`` is stable: ``unmerged``, ``conflict-markers``, ``operation``, ``nested``, ``refused``.
    """

    def __init__(self, path: Path, code: str, reason: str, paths: Sequence[str] = ()) -> None:
        self.path = path
        self.code = code
        self.reason = reason
        self.paths = tuple(paths)
        super().__init__(f"the leftovers in {path} were not committed: {reason}")


class BranchInUseError(PlanctlError):
    """A branch that a plan needs is checked out, rebased or bisected in a worktree of somebody else."""

    def __init__(self, branch: str, worktree: Path) -> None:
        self.branch = branch
        self.worktree = worktree
        super().__init__(f"branch {branch} is checked out at {worktree}")


class NoPlanError(PlanctlError):
    """No option, variable or pointer says which plan a command means; ``start`` is where it was asked."""

    def __init__(self, start: Path) -> None:
        self.start = start
        super().__init__(f"no plan is named, and the worktree at {start} holds none")


class MissingObjectError(PlanctlError):
    """An object that is not in the repository, or is not of the kind asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"object {name} is not there or is of another kind")


class PromisedObjectError(MissingObjectError):
    """An object that a partial clone left out, and that its remote does not give now."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.args = (f"object {name} was left out of this partial clone, and its remote does not give it",)


class HookInTheWayError(PlanctlError):
    """planctl's hook would have to go where something of the user's is; nothing was written."""

    def __init__(self, path: Path, detail: str) -> None:
        self.path = path
        self.detail = detail
        super().__init__(f"no hook was installed: {path} {detail}")


class IdentityMissingError(PlanctlError):
    """Git does not know who the user is, so no commit can be made."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        last = detail.strip().splitlines()[-1] if detail.strip() else "no message"
        super().__init__(f"git knows no identity to commit with: {last}")


class SigningFailedError(PlanctlError):
    """Commits are to be signed and a trial signature failed."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        last = detail.strip().splitlines()[-1] if detail.strip() else "no message"
        super().__init__(f"a commit could not be signed: {last}")
