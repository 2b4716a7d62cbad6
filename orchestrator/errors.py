"""Errors of the orchestrator, as types with fields; ``cli/exits.py`` maps them to exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.errors import PlanctlError
from worktrees.errors import UnknownRevisionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class IllegalTransitionError(PlanctlError):
    """A state may not follow another; always a bug in the caller."""

    def __init__(self, kind: str, source: str, target: str) -> None:
        self.kind = kind
        self.source = source
        self.target = target
        super().__init__(f"a {kind} cannot go from {source} to {target}")


class StaleRecordError(PlanctlError):
    """A guarded write matched nothing: another process moved the record first."""

    def __init__(self, kind: str, key: str) -> None:
        self.kind = kind
        self.key = key
        super().__init__(f"{kind} {key} was changed by another process")


class UnknownRecordError(PlanctlError):
    """A record refers to a parent that the store does not know; always a bug in the caller."""

    def __init__(self, kind: str, key: str, parent: str) -> None:
        self.kind = kind
        self.key = key
        self.parent = parent
        super().__init__(f"{kind} {key} refers to {parent}, which the store does not know")


class StoreUnusableError(PlanctlError):
    """The store cannot be opened: corrupt, of a newer version, or used from another machine."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the store {path} cannot be used: {reason}")


class StoreRefusedError(StoreUnusableError):
    """The store is sound, and not for this planctl: of a newer version, another machine's, another user's."""


class BusyError(PlanctlError):
    """A lock or lease was not had in time; ``holder`` says who has it."""

    def __init__(self, what: str, holder: str) -> None:
        self.what = what
        self.holder = holder
        super().__init__(f"{what} is held by {holder}")


class LeaseBusyError(BusyError):
    """A lease was waited for in vain, ``waited`` seconds long."""

    def __init__(self, name: str, holder: str, waited: float) -> None:
        super().__init__(name, holder)
        self.waited = waited
        self.args = (f"{name} was not had in {waited:.0f} s: it is held by {holder}",)


class SessionTakenError(BusyError):
    """Another living process is registered under that id."""

    def __init__(self, key: str, holder: str) -> None:
        super().__init__(f"the name {key}", holder)


class SessionEndedError(PlanctlError):
    """The session that a command speaks for has ended, and holds nothing any more."""

    def __init__(self, key: str, ended_at: str | None) -> None:
        self.key = key
        self.args = (f"session {key} has ended ({ended_at or 'some time ago'}), and holds nothing any more",)


class LeaseLostError(PlanctlError):
    """A lease is no longer held: its row vanished, another holder has it, or its heartbeat failed."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"the lease on {name} was lost: {reason}")


class SweepStoppedError(PlanctlError):
    """A watchdog was told to stop in the middle of a sweep; the next sweep goes on with what is left."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the watchdog stopped its sweep: {reason}")


class DeadlockError(PlanctlError):
    """Sessions wait for each other in a circle, and this one gives way; what it holds it still has."""

    def __init__(self, name: str, sessions: Sequence[str]) -> None:
        self.name = name
        self.sessions = tuple(sessions)
        ring = " → ".join((*self.sessions, self.sessions[0]))
        super().__init__(f"nobody would ever get {name}: {ring} wait for each other")


class TaskTakenError(BusyError):
    """Another living session holds the task."""

    def __init__(self, key: str, holder: str) -> None:
        super().__init__(f"task {key}", holder)


class TaskRefusedError(PlanctlError):
    """What is asked of a task cannot be done now: it is complete, blocked, or not this session's."""

    def __init__(self, key: str, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"task {key} {reason}")


class ForbiddenOverlapError(PlanctlError):
    """Plans overlap and the mode is ``forbid``; nothing was started."""

    def __init__(self, pairs: Sequence[tuple[str, str, str]]) -> None:
        self.pairs = tuple(pairs)
        a, b, witness = self.pairs[0]
        more = f" (and {len(self.pairs) - 1} more pairs)" if len(self.pairs) > 1 else ""
        super().__init__(f"{a} and {b} overlap on {witness}{more}")


class TargetMissingError(UnknownRevisionError):
    """The branch that work is to land on does not exist, or has no commit yet."""

    def __init__(self, branch: str) -> None:
        super().__init__(f"refs/heads/{branch}")
        self.branch = branch
        self.args = (f"the target branch {branch} does not exist",)


