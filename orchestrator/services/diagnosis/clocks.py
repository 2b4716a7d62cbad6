"""The wall clock beside what the store has noted: nothing depends on it, but people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.clock import seconds_between
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.services.diagnosis.ward import Ward

SLACK: Final = 30.0
"""Seconds that the clocks may go apart: what NTP corrects in days, and a slow machine between two looks."""


def examine_clock(ward: Ward) -> Examined:
    """Whether the store has seen the future, and whether wall and monotonic time went apart meanwhile."""
    now = ward.clock.now()
    return Examined("clock", f"it is {now}", (*_ahead(ward, now), *_apart(ward, now)))


def _ahead(ward: Ward, now: str) -> Iterator[Issue]:
    newest = max(_stamps(ward), default="")
    if newest and (ahead := seconds_between(now, newest)) > SLACK:
        detail = f"the newest time in the store is {newest}, {ahead:.0f} seconds from now"
        yield Issue("clock-behind", Gravity.WARNING, "wall clock", detail)


def _stamps(ward: Ward) -> Iterator[str]:
    for session in ward.store.sessions():
        yield from (session.started_at, session.heartbeat_at)
    for run in ward.store.runs():
        yield from (run.started_at, run.finished_at or "")


def _apart(ward: Ward, now: str) -> Iterator[Issue]:
    """By what was stamped with both clocks on this boot: leases that are held, tasks that are worked on."""
    boot, monotonic = ward.clock.boot(), ward.clock.monotonic()
    pairs = [(x.acquired_at, x.since) for x in ward.store.leases() if x.boot == boot and x.since]
    tasks = ward.store.tasks()
    pairs += [(t.started_at or t.claimed_at or "", t.began) for t in tasks if t.boot == boot and t.began]
    for stamp, since in sorted(pairs, key=lambda pair: pair[1], reverse=True):
        if stamp and abs(apart := seconds_between(stamp, now) - (monotonic - since)) > SLACK:
            detail = f"by {apart:+.0f} seconds since {stamp}, or the machine slept"
            yield Issue("clock-jumped", Gravity.HINT, "wall clock", detail)
            return
