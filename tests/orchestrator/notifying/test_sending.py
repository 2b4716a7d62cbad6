"""From events to a receiver on this machine: once, in time, and never in anybody's way."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock, boot_id, host
from orchestrator.notifying.errands import signed
from orchestrator.notifying.log import NotifyLog
from orchestrator.notifying.outbox import SEEN, STALE, Outbox
from orchestrator.notifying.sending import TRIES, Post, Sender
from orchestrator.sessions.identity import started
from orchestrator.states import DeliveryState, SessionState
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.protocol import Store
from orchestrator.store.sqlite.opening import open_sqlite
from plans.notify import Channel, Told, Way
from tests.support.clock import FakeClock
from tests.support.receiver import (
    Behaviour,
    Receiver,
    answering,
    closed_port,
    closing,
    dripping,
    hanging,
    receiving,
)
from tests.support.records import a_session
from tests.support.repo import GitRepo
from worktrees.repository import Repository, find

D = DeliveryState


@pytest.fixture
def repository(repo: GitRepo) -> Repository:
    return find(repo.path)


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class Desk:
    """One channel of one process, with a clock that the test moves."""

    def __init__(self, repository: Repository, channel: Channel, store: Store | None = None) -> None:
        self.clock, self.store, self.channel = FakeClock(), store or MemoryStore(), channel
        self.repository = repository
        self.outbox = Outbox(self.store, self.clock, {"team": channel})
        self.outbox.begin()
        self.sender = self.another("s1")

    def another(self, session: str, clock: FakeClock | None = None, **environ: str) -> Sender:
        log = NotifyLog(self.repository.state_dir, self.clock)
        env = {**os.environ, **environ}
        post = Post(self.repository, self.store, clock or self.clock, session, env, log)
        return Sender("team", self.channel, post, lambda: 60.0)

    def happen(self, entry: str = "e1", event: str = "entry.landed", **data: object) -> None:
        self.store.emit(event, at=self.clock.now(), plan="api", entry=entry, landed_commit="a" * 40, **data)

    def states(self) -> list[D]:
        return [delivery.state for delivery in self.store.deliveries()]

    @property
    def log(self) -> str:
        path = self.repository.state_dir / "logs/notify.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


def webhook(url: str, **more: object) -> Channel:
    return replace(Channel(Way.WEBHOOK, url=url), **more)  # type: ignore[arg-type]


def test_s4_8_an_event_is_posted_once_however_often_it_is_looked_at(repository: Repository) -> None:
    with receiving() as receiver:
        post = Desk(repository, webhook(receiver.url))
        post.happen()
        for _ in range(3):
            assert Outbox(post.store, post.clock, {"team": post.channel}).fill() in (0, 1)
            post.another("s2").round()
    (body,) = receiver.bodies
    assert body["kind"] == "landed"
    assert body["title"] == "planctl: api landed"
    assert (body["plan"], body["entry"], body["event"]) == ("api", "e1", "entry.landed")
    assert body["repository"] == str(repository.primary_top)
    assert receiver.posts[0][0]["webhook-id"] == body["id"]
    assert receiver.posts[0][0]["content-type"] == "application/json"
    assert post.states() == [D.SENT]
    assert "team sent planctl: api landed" in post.log


def test_s4_8_what_happened_before_anybody_listened_or_long_ago_is_not_told(repository: Repository) -> None:
    channel = webhook(closed_port())
    store = MemoryStore()
    store.emit("entry.landed", at=FakeClock().now(), entry="e0", plan="api")
    post = Desk(repository, channel, store)
    post.happen("e1", "entry.held", code="policy")
    post.clock.advance(STALE + 1)
    post.happen("e2")
    assert post.outbox.fill() == 1
    assert [d.notice["entry"] for d in store.deliveries()] == ["e2"]


def test_s4_8_much_that_nobody_is_told_of_hides_nothing(repository: Repository) -> None:
    """Nothing is written for it, so another process looks at it too, and both come to what is behind it."""
    post = Desk(repository, webhook("http://x"))
    for _ in range(1500):
        post.happen(event="entry.queued")
    assert (post.outbox.fill(), post.store.value(SEEN)) == (0, "0")
    post.happen("e1")
    assert post.outbox.fill() == 1
    other = Outbox(post.store, post.clock, {"team": post.channel})
    assert other.fill() == 0
    post.happen("e2")
    assert (other.fill(), post.outbox.fill()) == (1, 0)


def test_s4_8_a_channel_is_told_what_it_wants_and_of_a_wait_once(repository: Repository) -> None:
    post = Desk(repository, webhook("http://x", on=(Told.WAITING,)))
    post.happen("e1")
    for _ in range(3):
        post.happen("e1", "entry.blocked", code="checkout")
        post.happen("e1", "entry.queued")
    post.happen("e2", "entry.blocked", code="checkout")
    post.happen("e1", "entry.held", code="policy")
    post.outbox.fill()
    assert [(d.notice["entry"], d.code) for d in post.store.deliveries()] == [
        ("e1", "checkout"),
        ("e2", "checkout"),
        ("e1", "policy"),
    ]


def test_s4_8_a_signature_is_that_of_standard_webhooks(repository: Repository) -> None:
    key = base64.b64encode(b"k" * 24).decode()
    channel_env = {"TEAM_SECRET": f"whsec_{key}"}
    with receiving() as receiver:
        post = Desk(repository, webhook(receiver.url, secret_env="TEAM_SECRET"))
        post.happen()
        post.outbox.fill()
        post.another("s1").round()
        assert post.states() == [D.PENDING], "without the secret nothing is sent; another process may have it"
        post.another("s2", **channel_env).round()
    ((headers, body),) = receiver.posts
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"k" * 24, said, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert key not in post.log


def test_s4_8_the_signature_of_the_standards_own_example() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, its specification."""
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        "2021-02-25T19:10:30.000Z",
    )
    assert headers["webhook-timestamp"] == "1614280230"
    plain = signed("any words", "m", b"{}", "2021-02-25T19:10:30.000Z")["webhook-signature"]
    by_hand = hmac.new(b"any words", b"m.1614280230.{}", hashlib.sha256).digest()
    assert plain == f"v1,{base64.b64encode(by_hand).decode()}"