class RemoteUnseenError(TargetMissingError):
    """The remote whose target counts has not been looked at from here yet."""

    def __init__(self, branch: str) -> None:
        super().__init__(branch)
        self.args = (f"{branch} has not been looked at from here yet",)


class UsageError(PlanctlError):
    """What was asked for cannot be done as it was asked; nothing was started."""


class NoWorktreeError(UsageError):
    """Plans are to be read from a worktree, and the user stands in none."""

    def __init__(self) -> None:
        super().__init__(
            "plans are read from a worktree, and here is none (a bare repository, or inside .git)"
        )


class NothingToDoError(PlanctlError):
    """A run, plan or entry that was named does not exist or needs nothing done."""


class InterruptedRunError(PlanctlError):
    """SIGINT or SIGTERM ended the run in order; ``signal`` is its number."""

    def __init__(self, signal: int, run: str) -> None:
        self.signal = signal
        self.run = run
        super().__init__(f"run {run} was interrupted")


class InterruptedQueueError(InterruptedRunError):
    """SIGINT or SIGTERM ended work at the merge queue in order; ``signal`` is its number."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal, "")
        self.args = ("work at the merge queue was interrupted",)


class FencePassedError(PlanctlError):
    """Another queue worker has taken over since; whatever this one was about to write was refused."""

    def __init__(self, epoch: str, found: str | None) -> None:
        self.epoch = epoch
        self.found = found
        super().__init__(f"the queue was taken over: the epoch is {(found or 'gone')[:12]}, not {epoch[:12]}")


class LocksInTheWayError(PlanctlError):
    """Lock files of git that are not provably planctl's keep its references from being written."""

    def __init__(self, locks: Sequence[str]) -> None:
        self.locks = tuple(locks)
        shown = ", ".join(self.locks)
        super().__init__(f"lock files are in the way: {shown} (git is at work there, or was killed there)")


class RevertConflictError(PlanctlError):
    """Later work has changed what is to be undone."""

    def __init__(self, plan: str, paths: Sequence[str]) -> None:
        self.plan = plan
        self.paths = tuple(paths)
        super().__init__(f"{plan} cannot be reverted by itself: conflicts in {', '.join(self.paths[:5])}")


class SignalledError(PlanctlError):
    """SIGINT or SIGTERM came before anything was started; ``signal`` is its number."""

    def __init__(self, signal: int) -> None:
        self.signal = signal
        super().__init__("interrupted before anything was started")


class LaunchFailedError(PlanctlError):
    """A command could not be started under a supervisor; nothing of it runs."""

    def __init__(self, attempt: str, reason: str) -> None:
        self.attempt = attempt
        self.reason = reason
        super().__init__(f"the command of {attempt} could not be started: {reason}")


class FileExistsAlreadyError(PlanctlError):
    """A file that planctl was to write stands there already; it was left as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} exists already")


class HostFolderError(PlanctlError):
    """The folder where all runs of a user on this host meet cannot be used."""

    def __init__(self, folder: Path, why: str) -> None:
        self.folder = folder
        self.why = why
        super().__init__(f"what runs of this host share cannot be had in {folder}: {why}")


class NotUninstalledError(PlanctlError):
    """planctl was not taken away whole, because something that is not its own is in the way."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"planctl was not uninstalled: {reason}")


class NotPreparedError(PlanctlError):
    """A worktree could not be prepared for a plan; what was made for it stays for ``worktree remove``."""

    def __init__(self, plan: str, reason: str) -> None:
        self.plan = plan
        self.reason = reason
        super().__init__(f"no worktree could be prepared for {plan}: {reason}")


class HeldUpError(NotPreparedError):
    """The same, because of what others hold just now: another try may have it."""


class SlotInUseError(PlanctlError):
    """A slot cannot be given up: something is at work in it, or waits there for a person."""

    def __init__(self, slot: str, reason: str) -> None:
        self.slot = slot
        self.reason = reason
        super().__init__(f"{slot} was left as it is: {reason}")


class AgentSettingsError(PlanctlError):
    """The settings of a coding agent cannot be edited; nothing in them was changed."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} was left as it is: {reason}")
