"""Why a plan waits or was passed over: every wait has one of these, stored and shown."""

from __future__ import annotations

from datetime import datetime
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
    DRIFTED_INTO = "drifted-into"
    """Another plan at work changed a file that this one declared and it did not; ``detail`` is its path."""
    RESERVED = "reserved"
    """A session has reserved files of which this one declares one; ``pattern`` is its, ``detail`` a path."""
    CONFLICT = "conflicts-with"
    """Declared never to run at the same time."""
    ORDER = "order"
    """Finished, and lands behind another plan."""
    LEAKED = "leaked"
    """Finished, and what it wrote into the main checkout is still there; ``detail`` is a path."""
    RESOURCE = "resource"
    """A resource is in use up to its capacity."""
    HOST_RESOURCE = "host-resource"
    """A resource is in use up to its capacity by runs in other repositories of this host."""
    BUILD_SLOTS = "build-slots"
    """As many plans are at work on this host as ``host: {build_slots: …}`` allows."""
    OVER_CAPACITY = "over-capacity"
    """More of a resource is wanted than there is; this one is passed over."""
    CAPACITY = "capacity"
    """All places (``--jobs``) are taken."""
    POOL = "pool"
    """All worktrees of the pool are taken."""
    DISK_FLOOR = "disk-floor"
    """Less space is free where worktrees are made than ``pool: {disk_floor: …}`` asks for."""
    MEMORY_FLOOR = "memory-floor"
    """Less memory is available than ``host: {memory_floor: …}`` asks for."""
    RATE_LIMIT = "rate-limit"
    """Its command, or with ``plan`` that of another plan of the same agent, met a rate limit."""
    RATE_LIMIT_LASTS = "rate-limit-lasts"
    """Its command met a rate limit, and was held as often or as long as it may be."""
    PLAN_ACTIVE = "plan-active"
    """The same plan is at work in another run."""
    STOPPED = "stopped"
    """Nothing new is started any more: a plan failed and ``--keep-going`` was not given."""
    NO_LAND = "no-land"
    """Needs a landing, and this run lands nothing."""


Reason = dict[str, Any]
_NEAR: Final = 120
"""Seconds within which the minute alone says little."""
_FAR: Final = 20 * 3600
"""Seconds beyond which a time of day alone may be another day's."""


def reason(code: Code, plan: str | None = None, detail: str = "", **more: Any) -> Reason:
    """Make a stored reason."""
    made: Reason = {"code": str(code)}
    if plan is not None:
        made["plan"] = str(plan)
    if detail:
        made["detail"] = detail
    return {**made, **more}


_SENTENCES: Final[Mapping[str, str]] = {
    Code.DEPENDENCY: "waits for {plan}{where} ({detail})",
    Code.DEPENDENCY_FAILED: "needs {plan}, which {detail}",
    Code.DEPENDENCY_REJECTED: "waits for {plan}, which is {detail}",
    Code.OVERLAP: "overlaps with {plan}{where} on {detail}",
    Code.DRIFTED_INTO: "waits for {plan}{where}, which has changed {detail}, declared here",
    Code.RESERVED: "waits for {holder}, who has reserved {pattern}: {detail} is declared here",
    Code.CONFLICT: "must not run beside {plan}",
    Code.ORDER: "finished; lands behind {plan}",
    Code.LEAKED: "finished; {detail} in the main checkout seems to be its work (leaks: hold)",
    Code.RESOURCE: "waits for resource {detail}",
    Code.HOST_RESOURCE: "waits for resource {detail}, in use elsewhere on this host",
    Code.BUILD_SLOTS: "waits for one of the {detail} build slots of this host (host: build_slots)",
    Code.OVER_CAPACITY: "asks for more than there is: {detail}",
    Code.CAPACITY: "waits for a free place (--jobs)",
    Code.POOL: "waits for a free worktree (pool: max)",
    Code.DISK_FLOOR: "waits for space on the disk: {detail} (pool: disk_floor)",
    Code.MEMORY_FLOOR: "waits for memory: {detail} (host: memory_floor)",
    Code.PLAN_ACTIVE: "is at work{where} already",
    Code.STOPPED: "not started: {plan} failed (--keep-going starts the rest all the same)",
    Code.NO_LAND: "needs {plan} landed, and this run lands nothing",
}


def _limited(stored: Mapping[str, Any]) -> str:
    """``seconds_left``, where it is there, is how much of the wait was left when the reason was read."""
    local, seconds = datetime.fromisoformat(stored["until"]).astimezone(), stored.get("seconds_left", _NEAR)
    how = "%Y-%m-%d %H:%M %Z" if seconds > _FAR else "%H:%M:%S %Z" if seconds < _NEAR else "%H:%M %Z"
    moment = local.strftime(how)
    left = f" (in {_span(stored['seconds_left'])})" if "seconds_left" in stored else ""
    along = f" along with {stored['plan']}" if stored.get("plan") else ""
    who = stored.get("profile") or "its command"
    return f"waits{along} until {moment}{left}: {who} said: {stored['detail']}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(0, round(seconds))} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def sentence(stored: Mapping[str, Any]) -> str:
    """One line for people: why a plan waits or was passed over."""
    code, plan, detail = stored.get("code"), stored.get("plan", ""), stored.get("detail", "")
    if code == Code.RATE_LIMIT:
        return _limited(stored)
    template = _SENTENCES.get(str(code))
    if template is None or ("{plan}" in template and not plan):  # a person's word, or the queue's: whole
        return str(detail or code or "")
    where = f" in run {stored['run']}" if stored.get("run") else ""
    who = {key: stored.get(key, "") for key in ("holder", "pattern")}
    return template.format(plan=plan, detail=detail, where=where, **who)