@pytest.mark.parametrize(
    ("behave", "what"),
    [(answering(500), "500"), (answering(429), "429"), (closing, "Remote end closed"), (None, "refused")],
)
def test_s4_8_a_receiver_in_trouble_is_asked_again(
    repository: Repository, behave: Behaviour | None, what: str
) -> None:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(receiving(behave)).url if behave else closed_port()
        post = Desk(repository, webhook(url))
        post.happen()
        post.outbox.fill()
        post.sender.round()
    (delivery,) = post.store.deliveries()
    assert (delivery.state, delivery.tries) == (D.PENDING, 1)
    assert what in delivery.detail


def test_s4_8_it_is_asked_so_often_with_longer_rests_and_one_id(repository: Repository) -> None:
    with receiving(answering(500)) as receiver:
        post = Desk(repository, webhook(receiver.url))
        post.happen()
        post.outbox.fill()
        rests = []
        while D.PENDING in post.states():
            before = post.clock.monotonic()
            while post.sender._rests_until > post.clock.monotonic():
                post.sender.round()  # it rests: nothing is sent
                post.clock.advance(1)
            rests.append(post.clock.monotonic() - before)
            post.sender.round()
    (delivery,) = post.store.deliveries()
    assert (delivery.state, delivery.tries) == (D.FAILED, TRIES)
    assert rests == sorted(rests)
    assert rests[-1] > 60
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 1
    assert len(receiver.posts) == TRIES


