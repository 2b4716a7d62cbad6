"""Figures as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.cli.display.calibration import calibration_lines
from orchestrator.cli.display.leases import lasting
from orchestrator.cli.output import Colour
from orchestrator.services.metrics import per_hour
from orchestrator.states import EntryState
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.cli.output import Part
    from orchestrator.services.metrics import Metrics

Line = tuple["Part", ...]
_NOTHING: Final = "-"
_SHORT: Final = 10.0
_WIDEST: Final = 40
_MOST: Final = 20
"""Sessions that are shown; JSON has all."""
_SPANS: Final = {
    "plan": "plan at work",
    "queue": "queued to landed",
    "check": "check",
    "task": "task",
}


def lines(metrics: Metrics) -> Iterator[Line]:
    """All tables; those with nothing in them are left out."""
    since = f"since {metrics.since}" if metrics.since else "of all that is remembered"
    yield (f"figures {since}, at {metrics.at}",)
    yield from _table("plans, by their newest attempt", ("state", "plans"), _counts(metrics.plans))
    yield from _table("landings", ("", ""), _landings(metrics))
    yield from _table("durations", ("", "times", "median", "p95", "in all"), _durations(metrics))
    waits = sorted(metrics.waits, key=lambda one: -one.seconds)
    rows = [(w.label, str(w.times), lasting(w.seconds), _time(w.seconds / w.times)) for w in waits]
    yield from _table("waits of plans that have ended", ("reason", "times", "in all", "mean"), rows)
    yield from _table("queue now", ("", ""), _queue(metrics))
    yield from _table("checks", ("", ""), _checks(metrics))
    for target, found in metrics.estimates.items():
        yield from calibration_lines(f"estimates of what lands on {one_line(target)}", found)
    yield from _velocity(metrics)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Line]:
    """The first column to the left, figures to the right."""
    if not rows:
        return
    cells = [[one_line(cell)[:_WIDEST] for cell in row] for row in ([head, *rows] if any(head) else rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    yield ("",)
    yield ((title, Colour.BOLD),)
    for row in cells:
        first, *others = row
        shown = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
        yield (f"  {'  '.join(shown)}".rstrip(),)


def _counts(values: object) -> list[tuple[str, str]]:
    assert isinstance(values, dict)
    return [(key, str(count)) for key, count in sorted(values.items()) if count]


def _landings(metrics: Metrics) -> list[tuple[str, str]]:
    states = (EntryState.LANDED, EntryState.CONFLICTED, EntryState.REJECTED, EntryState.HELD)
    rows = [(str(state), str(metrics.entries(state))) for state in states if metrics.entries(state)]
    if metrics.landed_ratio is not None:
        rows.append(("landed of all decided", f"{metrics.landed_ratio:.1%}"))
    if rows and metrics.landings_per_day is not None:
        rows.append(("landed a day", f"{metrics.landings_per_day:.1f}"))
    return rows


def _durations(metrics: Metrics) -> list[tuple[str, ...]]:
    return [
        (name, str(one.count), _time(one.median), _time(one.p95), lasting(one.seconds))
        for kind, name in _SPANS.items()
        if (one := metrics.spans[kind]).count
    ]


def _queue(metrics: Metrics) -> list[tuple[str, str]]:
    rows = _counts(dict(metrics.queue))
    return [*rows, ("age of the oldest", lasting(metrics.oldest_seconds))] if rows else []


def _checks(metrics: Metrics) -> list[tuple[str, str]]:
    words = {"green": "green", "red": "red", "none": "without a verdict"}
    counts = {words[verdict]: count for verdict, count in metrics.verdicts.items()}
    counts["reused"] = metrics.events.get("check.reused", 0)
    counts["stopped"] = metrics.events.get("check.stopped", 0)
    return [(name, str(count)) for name, count in counts.items() if count]


def _velocity(metrics: Metrics) -> Iterator[Line]:
    """The sessions that did most; those of runs alone have no tasks."""
    best = sorted(metrics.done, key=lambda d: (-d.tasks, -d.landed, d.session))
    rows = [
        (
            d.agent or d.session,
            ", ".join(d.labels) or _NOTHING,
            str(d.tasks),
            _rate(d.tasks_per_hour),
            str(d.landed),
        )
        for d in best[:_MOST]
    ]
    more = f" ({_MOST} of {len(best)})" if len(best) > _MOST else ""
    head = ("session", "labels", "tasks", "tasks/h", "landed")
    yield from _table(f"velocity of sessions{more}", head, rows)
    by_label = [
        (one.label, str(one.times), _rate(per_hour(one.times, one.seconds))) for one in metrics.labels
    ]
    yield from _table("velocity by label", ("label", "tasks", "tasks/h"), by_label)


def _rate(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _NOTHING
    return f"{seconds:.1f} s" if seconds < _SHORT else lasting(seconds)
