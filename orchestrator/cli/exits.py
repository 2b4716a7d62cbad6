"""One table from errors to exit codes and advice, and the one way in which an error is reported.

0 done or yes · 1 the answer is no · 2 usage or invalid input · 3 bug or fault, with a log · 4 busy ·
128 + n ended by signal n. Errors state a fact; what to do about it is said here.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

import orchestrator.errors as own
import orchestrator.servingerrors as of_serving
import plans.errors as of_plans
import worktrees.errors as of_git
import worktrees.metadata_lock as of_list
import worktrees.remoteerrors as of_remote
import worktrees.restoreerrors as of_restore
from orchestrator.cli import advice
from orchestrator.cli.errordata import error_data
from orchestrator.cli.faults import write_log
from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.cli.context import Invocation

DONE: Final = 0
NO: Final = 1
INVALID: Final = 2
FAULT: Final = 3
BUSY: Final = 4
INTERRUPTED: Final = 130
SIGNALLED: Final = 128
"""Plus the number of the signal."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How an error ends the process, and what its reader can do; ``advice`` may look at the error."""

    code: int
    advice: str | Callable[[Any], str] = ""

    def advise(self, error: BaseException) -> str:
        """The advice for this very error, or an empty text."""
        return self.advice if isinstance(self.advice, str) else self.advice(error)


