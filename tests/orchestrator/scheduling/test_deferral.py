"""How long a deferred attempt waits, on a clock that is set, sleeps and boots; and who waits along."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrator.agents.limits import Limit
from orchestrator.running.places import StageName
from orchestrator.scheduling.deferral import Deferral, count_of, deferral, with_time_left
from orchestrator.scheduling.limited import limited
from orchestrator.scheduling.reasons import sentence
from orchestrator.scheduling.speakers import Speaker, Speakers
from orchestrator.services.speaking import attempt_of
from orchestrator.states import AttemptState as A
from plans.ids import PlanId
from plans.model import Run
from plans.project import ProjectSettings, ShareLimit
from tests.support.clock import FakeClock
from tests.support.records import an_attempt

HOUR = 3600.0
CLAUDE = Speaker("claude", "claude")


def held(
    clock: FakeClock, seconds: float | None, before: Deferral | None = None, **settings: Any
) -> Deferral | str:
    """Held for a limit that is over in ``seconds``; None: it was not said when."""
    until = None if seconds is None else datetime.fromisoformat(clock.now()) + timedelta(seconds=seconds)
    return deferral(before, 0, Limit("too much", until), CLAUDE, ProjectSettings(**settings), clock=clock)


def must(found: Deferral | str) -> Deferral:
    assert isinstance(found, Deferral), found
    return found


def test_p17_it_waits_until_the_time_that_was_said() -> None:
    clock = FakeClock()
    made = must(held(clock, HOUR))
    assert (made.until, made.left(clock)) == ("2026-11-21T01:56:00Z", HOUR)
    clock.advance(HOUR - 1)
    assert made.left(clock) == 1
    clock.advance(2)
    assert made.left(clock) == 0


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_p17_a_jump_of_the_wall_clock_by_an_hour_changes_nothing(jump: float) -> None:
    clock = FakeClock()
    made = must(held(clock, HOUR / 2))
    clock.set_wall(jump)
    assert made.left(clock) == HOUR / 2
    clock.advance(HOUR / 2)
    assert made.left(clock) == 0


def test_p17_the_time_that_the_machine_sleeps_counts() -> None:
    clock = FakeClock()
    made = must(held(clock, HOUR))
    clock.sleep(HOUR - 5)
    assert made.left(clock) == 5


def test_p17_after_a_reboot_wall_time_counts_and_never_for_longer_than_at_first() -> None:
    clock = FakeClock()
    made = must(held(clock, HOUR))
    clock.advance(HOUR / 2)
    clock.reboot()
    assert made.left(clock) == HOUR / 2
    clock.set_wall(-10 * HOUR)
    assert made.left(clock) == HOUR
    clock.set_wall(20 * HOUR)
    assert made.left(clock) == 0


def test_p17_without_a_time_it_doubles_up_to_a_cap() -> None:
    clock, seconds, before = FakeClock(), [], None
    for _ in range(7):
        before = must(held(clock, None, before))
        seconds.append(before.seconds)
    assert seconds == [60, 120, 240, 480, 960, 1800, 1800]


def test_p17_a_time_that_comes_too_early_again_and_again_is_waited_beyond() -> None:
    clock, seconds, before = FakeClock(), [], None
    for _ in range(4):
        before = must(held(clock, -100, before))
        seconds.append(before.seconds)
    assert seconds == [1, 2, 4, 8]
    assert must(held(clock, HOUR, before)).seconds == HOUR


def test_p17_there_is_an_end_of_holds_and_of_their_time_said_in_words() -> None:
    clock = FakeClock()
    first = must(held(clock, HOUR))
    assert held(clock, HOUR, first, rate_limits_holds=1) == "held 1 times already (rate_limits: holds)"
    said = held(clock, HOUR, first, rate_limits_total=1.5 * HOUR)
    assert said == "that would make 2.0 hours of waiting in all (rate_limits: total)"
    assert held(clock, 1e9) == "that would make 277777.8 hours of waiting in all (rate_limits: total)"


def test_p17_another_stage_begins_to_count_anew() -> None:
    clock = FakeClock()
    first = must(held(clock, HOUR))
    assert (count_of(first.stored(), 0), count_of(first.stored(), 1), count_of({}, 0)) == (1, 0, 0)
    other = deferral(first, 1, Limit("x", None), CLAUDE, ProjectSettings(), clock=clock)
    assert (must(other).count, must(other).total) == (1, 60)


def test_p17_a_person_ends_it_and_it_comes_back_from_the_store_the_same() -> None:
    clock = FakeClock()
    made = must(held(clock, HOUR))
    assert Deferral.load(made.stored()) == made
    assert made.ended().left(clock) == 0
    assert Deferral.load({}) is None


def test_p17_a_wait_is_told_with_what_is_left_of_it() -> None:
    clock = FakeClock()
    made = must(held(clock, 42 * 60))
    attempt = an_attempt(state=A.DEFERRED, reason=made.reason(), deferral=made.stored())
    clock.set_wall(HOUR)
    said = sentence(with_time_left(attempt, clock))
    assert said.endswith("(in 42 min): claude said: too much")
    assert said.startswith("waits until ")
    along = an_attempt("a-b", plan="b", state=A.WAITING, reason=made.reason("a"))
    clock.set_wall(-HOUR)
    assert "waits along with a until " in sentence(with_time_left(along, clock))
    assert with_time_left(an_attempt(reason={"code": "pool"}), clock) == {"code": "pool"}


@pytest.mark.parametrize(
    ("share", "waits"),
    [
        (ShareLimit.PROFILE, {"a", "same", "other-agent"}),
        (ShareLimit.AGENT, {"a", "same"}),
        (ShareLimit.NONE, {"a"}),
    ],
)
def test_p17_others_wait_along_when_so_configured(share: ShareLimit, waits: set[str]) -> None:
    clock = FakeClock()
    made = must(held(clock, HOUR))
    first = an_attempt("a-a", plan="a", state=A.DEFERRED, deferral=made.stored())
    speakers = {
        "same": CLAUDE,
        "other-agent": Speaker("claude-2", "claude"),
        "another": Speaker("codex", "codex"),
        "plain": Speaker(None, None),
        "at-work": CLAUDE,
    }
    newest = {PlanId(name): an_attempt(f"a-{name}", plan=name) for name in speakers}
    newest[PlanId("at-work")] = an_attempt("a-at-work", plan="at-work", state=A.RUNNING)
    newest[PlanId("a")] = first
    by_plan = {PlanId(name): speaker for name, speaker in speakers.items()}
    found = limited(newest, [first], by_plan, share, clock)
    assert found.keys() == waits
    assert found[PlanId("a")].get("plan") is None
    assert all(found[PlanId(name)]["plan"] == "a" for name in waits - {"a"})
    clock.advance(HOUR)
    assert limited(newest, [first], by_plan, share, clock) == {}


def test_p17_who_speaks_is_known_by_agent_program_or_its_own_word() -> None:
    settings = ProjectSettings(agents={"claude": "sh fake.sh", "fast": "codex exec", "mine": "./it"})
    speakers = Speakers(settings)
    said = {
        Run(agent="claude"): ("claude", "claude"),
        Run(agent="fast"): ("fast", "codex"),
        Run(agent="mine"): ("mine", "mine"),
        Run(command="X=1 gemini -p"): (None, "gemini"),
        Run(command="./agent.sh", profile="claude"): (None, "claude"),
        Run(command="make"): (None, None),
    }
    for run, (agent, profile) in said.items():
        assert speakers.speaker(run) == Speaker(agent, profile)
    assert speakers.phrases(Speaker("mine", "mine")) == ()


@pytest.mark.parametrize("again", [0, 2])
def test_p17_a_command_that_is_run_again_speaks_for_the_same_session(again: int) -> None:
    attempt = "01JDQ8ZC3V5N7B9M2K4H6F8D1A"
    name = StageName(attempt, 1, again)
    assert StageName.parse(str(name)) == name
    assert attempt_of({"PLANCTL_ATTEMPT": str(name)}) == attempt
