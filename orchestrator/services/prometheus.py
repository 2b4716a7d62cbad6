"""Figures in Prometheus' text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/.

Counters only rise as long as the store lives (a store that is rebuilt begins anew, which is a reset). Each
sample has the label ``repository``, so that several repositories can be written into one folder of a node
exporter. Sessions are no label: each would be a series of its own for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.services.metrics import IN_QUEUE, Metrics, Spread
from orchestrator.states import AttemptState, EntryState
from orchestrator.store.measures import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Sample = tuple[str, dict[str, str], float]
"""What is added to the family's name, labels, value."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: ``kind`` is counter, gauge or summary."""

    name: str
    kind: str
    doc: str
    samples: Callable[[Metrics], list[Sample]]


def _one(value: float) -> list[Sample]:
    return [("", {}, value)]


def _each(label: str, values: Mapping[str, float]) -> list[Sample]:
    return [("", {label: key}, value) for key, value in sorted(values.items())]


def _entries(state: EntryState) -> Callable[[Metrics], list[Sample]]:
    return lambda metrics: _one(metrics.entries(state))


def _event(name: str) -> Callable[[Metrics], list[Sample]]:
    return lambda metrics: _one(metrics.events.get(name, 0))


def _spread(kind: str) -> Callable[[Metrics], list[Sample]]:
    def samples(metrics: Metrics) -> list[Sample]:
        one: Spread = metrics.spans[kind]
        quantiles = (("0.5", one.median), ("0.95", one.p95))
        return [
            *(("", {"quantile": q}, math.nan if value is None else value) for q, value in quantiles),
            ("_sum", {}, one.seconds),
            ("_count", {}, one.count),
        ]

    return samples


FAMILIES: Final = (
    Family(
        "planctl_plans",
        "gauge",
        "Plans by the state of their newest attempt.",
        lambda m: _each("state", {**dict.fromkeys(map(str, AttemptState), 0), **m.plans}),
    ),
    Family(
        "planctl_attempts_ended_total",
        "counter",
        "Attempts that are over for good, by their last state.",
        lambda m: _each("state", {**dict.fromkeys(TERMINAL, 0), **m.ended}),
    ),
    Family(
        "planctl_plan_duration_seconds",
        "summary",
        "Time from the start of an attempt to the good end of its command.",
        _spread("plan"),
    ),
    Family(
        "planctl_plan_waits_total",
        "counter",
        "Waits of plans that have ended, by reason.",
        lambda m: _each("reason", {one.label: one.times for one in m.waits}),
    ),
    Family(
        "planctl_plan_wait_seconds_total",
        "counter",
        "Time that plans have waited, by reason.",
        lambda m: _each("reason", {one.label: one.seconds for one in m.waits}),
    ),
    Family(
        "planctl_queue_entries",
        "gauge",
        "Entries of the merge queue that have not come through, by state.",
        lambda m: _each("state", {str(state): m.queue.get(str(state), 0) for state in IN_QUEUE}),
    ),
    Family(
        "planctl_queue_oldest_age_seconds",
        "gauge",
        "Age of the oldest of these entries; 0 without any.",
        lambda m: _one(m.oldest_seconds),
    ),
    Family(
        "planctl_queue_duration_seconds",
        "summary",
        "Time from queueing to landing.",
        _spread("queue"),
    ),
    Family("planctl_landings_total", "counter", "Entries that landed.", _entries(EntryState.LANDED)),
    Family(
        "planctl_conflicts_total",
        "counter",
        "Entries that did not merge.",
        _entries(EntryState.CONFLICTED),
    ),
    Family(
        "planctl_rejections_total",
        "counter",
        "Entries that were ejected because their check was red.",
        _entries(EntryState.REJECTED),
    ),
    Family("planctl_holds_total", "counter", "Entries held for a person.", _entries(EntryState.HELD)),
    Family(
        "planctl_blocks_total",
        "counter",
        "Entries that a checkout was in the way of.",
        _entries(EntryState.BLOCKED),
    ),
    Family(
        "planctl_landed_ratio",
        "gauge",
        "Landings among all landings, conflicts and rejections; NaN before the first.",
        lambda m: _one(math.nan if m.landed_ratio is None else m.landed_ratio),
    ),
    Family(
        "planctl_estimate_brier_score",
        "gauge",
        "Mean square of the estimated chance to land minus what came, of the last entries; less is better.",
        lambda m: [
            ("", {"target": target, "told": told}, score)
            for target, one in m.estimates.items()
            for told, score in (("estimate", one.brier), ("base_rate", one.usual))
        ],
    ),
    Family(
        "planctl_estimates",
        "gauge",
        "Of the last entries those estimated to land with less than this chance, by what came.",
        lambda m: [
            ("", {"target": target, "chance": f"{bucket.high:g}", "outcome": outcome}, count)
            for target, one in m.estimates.items()
            for bucket in one.buckets
            for outcome, count in (("landed", bucket.landed), ("rejected", bucket.count - bucket.landed))
        ],
    ),
    Family(
        "planctl_checks_total",
        "counter",
        "Checks that ran, by verdict; none: it blames nobody.",
        lambda m: _each("verdict", dict(m.verdicts)),
    ),
    Family(
        "planctl_check_duration_seconds",
        "summary",
        "Time that checks took.",
        _spread("check"),
    ),
    Family(
        "planctl_checks_reused_total",
        "counter",
        "Verdicts of earlier checks that were enough.",
        _event("check.reused"),
    ),
    Family(
        "planctl_checks_stopped_total",
        "counter",
        "Checks ahead of their turn that were stopped.",
        _event("check.stopped"),
    ),
    Family(
        "planctl_tasks_completed_total",
        "counter",
        "Tasks that sessions completed.",
        _event("task.completed"),
    ),
    Family(
        "planctl_task_duration_seconds", "summary", "Time that sessions worked on tasks.", _spread("task")
    ),
    Family(
        "planctl_label_tasks_completed_total",
        "counter",
        "Completed tasks, by each label of the session; one with two labels counts for both.",
        lambda m: _each("label", {one.label: one.times for one in m.labels}),
    ),
    Family(
        "planctl_label_task_seconds_total",
        "counter",
        "Time that sessions worked on completed tasks, by each label of the session.",
        lambda m: _each("label", {one.label: one.seconds for one in m.labels}),
    ),
    Family("planctl_sessions", "gauge", "Sessions that have not ended.", lambda m: _one(m.living)),
    Family(
        "planctl_leases_lost_total",
        "counter",
        "Leases that were taken from their holder.",
        _event("lease.lost"),
    ),
)
"""Everything that is exposed, in the order of the page ``docs/metrics.md``."""


def exposition(metrics: Metrics, repository: str) -> bytes:
    """The whole answer, in UTF-8."""
    text = "".join(_lines(metrics, repository))
    return text.encode()


def _lines(metrics: Metrics, repository: str) -> Iterator[str]:
    for family in FAMILIES:
        yield f"# HELP {family.name} {_escaped(family.doc)}\n# TYPE {family.name} {family.kind}\n"
        for suffix, labels, value in family.samples(metrics):
            inside = ",".join(
                f'{key}="{_quoted(text)}"' for key, text in {"repository": repository, **labels}.items()
            )
            yield f"{family.name}{suffix}{{{inside}}} {_number(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    r"""What is not UTF-8 becomes the text ``\udcff`` before it is escaped: ``\u`` is no escape there."""
    return _escaped(text.encode("utf-8", "backslashreplace").decode()).replace('"', r"\"")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) else repr(round(value, 6))
