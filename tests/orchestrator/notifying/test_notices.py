"""Which events people are told of, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.events import EventName
from orchestrator.notifying.notices import Notice, is_news, notice_of
from orchestrator.notifying.notifier import chosen
from orchestrator.notifying.sending import TRIES, judged
from orchestrator.running.errand import Ran
from orchestrator.states import DeliveryState
from orchestrator.store.records import StoredEvent
from plans.notify import Channel, Told, Way


def event(name: str, plan: str | None = "api", **data: Any) -> StoredEvent:
    return StoredEvent(1, "2026-11-21T00:00:00.000Z", name, "r1", plan, data)


@pytest.mark.parametrize(
    ("happened", "kind", "title", "text"),
    [
        (
            event("entry.landed", entry="e1", landed_commit="a" * 40, unchecked=True),
            Told.LANDED,
            "planctl: api landed",
            "at aaaaaaaaaa, unchecked",
        ),
        (
            event("plan.failed", reason={"code": "exit", "detail": "exit 3"}, state="failed"),
            Told.FAILED,
            "planctl: api failed",
            "exit 3",
        ),
        (
            event("plan.failed", reason={"code": "timeout"}, state="timed_out"),
            Told.FAILED,
            "planctl: api ran out of time",
            "timeout",
        ),
        (
            event(
                "entry.conflicted", None, entry="e1", branch="x", code="conflict", paths=["a", "b", "c", "d"]
            ),
            Told.CONFLICTED,
            "planctl: x conflicts with what landed before",
            "conflict: a, b, c",
        ),
        (
            event("entry.rejected", entry="e1", code="check-red", detail="make test: exit 2"),
            Told.REJECTED,
            "planctl: api was refused: its check is red",
            "make test: exit 2",
        ),
        (
            event("entry.held", entry="e1", code="policy", detail="it changes check"),
            Told.WAITING,
            "planctl: api is held for you",
            "it changes check",
        ),
        (
            event("entry.blocked", entry="e1", code="checkout"),
            Told.WAITING,
            "planctl: api waits for a checkout",
            "checkout",
        ),
        (
            event("queue.paused", None, target="refs/heads/main", why="red", commit="c"),
            Told.WAITING,
            "planctl: the queue of main stands still",
            "red",
        ),
        (
            event("watchdog.ended-many", None, count=4),
            Told.CLEANED,
            "planctl: 4 processes were ended",
            "left over by sessions that are gone",
        ),
    ],
    ids=lambda value: value.event if isinstance(value, StoredEvent) else "",
)
def test_s4_8_what_people_are_told(happened: StoredEvent, kind: Told, title: str, text: str) -> None:
    notice = notice_of(happened)
    assert notice is not None
    assert (notice.kind, notice.title, notice.text) == (kind, title, text)


@pytest.mark.parametrize(
    "happened",
    [
        event("queue.paused", None, target="refs/heads/main", why="a person's word"),
        event("queue.paused", None, target="refs/heads/main", why="a person's word", below=60.0),
        event("plan.landed", commit="c"),
        event("plan.lost"),
        event("entry.queued", entry="e1"),
        event("watchdog.paused", None, why="x"),
        *(event("watchdog.ended-many", None, count=count) for count in (3, 0, None, "9")),
        *(
            event(name)
            for name in EventName
            if name != EventName.PLAN_FAILED and not name.startswith("watchdog.")
        ),
    ],
    ids=lambda e: e.event,
)
def test_s3_6_s4_8_what_nobody_is_told(happened: StoredEvent) -> None:
    assert notice_of(happened) is None


def test_s4_8_what_a_plan_says_cannot_leave_its_line() -> None:
    nasty = "x\n\x1b[31m\u202e\udcff" + "y" * 5000
    notice = notice_of(event("plan.failed", "api\n-rf", reason={"detail": nasty}))
    assert notice is not None
    for said in (notice.title, notice.text):
        assert said.isprintable()
        assert len(said) <= 300
        said.encode("utf-8")
    assert notice.title.startswith("planctl: api")


def test_s4_8_who_waits_is_told_of_once_as_long_as_it_waits_for_the_same() -> None:
    def waits(code: str) -> Notice:
        return Notice(Told.WAITING, "entry e1", "t", "x", code)

    assert is_news(waits("checkout"), None)
    assert not is_news(waits("checkout"), ("waiting", "checkout"))
    assert is_news(waits("policy"), ("waiting", "checkout"))
    assert is_news(waits("checkout"), ("conflicted", "conflict"))
    assert is_news(Notice(Told.LANDED, "entry e1", "t", "x"), ("landed", ""))


HOOK, DESK, RUNS = (
    Channel(Way.WEBHOOK, url="http://x"),
    Channel(Way.DESKTOP),
    Channel(Way.COMMAND, argv=("x",)),
)


@pytest.mark.parametrize(
    ("channel", "ran", "tries", "state", "detail"),
    [
        (HOOK, Ran(0, "204"), 1, DeliveryState.SENT, "204"),
        (HOOK, Ran(75, "503 busy"), 1, DeliveryState.PENDING, "503 busy"),
        (HOOK, Ran(75, "503 busy"), TRIES, DeliveryState.FAILED, "503 busy"),
        (HOOK, Ran(None, "", timed_out=True), 1, DeliveryState.PENDING, "it ran out of time"),
        (HOOK, Ran(1, "404 no"), 1, DeliveryState.FAILED, "404 no"),
        (RUNS, Ran(75, "later"), 1, DeliveryState.FAILED, "exit 75: later"),
        (RUNS, Ran(3, ""), 1, DeliveryState.FAILED, "exit 3"),
        (RUNS, Ran(None, "x: not found"), 1, DeliveryState.FAILED, "x: not found"),
        (DESK, Ran(None, "", timed_out=True), 1, DeliveryState.FAILED, "it ran out of time"),
    ],
)
def test_s4_8_only_a_webhook_is_tried_again_and_only_so_often(
    channel: Channel, ran: Ran, tries: int, state: DeliveryState, detail: str
) -> None:
    assert judged(channel, ran, tries) == (state, detail)


def test_s4_8_the_user_chooses_among_the_channels_of_the_repository() -> None:
    channels = {"team": HOOK, "log": RUNS}
    assert chosen(channels, ()) == channels
    assert chosen(channels, ["none"]) == {}
    assert chosen(channels, ["log", "other"]) == {"log": RUNS}
    assert chosen(channels, ["desktop, team"]) == {"desktop": DESK, "team": HOOK}
    assert chosen({}, ["desktop"]) == {"desktop": DESK}
    assert chosen({"desktop": RUNS}, ["desktop"]) == {"desktop": RUNS}


def test_s4_8_each_standstill_of_the_queue_is_told() -> None:
    """It went on in between, and stands still again: that is not the same wait."""
    paused = event("queue.paused", None, target="refs/heads/main", why="target-red", commit="c" * 40)
    first, second = notice_of(paused), notice_of(replace(paused, sequence=2))
    assert first is not None
    assert second is not None
    assert is_news(first, None)
    assert first.subject != second.subject
