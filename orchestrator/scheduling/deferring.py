"""From a command that ended badly to a deferred attempt, when it asked to be run again later.

It asks by exit 75 (``EX_TEMPFAIL``), by what it wrote into ``PLANCTL_RETRY_AT``, or, where the agent that it
is is known, by a line that this agent prints when it met a rate limit. Exit 0 is done, whatever was printed.
Until when is taken from the file, else from the newest line that says so, else it is the backoff.

Only what this very command printed last is read: its log is the plan's, and begins with what others said.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestrator.agents.limits import Limit, limit_in
from orchestrator.agents.moments import moment
from orchestrator.agents.profiles import SAID_BY_75
from orchestrator.events import EventName
from orchestrator.running.log import lines_since
from orchestrator.running.records import STARTED, read_record
from orchestrator.running.retryfile import read_retry_at
from orchestrator.running.spec import Outcome
from orchestrator.scheduling.branching import note_tip
from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.deferral import Deferral, deferral
from orchestrator.scheduling.launching import record_dir, stage_number
from orchestrator.scheduling.reasons import Code, reason, sentence
from orchestrator.scheduling.speakers import Speaker, Speakers
from orchestrator.states import AttemptState
from orchestrator.submitting.published import outputs_of
from plans.phrases import MAX_LINE

if TYPE_CHECKING:
    from orchestrator.running.spec import Ended
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan

NOT_NOW: Final = 75
"""``EX_TEMPFAIL``; a check that ends so has no verdict, a resolver no answer."""
_SHOWN: Final = 200


class Asked(NamedTuple):
    """A command asked to be run again: what it met, and who it is."""

    limit: Limit
    speaker: Speaker


def asked(bench: Workbench, attempt: Attempt, plan: Plan, ended: Ended) -> Asked | None:
    """What the command of ``attempt`` asked for by the way it ended; None when it did not."""
    settings = bench.settings.project
    if ended.outcome is not Outcome.EXITED or not ended.exit_code or not settings.rate_limits_holds:
        return None
    speakers = Speakers(settings)
    speaker = speakers.speaker(stages(plan)[stage_number(attempt)].run)
    said = datetime.fromtimestamp(ended.finished, UTC) if ended.finished else _now(bench)
    folder = record_dir(bench, attempt.supervisor or "")
    written = read_retry_at(folder)
    if written:
        return Asked(_shown(Limit(written, moment(written, said))), speaker)
    start = (read_record(str(folder), STARTED) or {}).get("log_from", 0)
    lines = lines_since(outputs_of(bench, plan.id).log, start, MAX_LINE)
    known = speakers.phrases(speaker)
    phrases = (*known, *SAID_BY_75) if ended.exit_code == NOT_NOW else known
    limit = limit_in(lines, phrases, said) if phrases else None
    if limit is None and ended.exit_code == NOT_NOW:
        limit = Limit(lines[-1] if lines else "exit 75", None)
    return None if limit is None else Asked(_shown(limit), speaker)


def _now(bench: Workbench) -> datetime:
    return datetime.fromisoformat(bench.clock.now())


def _shown(limit: Limit) -> Limit:
    return Limit(limit.line[:_SHOWN], limit.until)


def defer(bench: Workbench, attempt: Attempt, asks: Asked) -> dict[str, Any] | None:
    """Have ``attempt`` wait as its command asked; when it may wait no more, the reason that fails it."""
    before, number = Deferral.load(attempt.deferral), stage_number(attempt)
    settings = bench.settings.project
    found = deferral(before, number, asks.limit, asks.speaker, settings, clock=bench.clock)
    if isinstance(found, str):
        return reason(Code.RATE_LIMIT_LASTS, detail=f"{asks.limit.line}; {found}")
    note_tip(bench, attempt)
    why, now = found.reason(), bench.clock.now()
    told = {**why, "seconds_left": round(found.seconds)}
    with bench.store.transaction():
        bench.store.move_attempt(attempt, AttemptState.DEFERRED, reason=why, deferral=found.stored())
        bench.store.emit(
            EventName.PLAN_DEFERRED,
            at=now,
            run=attempt.run,
            plan=attempt.plan,
            reason=told,
            text=sentence(told),
            count=found.count,
        )
    return None