def test_s4_8_a_receiver_that_comes_back_gets_what_waited_in_order(repository: Repository) -> None:
    with receiving(answering(503, 204)) as receiver:
        post = Desk(repository, webhook(receiver.url))
        post.happen("e1")
        post.happen("e2")
        post.outbox.fill()
        post.sender.round()
        assert post.states() == [D.PENDING, D.PENDING], "the second was not tried beside the first"
        post.clock.advance(3)
        post.sender.round()
    assert [body["entry"] for body in receiver.bodies] == ["e1", "e1", "e2"]
    assert post.states() == [D.SENT, D.SENT]


@pytest.mark.parametrize(
    ("behave", "detail"),
    [
        (answering(404), "404"),
        (answering(307, location="file:///etc/passwd"), "redirects to another path, which is not followed"),
        (answering(302, location="http://elsewhere.invalid/x?token=1"), "redirects to elsewhere.invalid,"),
    ],
)
def test_s4_8_a_refusal_is_not_tried_again_and_no_redirect_is_followed(
    repository: Repository, behave: Behaviour, detail: str
) -> None:
    with receiving(behave) as receiver:
        post = Desk(repository, webhook(receiver.url))
        post.happen()
        post.outbox.fill()
        post.sender.round()
        post.clock.advance(500)
        post.sender.round()
    (delivery,) = post.store.deliveries()
    assert (delivery.state, delivery.tries, len(receiver.posts)) == (D.FAILED, 1, 1)
    assert detail in delivery.detail
    assert "token" not in post.log


class JumpingClock(FakeClock):
    """Its time jumps by a minute once the receiver has the post."""

    receiver: Receiver

    def monotonic(self) -> float:
        return super().monotonic() + (60.0 if self.receiver.posts else 0.0)


@pytest.mark.parametrize("behave", [hanging, dripping])
def test_s4_8_one_that_hangs_or_drips_is_left_when_its_time_is_over(
    repository: Repository, behave: Callable[[Receiver], Behaviour]
) -> None:
    with receiving(behave) as receiver:
        post = Desk(repository, webhook(receiver.url, timeout=50.0))
        clock = JumpingClock()
        clock.receiver = receiver
        post.happen()
        post.outbox.fill()
        post.another("s1", clock).round()
        assert not receiver.released.is_set()
    (delivery,) = post.store.deliveries()
    assert (delivery.state, delivery.detail) == (D.PENDING, "it ran out of time")


def test_s4_8_what_was_perhaps_sent_by_one_who_died_is_not_sent_again(repository: Repository) -> None:
    post = Desk(repository, webhook(closed_port()))
    post.store.add_session(a_session("dead", state=SessionState.ENDED))
    post.happen()
    post.outbox.fill()
    (delivery,) = post.store.deliveries()
    post.store.move_delivery(delivery, D.SENDING, session="dead")
    post.sender.round()
    assert post.states() == [D.UNKNOWN]
    assert "who sent it died at it" in post.log


def test_s4_8_what_nobody_could_send_in_time_expires(repository: Repository) -> None:
    post = Desk(repository, replace(Channel(Way.WEBHOOK), url_env="NO_SUCH_VARIABLE"))
    post.happen()
    post.outbox.fill()
    post.sender.round()
    assert post.states() == [D.PENDING]
    post.clock.advance(STALE + 1)
    post.sender.round()
    assert post.states() == [D.EXPIRED]