EXITS: Final[Mapping[type[Exception], Exit]] = {
    of_plans.InvalidPlansError: Exit(INVALID, "`planctl lint` shows every problem with a hint"),
    of_plans.UnknownPlanError: Exit(INVALID, advice.nearest),
    of_plans.InvalidNameError: Exit(INVALID),
    of_plans.UnknownTaskError: Exit(INVALID, "see `planctl task list`; a plan with errors has none"),
    of_plans.ChangedMeanwhileError: Exit(NO, "look at the change, then try again"),
    of_plans.CycleError: Exit(INVALID, "take one of these dependencies out"),
    of_git.GitFailedError: Exit(FAULT, "`planctl doctor` looks for known causes"),
    of_git.GitRefusedError: Exit(FAULT, "`planctl doctor` looks for known causes"),
    of_git.GitTooOldError: Exit(INVALID, "install a newer git, or put it first on PATH"),
    of_git.NotARepositoryError: Exit(INVALID, "go into a repository, name one with --repo, or `git init`"),
    of_git.UnsupportedRepositoryError: Exit(INVALID, advice.rights),
    of_git.UnknownRevisionError: Exit(INVALID, "`git log --all` shows what there is"),
    of_git.InvalidReferenceError: Exit(INVALID, "`git help check-ref-format` says what a name may hold"),
    of_git.ReferenceMovedError: Exit(NO, "someone else was faster; nothing has changed, try again"),
    of_git.BranchExistsError: Exit(INVALID, "--adopt goes on with its work; or give the plan a `branch:`"),
    of_git.BranchClashError: Exit(INVALID, "give the plan a `branch:`, or rename that branch"),
    of_git.FilterMissingError: Exit(
        INVALID,
        lambda e: (
            f"install it, or take filter.{e.name} out of git's configuration: files then stay as stored"
        ),
    ),
    of_git.HookInTheWayError: Exit(
        NO,
        "have your own hook call planctl's: `planctl hooks show > FILE`, then in it `sh FILE || exit 1`",
    ),
    of_git.PoolFolderError: Exit(INVALID, "name another folder with `worktrees:` in planctl.yaml"),
    of_git.FragmentLostError: Exit(NO, "put the text into a snippet of that folder"),
    of_git.DiskFloorError: Exit(BUSY, "free some space, or lower `pool: {disk_floor: …}` in planctl.yaml"),
    of_git.SlotUnavailableError: Exit(BUSY, "`planctl worktree list` shows who has them"),
    of_list.MetadataLockedError: Exit(BUSY, advice.let_go_on),
    of_git.ProvisioningError: Exit(NO, lambda error: f"the log is {error.log}" if error.log else ""),
    of_git.RescueInterruptedError: Exit(NO, "the worktree was left as it is; try again"),
    of_git.RescueIncompleteError: Exit(NO, lambda error: advice.LET_GO if error.whole else advice.BY_HAND),
    of_git.CheckoutLockedError: Exit(BUSY, "let that git command end, then `planctl sync`"),
    of_git.CheckoutInTheWayError: Exit(NO, "commit or move these edits, then `planctl sync`"),
    of_git.LeftoversRefusedError: Exit(NO, "settle it in the worktree by hand"),
    of_restore.RestoreRefusedError: Exit(NO, advice.refused),
    of_restore.RestoreTakenBackError: Exit(NO, "`planctl rescue list` shows what is kept; then try again"),
    of_restore.HalfRestoredError: Exit(NO, "settle that, then `planctl doctor --fix` takes it back"),
    of_restore.UnknownRescueError: Exit(INVALID, "`planctl rescue list` shows what there is"),
    of_git.BranchInUseError: Exit(
        INVALID, "leave it there (`git switch --detach` in that worktree), then try again"
    ),
    of_git.NoPlanError: Exit(INVALID, "name one with --plan, or `planctl pointer set PLAN` in its worktree"),
    of_git.IdentityMissingError: Exit(INVALID, "`git config user.name` and `user.email`"),
    of_git.SigningFailedError: Exit(INVALID, "mend the signing key, or `git config commit.gpgSign false`"),
    of_git.PromisedObjectError: Exit(INVALID, "try again when `git fetch` reaches the remote"),
    of_git.MissingObjectError: Exit(FAULT, "`git fsck` looks for damage; a shallow clone lacks history"),
    of_remote.RemoteUnreachableError: Exit(
        BUSY,
        lambda e: (
            f"may this user push to {e.remote}? nothing was lost; try again"
            if e.answers
            else f"does `git ls-remote {e.remote}` work here, without a prompt? nothing was lost; try again"
        ),
    ),
    of_remote.UnknownRemoteError: Exit(INVALID, "`git remote -v` lists them, `git remote add` makes one"),
    of_remote.SplitRemoteError: Exit(
        INVALID, "`git remote add NAME URL` makes a remote that is one place; name that one with `remote:`"
    ),
    of_remote.RemoteBranchMissingError: Exit(INVALID, "push its first commit, or mend `target:`"),
    of_remote.PushRefusedError: Exit(NO, "the server's own rules refuse it: look at its words"),
    own.AgentSettingsError: Exit(INVALID, "`planctl hooks show AGENT` prints the entries, to put in by hand"),
    own.LaunchFailedError: Exit(NO),
    own.HostFolderError: Exit(
        INVALID, "let XDG_STATE_HOME name a folder that you can write to, then `planctl resume` goes on"
    ),
    own.NotUninstalledError: Exit(NO, "move it away, then `planctl uninstall` goes on; nothing was lost"),
    own.HeldUpError: Exit(BUSY, "`planctl status` shows who is at work; then try again"),
    own.NotPreparedError: Exit(NO, "`planctl logs PLAN` shows what its set-up said"),
    own.SlotInUseError: Exit(NO, "`planctl status` shows what is at work"),
    own.StoreRefusedError: Exit(INVALID, advice.another_store),
    own.StoreUnusableError: Exit(FAULT, advice.room_or_doctor),
    own.BusyError: Exit(BUSY, "`planctl status` shows what is going on"),
    own.LeaseBusyError: Exit(BUSY, advice.wait_or_break),
    own.SessionTakenError: Exit(BUSY, "take another id, or let planctl draw one"),
    own.SessionEndedError: Exit(NO, "`planctl session start` begins another; claim and lock anew"),
    own.TaskTakenError: Exit(BUSY, "`planctl task claim --next` takes another one"),
    own.TaskRefusedError: Exit(NO, "`planctl task list` shows what is open, and what waits for what"),
    own.SweepStoppedError: Exit(NO, "the next sweep goes on with what is left"),
    own.LeaseLostError: Exit(BUSY, "`planctl status` shows who has it now"),
    own.DeadlockError: Exit(BUSY, "give back what you hold (`planctl lock release --all`), then try again"),
    own.ForbiddenOverlapError: Exit(
        INVALID, "`planctl overlap` shows all; --overlap serialize runs them in turn"
    ),
    own.TargetMissingError: Exit(
        INVALID, "make its first commit, or name another branch with `target:` in planctl.yaml"
    ),
    own.RemoteUnseenError: Exit(INVALID, "`planctl queue run --once` looks at the remote"),
    own.UsageError: Exit(INVALID),
    own.NoWorktreeError: Exit(INVALID, "go into a worktree of it; `git worktree add FOLDER` makes one"),
    own.NothingToDoError: Exit(INVALID, "`planctl status` lists what there is"),
    own.InterruptedRunError: Exit(INTERRUPTED, advice.resume),
    own.InterruptedQueueError: Exit(INTERRUPTED, "`planctl queue run` goes on; nothing was lost"),
    own.FencePassedError: Exit(BUSY, "`planctl queue list` shows who lands now"),
    own.LocksInTheWayError: Exit(BUSY, "`planctl doctor` says whose they are"),
    own.RevertConflictError: Exit(NO, "revert by hand on a branch, then `planctl queue add BRANCH`"),
    own.SignalledError: Exit(INTERRUPTED),
    of_serving.PortInUseError: Exit(BUSY, advice.other_port),
    of_serving.MissingExtraError: Exit(INVALID, lambda error: f"pip install 'planctl[{error.extra}]'"),
    of_serving.TokenUnusableError: Exit(INVALID, "remove it: the next `planctl serve` makes a new one"),
    own.FileExistsAlreadyError: Exit(
        INVALID, "nothing is ever overwritten: take another id, or edit the file"
    ),
    PermissionError: Exit(FAULT, "give the user who runs planctl the rights to it, then try again"),
}
"""Looked up along the error's own classes. What is not in it is a fault: a log, and exit 3."""
DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""Errors of the system that say something about the disk, and nothing about planctl."""
_DISK_EXIT: Final = Exit(FAULT, "make room or mend the disk, then `planctl resume` goes on; nothing was lost")
INTERNAL: Final[frozenset[type[Exception]]] = frozenset(
    {
        own.IllegalTransitionError,
        own.StaleRecordError,
        own.UnknownRecordError,
        of_plans.BadValueError,
        of_plans.PatternSyntaxError,
        of_plans.UndecidedPatternsError,
    }
)
"""Errors that are a bug of planctl wherever they reach its face; on purpose not in the table."""


def report(error: BaseException, invocation: Invocation) -> int:
    """Say on stderr what went wrong, and return the exit code.

    With ``--json``, stdout gets one object ``{"error": {"code", "message", "advice", "exit", …fields}}``.
    """
    if isinstance(error, KeyboardInterrupt | click.Abort):
        invocation.output.error("planctl: interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return _usage(error, invocation)
    found = _found(error)
    if found is None or found.code == FAULT:
        return _fault(error, found, invocation)
    code = found.code
    if isinstance(error, own.InterruptedRunError | own.SignalledError):
        code = SIGNALLED + error.signal
    _say(error, str(error), found.advise(error), invocation)
    _as_data(error, str(error), found.advise(error), code, invocation)
    return code


def told_elsewhere(error: Exception, invocation: Invocation) -> dict[str, object]:
    """What a program on the other end of a connection is told of ``error``, as ``--json`` tells it.

    A fault is reported here as ever, with its log; over there it is only named.
    """
    found = _found(error)
    if found is not None and found.code != FAULT:
        return error_data(error, str(error), found.advise(error), found.code)
    _logged(error, found, invocation)
    return error_data(error, "it ended in a fault", "the server's own messages name a log of it", FAULT)


def _found(error: BaseException) -> Exit | None:
    if isinstance(error, OSError) and error.errno in DISK:
        return _DISK_EXIT
    return next((EXITS[kind] for kind in type(error).__mro__ if kind in EXITS), None)


def _usage(error: click.ClickException, invocation: Invocation) -> int:
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        invocation.output.error(error.format_message())
        return INVALID
    if context is not None:
        invocation.output.error(context.get_usage())
        advice = f"`{context.command_path} --help` lists the options"
    else:
        advice = ""
    _say(error, error.format_message(), advice, invocation)
    _as_data(error, error.format_message(), advice, INVALID, invocation)
    return INVALID


def _fault(error: BaseException, found: Exit | None, invocation: Invocation) -> int:
    fact, advice, log = _logged(error, found, invocation)
    said = "; ".join(filter(None, (advice, f"log: {log}" if log else "")))
    _as_data(error, fact, said, FAULT, invocation, log=str(log) if log else None)
    return FAULT


def _logged(error: BaseException, found: Exit | None, invocation: Invocation) -> tuple[str, str, Path | None]:
    """Write the log of a fault and say it; returns the fact, the advice, and the path of the log."""
    fact = str(error) if found else f"unexpected {type(error).__name__}: {error}"
    log = write_log(error, _state_dir(invocation))
    place, advice = f"log: {log}" if log else "", found.advise(error) if found else ""
    _say(error, f"{fact} ({place})" if place else fact, advice, invocation)
    return fact, advice, log


def _state_dir(invocation: Invocation) -> Path | None:
    try:
        return invocation.repository.state_dir
    except (of_git.NotARepositoryError, OSError):
        return None


def _say(error: BaseException, fact: str, advice: str, invocation: Invocation) -> None:
    output = invocation.output
    problems = error.problems if isinstance(error, of_plans.InvalidPlansError) else ()
    for problem in problems:
        output.error(one_line(str(problem)))
        if problem.hint:
            output.error(("  hint: ", Colour.DIM), one_line(problem.hint))
    if not problems:
        output.error(("planctl: ", Colour.RED), one_line(fact))
    if advice:
        output.error(("  hint: ", Colour.DIM), one_line(advice))


def _as_data(
    error: BaseException, fact: str, advice: str, code: int, invocation: Invocation, *, log: str | None = None
) -> None:
    if invocation.as_json:
        invocation.output.data({"error": error_data(error, fact, advice, code, log)})
