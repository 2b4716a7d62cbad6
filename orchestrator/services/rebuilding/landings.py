"""Whose a landing was, and the entries and intents that landings leave behind: pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.states import EntryState, IntentState
from orchestrator.store.records import Entry, Intent
from orchestrator.submitting.key import LANDED, landed_folder, landing_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.services.rebuilding.evidence import Evidence, FrozenRun, Landed
    from orchestrator.store.records import Attempt
    from plans.model import Plan


def landing_of(evidence: Evidence, run: FrozenRun, plan: Plan) -> Landed | None:
    """The newest landing of ``plan`` that came from ``run``; one that names no run is the newest run's."""
    own = [landing for landing in evidence.landings if plan_of(evidence, landing) == plan.id]
    found = [landing for landing in own if _run_of(evidence, landing, plan) == run.id]
    return max(found, key=lambda landing: (landing.on_target, landing.at), default=None)


def plan_of(evidence: Evidence, landing: Landed) -> str | None:
    """The plan that landed, None for a branch that was queued by hand."""
    if landing.plan is not None:
        return landing.plan
    plans = {str(plan.id) for run in evidence.runs for plan in run.plans}
    slug = [plan for plan in sorted(plans) if landed_folder(LANDED, plan).endswith(f"/{landing.slug}")]
    exact = [plan for plan in slug if landing_key(evidence.target, plan, landing.head) == landing.key]
    return next(iter(exact or slug), None)


def _run_of(evidence: Evidence, landing: Landed, plan: Plan) -> str | None:
    runs = [run.id for run in evidence.runs if plan.id in {p.id for p in run.plans}]
    return landing.run if landing.run in runs else max(runs, default=None)


def landed_entry(evidence: Evidence, landing: Landed, attempts: Mapping[str, Attempt]) -> Entry:
    """The entry of a landing. No verdict is known any more, so it counts as unchecked."""
    attempt, plan = attempts.get(landing.key), plan_of(evidence, landing)
    cut_short = landing.candidate and not landing.on_target
    return Entry(
        id=landing.key,
        plan=plan,
        branch=attempt.branch if attempt else landing.slug,
        target=evidence.target,
        head=landing.head,
        base=attempt.base or landing.old if attempt else landing.old,
        queued_at=landing.at,
        sequence=0,
        priority=attempt.priority if attempt else 50,
        state=EntryState.LANDING if cut_short else EntryState.LANDED,
        run=attempt.run if attempt else None,
        attempt=attempt.id if attempt else None,
        candidate=landing.commit if cut_short else None,
        landed_commit=None if cut_short else landing.commit,
        unchecked=not cut_short,
        finished_at=None if cut_short else landing.at,
    )


def intents_of(evidence: Evidence) -> tuple[Intent, ...]:
    """What recovery and ``status`` look at: one open intent at most, for a landing that was cut short."""
    intents, is_open = [], False
    for landing in evidence.landings:
        cut_short = landing.candidate and not landing.on_target
        if cut_short and is_open:
            continue
        if not (cut_short or landing.on_target):
            continue
        is_open |= cut_short
        intents.append(
            Intent(
                id=f"rebuilt-{landing.key}",
                members={landing.key: landing.commit},
                target=evidence.target,
                old=landing.old,
                new=landing.commit,
                epoch="",
                created_at=landing.at,
                state=IntentState.OPEN if cut_short else IntentState.DONE,
            )
        )
    return tuple(intents)
