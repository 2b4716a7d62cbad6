"""How long an attempt is deferred whose command met a rate limit, and when that is over: pure.

A deferral is of one stage of an attempt. Its time was said as wall time, and is kept as uptime of this boot
as well: while the machine runs, that one counts, and a jump of the wall clock changes nothing. After a
reboot wall time is all there is; then it lasts no longer than it was to last when it began.

Where no time was said it is the backoff: ``first`` of planctl.yaml, doubled each time, ``longest`` at most. A
time that was said is kept to; only where it has turned out too early before, it is at least one second,
doubled each time, so that no command is run over and over.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import seconds_between
from orchestrator.scheduling.reasons import Code, reason
from orchestrator.states import AttemptState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.agents.limits import Limit
    from orchestrator.clock import Clock
    from orchestrator.scheduling.reasons import Reason
    from orchestrator.scheduling.speakers import Speaker
    from orchestrator.store.records import Attempt
    from plans.project import ProjectSettings

_SHORTEST: Final = 1.0
_DOUBLINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Deferral:
    """Stage ``stage`` is held for the ``count``-th time, for ``seconds``, in all its holds for ``total``.

    ``until`` is wall time, ``uptime`` the same on the clock of ``boot``. ``line`` says so; ``agent`` and
    ``profile`` are whose it is, where that is known. ``is_over``: a person ended it.
    """

    stage: int
    count: int
    seconds: float
    total: float
    until: str
    uptime: float
    boot: str
    line: str
    agent: str | None = None
    profile: str | None = None
    is_over: bool = False

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Deferral | None:
        """What is stored with an attempt, None for one that was never deferred."""
        return cls(**stored) if stored else None

    def stored(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def left(self, clock: Clock) -> float:
        """Seconds until it is over; 0 when it is."""
        if self.is_over:
            return 0.0
        if self.boot == clock.boot():
            return max(0.0, self.uptime - clock.uptime())
        return min(self.seconds, max(0.0, seconds_between(clock.now(), self.until)))

    def reason(self, plan: str | None = None) -> Reason:
        """Why the attempt waits, or why others wait along with that of ``plan``."""
        more = {"profile": self.profile} if self.profile else {}
        return reason(Code.RATE_LIMIT, plan, self.line, until=self.until, **more)

    def ended(self) -> Deferral:
        """The same, ended by a person."""
        return replace(self, is_over=True)


def with_time_left(attempt: Attempt, clock: Clock) -> dict[str, Any]:
    """The attempt's reason; where it is a rate limit, with the ``seconds_left`` of the wait."""
    why = dict(attempt.reason)
    if why.get("code") != Code.RATE_LIMIT:
        return why
    known = Deferral.load(attempt.deferral) if attempt.state is AttemptState.DEFERRED else None
    wall = seconds_between(clock.now(), why["until"])
    return {**why, "seconds_left": round(known.left(clock) if known else max(0.0, wall))}


def count_of(stored: Mapping[str, Any], stage: int) -> int:
    """How often that stage of an attempt has been deferred."""
    known = Deferral.load(stored)
    return known.count if known is not None and known.stage == stage else 0


def deferral(
    before: Deferral | None,
    stage: int,
    limit: Limit,
    speaker: Speaker,
    settings: ProjectSettings,
    *,
    clock: Clock,
) -> Deferral | str:
    """The deferral that follows, or in words why there is none any more."""
    count, total = (before.count, before.total) if before is not None and before.stage == stage else (0, 0.0)
    if count >= settings.rate_limits_holds:
        return f"held {count} times already (rate_limits: holds)"
    now = datetime.fromisoformat(clock.now())
    seconds = _seconds(count, limit.until, now, settings)
    if total + seconds > settings.rate_limits_total:
        hours = (total + seconds) / 3600
        return f"that would make {hours:.1f} hours of waiting in all (rate_limits: total)"
    until = (now + timedelta(seconds=seconds)).astimezone(UTC).isoformat(timespec="seconds")
    return Deferral(
        stage=stage,
        count=count + 1,
        seconds=seconds,
        total=total + seconds,
        until=until.replace("+00:00", "Z"),
        uptime=clock.uptime() + seconds,
        boot=clock.boot(),
        line=limit.line,
        agent=speaker.agent,
        profile=speaker.profile,
    )


def _seconds(count: int, until: datetime | None, now: datetime, settings: ProjectSettings) -> float:
    least = settings.rate_limits_first if until is None else _SHORTEST
    backoff = min(least * 2.0 ** min(count, _DOUBLINGS), settings.rate_limits_longest)
    return backoff if until is None else max((until - now).total_seconds(), backoff)
