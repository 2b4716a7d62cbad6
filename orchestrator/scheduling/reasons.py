"""Why a plan waits or was passed over: every wait has one of these, stored and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Code(StrEnum):
    """The stable part of a reason; the other keys of the stored mapping say with whom and on what."""

    DEPENDENCY = "dependency"
    """Another plan must come further first."""
    DEPENDENCY_FAILED = "dependency-failed"
    """Another plan ended without what this one needs; this one is passed over."""
    DEPENDENCY_REJECTED = "dependency-rejected"
    """The other plan conflicted, was rejected, or its landing is blocked or held; a retry may mend it."""
    OVERLAP = "overlap"
    """Another plan at work may write the same file; ``detail`` is a witness path."""
    CONFLICT = "conflicts-with"
    """Declared never to run at the same time."""
    ORDER = "order"
    """Finished, and lands behind another plan."""
    RESOURCE = "resource"
    """A resource is in use up to its capacity."""
    CAPACITY = "capacity"
    """All places (``--jobs``) are taken."""
    PLAN_ACTIVE = "plan-active"
    """The same plan is at work in another run."""
    STOPPED = "stopped"
    """Nothing new is started any more: a plan failed and ``--keep-going`` was not given."""
    NO_LAND = "no-land"
    """Needs a landing, and this run lands nothing."""


TERMINAL_WAITS: Final = frozenset({Code.DEPENDENCY_REJECTED, Code.NO_LAND, Code.DEPENDENCY})
"""Waits that end the plan when nothing else in the run can move any more."""

Reason = dict[str, Any]


def reason(code: Code, plan: str | None = None, detail: str = "", **more: Any) -> Reason:
    """Make a stored reason."""
    made: Reason = {"code": str(code)}
    if plan is not None:
        made["plan"] = str(plan)
    if detail:
        made["detail"] = detail
    return {**made, **more}


def sentence(stored: Mapping[str, Any]) -> str:  # noqa: C901 - one line for each code
    """One line for people: why a plan waits or was passed over."""
    plan, detail = stored.get("plan", ""), stored.get("detail", "")
    match stored.get("code"):
        case Code.DEPENDENCY:
            return f"waits for {plan} ({detail})"
        case Code.DEPENDENCY_FAILED:
            return f"needs {plan}, which {detail}"
        case Code.DEPENDENCY_REJECTED:
            return f"waits for {plan}, which is {detail}"
        case Code.OVERLAP:
            where = f" in run {stored['run']}" if stored.get("run") else ""
            return f"overlaps with {plan}{where} on {detail}"
        case Code.CONFLICT:
            return f"must not run beside {plan}"
        case Code.ORDER:
            return f"finished; lands behind {plan}"
        case Code.RESOURCE:
            return f"waits for resource {detail}"
        case Code.CAPACITY:
            return "waits for a free place (--jobs)"
        case Code.PLAN_ACTIVE:
            return f"waits: the same plan is at work in run {stored.get('run', '')}"
        case Code.STOPPED if plan:  # without: stopped by a person, told by ``detail``
            return f"not started: {plan} failed (--keep-going starts the rest all the same)"
        case Code.NO_LAND:
            return f"needs {plan} landed, and this run lands nothing"
        case _:
            return str(detail or stored.get("code") or "")