def test_s4_8_of_many_beside_each_other_one_sends(repository: Repository, tmp_path: Path) -> None:
    """Threads stand for processes: each has its own connection to the same store."""
    path = tmp_path / "state.db"

    def opened() -> Store:
        return open_sqlite(path, SystemClock()).store

    with receiving() as receiver, contextlib.closing(opened()) as store:
        first = Desk(repository, webhook(receiver.url), store)
        for number in range(4):
            first.happen(f"e{number}")
        barrier = threading.Barrier(4)
        me = {
            "pid": os.getpid(),
            "process_started": started(os.getpid()),
            "host": host(),
            "boot": boot_id(),
        }

        def work(session: str) -> None:
            with contextlib.closing(opened()) as own:
                mine = Desk(repository, first.channel, own)
                own.add_session(a_session(session, **me))
                barrier.wait()
                mine.outbox.fill()
                mine.another(session).round()

        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [d.state for d in store.deliveries()] == [D.SENT] * 4
    assert sorted(body["entry"] for body in receiver.bodies) == sorted(f"e{n}" for n in range(4))


@pytest.mark.skipif(os.name == "nt", reason="a shell")
def test_s4_8_a_command_gets_the_event_on_its_stdin_and_its_last_line_is_kept(
    repository: Repository, tmp_path: Path
) -> None:
    got = tmp_path / "a name\nwith 'everything"
    script = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read()); print('one'); print('two')"
    post = Desk(repository, Channel(Way.COMMAND, argv=(sys.executable, "-c", script, str(got))))
    post.happen()
    post.outbox.fill()
    post.sender.round()
    assert json.loads(got.read_bytes())["title"] == "planctl: api landed"
    (delivery,) = post.store.deliveries()
    assert (delivery.state, delivery.detail) == (D.SENT, "two")
    assert "(two)" in post.log


@pytest.mark.skipif(os.name == "nt", reason="a shell")
@pytest.mark.parametrize(
    ("argv", "detail"),
    [
        (("sh", "-c", "echo no; exit 3"), "exit 3: no"),
        (("/no/such/program",), "No such file"),
        (("nul\0byte",), "embedded null byte"),
    ],
)
def test_s4_8_a_command_that_fails_is_told_in_the_log(
    repository: Repository, argv: tuple[str, ...], detail: str
) -> None:
    post = Desk(repository, Channel(Way.COMMAND, argv=argv))
    post.happen()
    post.outbox.fill()
    post.sender.round()
    (delivery,) = post.store.deliveries()
    assert delivery.state is D.FAILED
    assert detail in delivery.detail
    assert detail in post.log


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notify-send that writes down what it was called with."""
    folder, said = tmp_path / "bin", tmp_path / "said"
    folder.mkdir()
    program = folder / "notify-send"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{said}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    return said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="notify-send")
def test_s3_6_many_ended_processes_are_shown_on_the_desktop(repository: Repository, desktop: Path) -> None:
    post = Desk(repository, Channel(Way.DESKTOP))
    post.happen(event="watchdog.ended-many", count=3)
    post.happen(event="watchdog.ended-many", count=4)
    post.outbox.fill()
    post.sender.round()
    assert desktop.read_text().splitlines() == [
        "--app-name=planctl",
        "--urgency=normal",
        "--",
        "planctl: 4 processes were ended",
        "left over by sessions that are gone",
    ]
    assert post.states() == [D.SENT]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="notify-send")
def test_s4_8_no_markup_reaches_the_desktop(repository: Repository, desktop: Path) -> None:
    post = Desk(repository, Channel(Way.DESKTOP))
    post.happen(event="entry.rejected", detail="<a href='x'>&click</a>", code="check-red")
    post.outbox.fill()
    post.sender.round()
    assert desktop.read_text().splitlines()[-1] == "&lt;a href='x'&gt;&amp;click&lt;/a&gt;"
    assert "--urgency=critical" in desktop.read_text()


def test_s3_6_without_a_desktop_it_is_in_the_log_once(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    post = Desk(repository, Channel(Way.DESKTOP))
    post.happen(event="watchdog.ended-many", count=7)
    post.outbox.fill()
    for _ in range(3):
        post.sender.round()
    assert post.log.count("planctl: 7 processes were ended: left over by sessions that are gone") == 1
    assert post.log.count("nothing here shows notifications") == 1
    assert post.states() == [D.FAILED]
