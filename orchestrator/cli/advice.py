"""What to do about an error, where that depends on the error; ``exits`` says the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import orchestrator.errors as own
    import plans.errors as of_plans
    import worktrees.restoreerrors as of_restore


def nearest(error: of_plans.UnknownPlanError) -> str:
    """Names that are like the one that is not known."""
    if error.known:
        return f"did you mean {' or '.join(error.known)}? `planctl lint` lists the plans"
    return "`planctl lint` lists the plans, `planctl new ID` writes one"


def other_port(error: own.PortInUseError) -> str:
    """A port that is free."""
    return f"port {error.free} is free: try it" if error.free else "try another port"


def refused(error: of_restore.RestoreRefusedError) -> str:
    """Work that there is a choice about or not, another commit, or somebody at work there."""
    if error.paths:
        return CHOICE if error.has_choice else IN_THE_WAY
    return NOT_THERE if error.base else ONE_AT_A_TIME


def resume(error: own.InterruptedRunError) -> str:
    """The command that goes on."""
    return f"`planctl resume {error.run}` goes on where it stopped"


LET_GO: Final = "`planctl worktree remove SLOT --force` lets it go; `planctl rescue restore` brings it back"
NOT_THERE: Final = "--detach checks out there what it stood on; --into names another"
CHOICE: Final = "--into names another worktree; --on-change overwrite (rescued first) or skip goes on"
IN_THE_WAY: Final = "move it away first, or --into names another worktree"
ONE_AT_A_TIME: Final = "let that end, then try again"
BY_HAND: Final = "the worktree was left as it is; move the work out by hand"


def wait_or_break(error: own.LeaseBusyError) -> str:
    """The choices that are left when a lease was waited for in vain."""
    name = error.what
    if error.holder.startswith("plan "):
        return "wait longer with --timeout 1h, or work on other files; `planctl status` shows the plan"
    line = f"wait longer with --timeout 5m; `planctl lock list {name}` shows the line"
    return f"{line}; `planctl lock break {name}` takes it away; `planctl doctor` looks for dead holders"
