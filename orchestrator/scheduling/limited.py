"""Who has to wait for the end of a rate limit: those that met it, and those that would meet it as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.deferral import Deferral
from orchestrator.states import AttemptState
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.clock import Clock
    from orchestrator.scheduling.reasons import Reason
    from orchestrator.scheduling.speakers import Speaker, Speakers
    from orchestrator.store.records import Attempt
    from plans.model import Plan
    from plans.project import ShareLimit

_TO_START = frozenset({AttemptState.PENDING, AttemptState.WAITING})


def limited(
    newest: Mapping[PlanId, Attempt],
    deferred: Sequence[Attempt],
    speakers: Mapping[PlanId, Speaker],
    share: ShareLimit,
    clock: Clock,
) -> dict[PlanId, Reason]:
    """Why plans of a run wait; ``deferred`` are such attempts of any run, ``speakers`` begin the plans."""
    running = [(a, d) for a in deferred if (d := Deferral.load(a.deferral)) and d.left(clock) > 0]
    found = {PlanId(a.plan): d.reason() for a, d in running if newest.get(PlanId(a.plan)) == a}
    for plan, attempt in newest.items():
        speaker = speakers.get(plan)
        if attempt.state not in _TO_START or speaker is None:
            continue
        along = [(d.left(clock), a, d) for a, d in running if speaker.shares_with(d.agent, d.profile, share)]
        if along:
            _, other, longest = max(along, key=lambda row: (row[0], row[1].id))
            found[plan] = longest.reason(other.plan)
    return found


def first_speakers(plans: Mapping[PlanId, Plan], speakers: Speakers) -> dict[PlanId, Speaker]:
    """Who begins each plan; those without a command are left out."""
    return {name: speakers.speaker(chain[0].run) for name, plan in plans.items() if (chain := stages(plan))}
