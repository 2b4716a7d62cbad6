"""What to do about an error, where that depends on the error; ``exits`` says the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import orchestrator.errors as own
    import orchestrator.servingerrors as of_serving
    import plans.errors as of_plans
    import worktrees.errors as of_git
    import worktrees.restoreerrors as of_restore
    from worktrees.metadata_lock import MetadataLockedError


def nearest(error: of_plans.UnknownPlanError) -> str:
    """Take one of the ids that are like it, which it names; `planctl lint` lists the plans."""
    if error.known:
        return f"did you mean {' or '.join(error.known)}? `planctl lint` lists the plans"
    return "`planctl lint` lists the plans, `planctl new ID` writes one"


def rights(error: of_git.UnsupportedRepositoryError) -> str:
    """Where it cannot be written to, give that folder to the user who runs planctl; else as it says."""
    if "cannot be written" not in error.reason:
        return ""
    return "give it to the user who runs planctl; `lint`, `graph`, `overlap` and `status` work without"


def room_or_doctor(error: own.StoreUnusableError) -> str:
    """Where the disk is full, make room, then `planctl resume`; else ask `planctl doctor`."""
    if "disk is full" in error.reason:
        return "make room, then `planctl resume` goes on; nothing was lost"
    return "`planctl doctor` says what can be done"


def another_store(error: own.StoreRefusedError) -> str:
    """Use the newer planctl or the other machine, or give the file back to its owner, as it says."""
    found = next((do for words, do in _REFUSED.items() if words in error.reason), "`planctl doctor` shows it")
    return f"{found}; nothing was changed"


_REFUSED: Final = {
    "a newer planctl made it": "install that version, or a newer one",
    "belongs to another machine": "go on there, or clone it: one machine at a time can use a repository",
    "by this user": "give the file back to the owner of the repository",
}
"""By what the reason of a refused store says."""


def other_port(error: of_serving.PortInUseError) -> str:
    """Try the port that it says is free."""
    return f"port {error.free} is free: try it" if error.free else "try another port"


def refused(error: of_restore.RestoreRefusedError) -> str:
    """Move that work away, or --into another worktree; `--on-change` where there is a choice."""
    if error.paths:
        return CHOICE if error.has_choice else IN_THE_WAY
    return NOT_THERE if error.base else ONE_AT_A_TIME


def resume(error: own.InterruptedRunError) -> str:
    """`planctl resume RUN` goes on where it stopped."""
    return f"`planctl resume {error.run}` goes on where it stopped"


LET_GO: Final = "`planctl worktree remove SLOT --force` lets it go; `planctl rescue restore` brings it back"
NOT_THERE: Final = "--detach checks out there what it stood on; --into names another"
CHOICE: Final = "--into names another worktree; --on-change overwrite (rescued first) or skip goes on"
IN_THE_WAY: Final = "move it away first, or --into names another worktree"
ONE_AT_A_TIME: Final = "let that end, then try again"
BY_HAND: Final = "the worktree was left as it is; move the work out by hand"


def let_go_on(error: MetadataLockedError) -> str:
    """Let it end; when it is stopped, `kill -CONT PID` lets it go on, `kill PID` ends it."""
    if error.pid is None:
        return "let it end; `ps -A | grep -e planctl -e git` finds it if it was stopped"
    return (
        f"let it end; when it is stopped, `kill -CONT {error.pid}` lets it go on, `kill {error.pid}` ends it"
    )


def wait_or_break(error: own.LeaseBusyError) -> str:
    """Wait longer with `--timeout 5m`; `lock list` shows the line, `lock break` takes it away."""
    name = error.what
    if error.holder.startswith("plan "):
        return "wait longer with --timeout 1h, or work on other files; `planctl status` shows the plan"
    line = f"wait longer with --timeout 5m; `planctl lock list {name}` shows the line"
    return f"{line}; `planctl lock break {name}` takes it away; `planctl doctor` looks for dead holders"
