"""How a run is shown while it goes on: lines that scroll, and a table that fits the screen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.display.attemptstates import ORDER
from orchestrator.cli.display.feed import tell
from orchestrator.cli.display.insight import in_sight
from orchestrator.cli.display.narration import narrate_all
from orchestrator.cli.display.table import LiveTable
from orchestrator.cli.output import Output, Verbosity
from orchestrator.clock import SystemClock
from orchestrator.events import EventName
from orchestrator.scheduling.reasons import Code, reason
from orchestrator.states import AttemptState
from orchestrator.store.records import StoredEvent
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.records import AT
from tests.support.repo import GitRepo
from tests.support.views import a_plan, a_view

PLACE, POOL = reason(Code.CAPACITY), reason(Code.POOL)
LINES = 12
STATES = st.lists(st.sampled_from(ORDER), max_size=30).map(
    lambda states: {f"p{number}": state for number, state in enumerate(states)}
)


def waiting(plans: Sequence[str], why: dict[str, str]) -> list[StoredEvent]:
    return [
        StoredEvent(number, AT, EventName.PLAN_WAITING, "r1", plan, {"reason": why})
        for number, plan in enumerate(plans, 1)
    ]


def said(events: Sequence[StoredEvent]) -> list[str]:
    lines = [[p if isinstance(p, str) else p[0] for p in line] for line in narrate_all(events)]
    return ["".join(line).split(" ", 1)[1] for line in lines]


def test_plans_that_begin_to_wait_for_the_same_are_told_of_in_one_line() -> None:
    many = [f"p{n}" for n in range(500)]
    assert said([*waiting(many, PLACE), *waiting(["x"], POOL)]) == [
        "p0, p1, p2 and 497 more: each waits for a free place (--jobs)",
        "x waits for a free worktree (pool: max)",
    ]
    assert said(waiting(many[:3], PLACE)) == [f"p{n} waits for a free place (--jobs)" for n in range(3)]
    landed = StoredEvent(9, AT, "entry.landed", "r1", "y", {"landed_commit": "c" * 40})
    apart = [*waiting(many[:2], PLACE), landed, *waiting(many[:3], PLACE)]
    assert len(said(apart)) == len(apart), "only those in a row"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("entry.queued", {}, "is in the queue"),
        ("entry.queued", {"code": "batch", "detail": "red"}, "is in the queue"),
        (
            "entry.queued",
            {"code": "frozen", "detail": "its priority is 30"},
            "is in the queue: its priority is 30",
        ),
        (EventName.QUEUE_JUMPED, {"was": 3, "place": 1}, "was lifted from place 3 to 1"),
        (EventName.QUEUE_JUMPED, {"was": 1, "place": 1}, "was lifted, and stays at place 1"),
    ],
)
def test_who_is_kept_from_landing_or_lifted_is_told_of_in_words(
    name: str, data: dict[str, object], words: str
) -> None:
    assert said([StoredEvent(1, AT, name, "r1", "x", data)]) == [f"x {words}"]


def test_quiet_says_what_became_of_things_and_programs_hear_all(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        *waiting(["x"], PLACE),
        StoredEvent(2, AT, EventName.PLAN_STARTED, "r1", "x", {"worktree": "w"}),
        StoredEvent(
            3, AT, EventName.PLAN_FAILED, "r1", "x", {"reason": {"code": "exit", "detail": "exit 1"}}
        ),
        StoredEvent(4, AT, "entry.landed", "r1", "y", {"landed_commit": "c" * 40}),
    ]
    counts = []
    for output in (
        Output(),
        Output(verbosity=Verbosity.QUIET),
        Output(verbosity=Verbosity.QUIET, as_json=True),
    ):
        tell(output, events, output.text)
        counts.append(len(capsys.readouterr().out.splitlines()))
    assert counts == [4, 2, 4]
    quiet = Output(verbosity=Verbosity.QUIET)
    tell(quiet, events, quiet.text, whole=True)
    assert len(capsys.readouterr().out.splitlines()) == len(events), "what was asked for is a result"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (EventName.PLAN_CANCELLED, {"reason": {"code": "stopped"}}),
        (EventName.QUEUE_PAUSED, {"why": "target-red: 123 fails its own check", "commit": "123"}),
        (EventName.CHECKOUT_LEFT, {"checkout": "there", "failure": "no space"}),
        ("entry.dropped", {"detail": "by a person"}),
    ],
)
def test_who_is_quiet_hears_of_trouble(
    capsys: pytest.CaptureFixture[str], name: str, data: dict[str, object]
) -> None:
    quiet = Output(verbosity=Verbosity.QUIET)
    tell(quiet, [StoredEvent(1, AT, name, "r1", "x", data)], quiet.text)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_quiet_run_tells_what_landed_and_what_failed(repo: GitRepo) -> None:
    plans: dict[str, dict[str, object]] = {
        "good": {"files": {"write": ["one"]}, "run": "touch one"},
        "bad": {"files": {"write": ["two"]}, "run": "exit 3"},
    }
    commit_plans(repo, plans)
    done = run("-q", "run-multi", "good", "bad", "--keep-going", cwd=repo.path)
    lines = done.out.splitlines()
    assert [line for line in lines if "good landed as" in line], done.out
    assert [line for line in lines if "bad failed: exit" in line], done.out
    assert not [line for line in lines if "started in" in line or "is in the queue" in line], done.out


@given(STATES, st.integers(-2, 40))
def test_what_is_shown_has_room_and_nobody_is_forgotten(states: dict[str, AttemptState], room: int) -> None:
    shown, others = in_sight(states, room)
    assert len(shown) + bool(others) <= max(room, 2) or not states
    assert list(shown) == sorted(shown)
    left = len(states) - len(shown)
    assert bool(others) == bool(left)
    if left:
        assert others.startswith(f"and {left} more: ")
        hidden = {state for plan, state in states.items() if plan not in shown}
        dull = {AttemptState.WAITING, AttemptState.PENDING, AttemptState.LANDED}
        assert AttemptState.RUNNING not in hidden or {states[plan] for plan in shown} == {
            AttemptState.RUNNING
        }
        assert hidden <= dull or not {states[plan] for plan in shown} & dull


def test_every_state_has_a_place_on_the_screen() -> None:
    assert sorted(ORDER) == sorted(AttemptState)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_table_of_many_plans_fits_the_screen_and_shows_who_is_at_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": f"{LINES}"}.items():
        monkeypatch.setenv(name, value)
    plans = [a_plan(f"p{number:03}") for number in range(100)] + [a_plan("z")]
    states = {str(plan.id): AttemptState.WAITING for plan in plans} | {"z": AttemptState.RUNNING}
    screen = Screen()
    with LiveTable(screen, SystemClock(), lambda plan: tmp_path / plan) as table:
        table.update(a_view(*plans, states=states))
        drawn = screen.getvalue()
    assert "running" in drawn
    assert "p007" not in drawn
    assert "and 93 more: 93 waiting" in drawn
    assert len(drawn.splitlines()) <= LINES
