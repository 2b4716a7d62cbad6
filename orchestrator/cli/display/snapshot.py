"""One moment of a repository as lines for people: runs, plans with the reason, queue, resources, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.display.attemptstates import COLOURS, ORDER
from orchestrator.cli.output import Colour
from orchestrator.scheduling.reasons import sentence
from orchestrator.states import ACTIVE_ATTEMPTS, AttemptState
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.cli.output import Part
    from orchestrator.services.status import Status

Line = tuple["Part", ...]
_A = AttemptState
_PATHS: Final = 3


def lines(status: Status) -> Iterator[Line]:
    """What there is to say of ``status``, one tuple of parts for each line."""
    if not status.plans and not status.runs and not status.queue:
        yield ("nothing has run here; `planctl run-multi PLAN…` begins",)
    yield from map(_run, status.runs)
    width = max((len(plan["id"]) for plan in status.plans), default=0)
    for state in ORDER:
        for plan in status.plans:
            if plan["state"] == state:
                yield _plan(plan, state, width)
                yield from _drift(plan, state, width)
    for title, rows, line in (
        ("queue", status.queue, _entry),
        ("resources", status.resources, _resource),
        ("main checkout, yours if you wrote it", status.leaks, _leak),
        ("sessions", status.sessions, _session),
    ):
        if rows:
            yield ("",)
            yield ((title, Colour.BOLD),)
            yield from map(line, rows)
    if status.sessions:
        yield _watchdog(status.watchdog)


def _run(run: Mapping[str, Any]) -> Line:
    head: Line = ((f"run {run['id']}", Colour.BOLD), f" since {_moment(run['started_at'])}")
    if run["conducted"]:
        return head
    how_on = f", and nothing conducts it: `planctl resume {run['id']}` goes on"
    return (*head, (f" {run['state']}{how_on}", Colour.YELLOW))


def _plan(plan: Mapping[str, Any], state: AttemptState, width: int) -> Line:
    colour = COLOURS.get(state)
    shown: Part = (f"{state:<10}", colour) if colour else f"{state:<10}"
    said = one_line(_said(plan, state))
    return (shown, f" {plan['id']:<{width}}", f"  {said}" if said else "")


def _drift(plan: Mapping[str, Any], state: AttemptState, width: int) -> Iterator[Line]:
    """What a plan at work has changed beside its manifest, and whose that is."""
    if state not in ACTIVE_ATTEMPTS:
        return
    theirs = {row["path"]: row["plan"] for row in plan["drifted_into"]}
    more = [path for path in plan["drift"] if path not in theirs]
    words = [f"{path} (of {other})" for path, other in theirs.items()] + more[:_PATHS]
    if len(more) > _PATHS:
        words.append("…")
    said = [f"changed beside its files: {', '.join(words)}"] if words else []
    said += [f"drift not seen: {plan['drift_unread']}"] if plan["drift_unread"] else []
    for line in said:
        yield (" " * (13 + width), (one_line(line), Colour.YELLOW))


def _said(plan: Mapping[str, Any], state: AttemptState) -> str:
    why = sentence(plan["reason"])
    match state:
        case _A.LANDED:
            unchanged = ", unchanged" if plan["reason"].get("code") == "unchanged" else ""
            return f"as {str(plan['landed_commit'])[:12]}{unchanged}"
        case _A.RUNNING | _A.PREPARING:
            where = f" in {plan['worktree']}" if plan["worktree"] else ""
            at_work = f"since {_moment(plan['started_at'])}{where}"
            return f"{at_work}; {why}" if why else at_work
        case _A.PREPARED:
            return f"in {plan['worktree']}; `planctl queue add {plan['id']}` when it is done"
        case _:
            return why


def _entry(entry: Mapping[str, Any]) -> Line:
    place = str(entry["position"] or "-").rjust(3)
    what = entry["plan"] or entry["branch"]
    why = sentence(entry["reason"])
    return (f"{place} ", f"{entry['state']:<10} ", one_line(what), one_line(f"  {why}") if why else "")


def _resource(row: Mapping[str, Any]) -> Line:
    until = f"  {row['until']}" if row["until"] else ""
    return (one_line(f"  {row['resource']}  {row['amount']}  {row['plan']}{until}"),)


def _leak(leak: Mapping[str, Any]) -> Line:
    said = one_line(f"{leak['path']}  {leak['why']}")
    return ("  ", (said, Colour.YELLOW) if leak["plan"] else said)


def _session(session: Mapping[str, Any]) -> Line:
    silent = "" if session["alive"] else ", its heartbeat is overdue"
    task = f", {session['task']}" if session["task"] else ""
    said = f"{session['kind']} {session['id']} (pid {session['pid']} on {session['host']}){task}{silent}"
    return ("    ", one_line(said))


def _watchdog(watchdog: Mapping[str, Any] | None) -> Line:
    if watchdog is None:
        return (("    no watchdog is at work", Colour.DIM),)
    said = f"    watchdog: {watchdog['kind']} {watchdog['session']} (pid {watchdog['pid']})"
    state = f"paused: {watchdog['paused']}" if watchdog["paused"] else "" if watchdog["alive"] else "it hangs"
    return (one_line(said), (one_line(f"  {state}"), Colour.YELLOW)) if state else (one_line(said),)


def _moment(text: str | None) -> str:
    return f"{text[:10]} {text[11:19]}" if text else "?"
