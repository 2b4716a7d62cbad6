"""What coding agents have printed when they met a limit, line by line, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.agents.limits import MOST_LINES, limit_in, program_of
from orchestrator.agents.profiles import SAID_BY_75, profiles
from plans.phrases import Phrase

SAID = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
PROFILES = profiles({})


@pytest.mark.parametrize(
    ("agent", "line", "until"),
    [
        ("claude", "Claude AI usage limit reached|1783177200", "07-04 15:00"),
        ("claude", "5-hour limit reached ∙ resets 3pm (UTC)", "07-04 15:00"),
        ("claude", "You've hit your session limit · resets 12:50am (America/Los_Angeles)", "07-05 07:50"),
        ("claude", "You've hit your limit · resets 1:30am (Asia/Dhaka)", "07-04 19:30"),
        ("claude", "You're out of extra usage · resets 7pm (Asia/Seoul)", "07-05 10:00"),
        ("claude", "Your limit will reset at 9am (America/Chicago).", "07-04 14:00"),
        ("claude", 'API Error: 429 {"error":{"type":"rate_limit_error","message":"This request"}}', None),
        (
            "codex",
            "■ You've hit your usage limit. Upgrade to Pro or try again in 2 days 3 hours.",
            "07-06 15:00",
        ),
        ("codex", "You've hit your usage limit, or try again at Jul 5th, 2026 8:19 PM.", "07-05 20:19"),
        (
            "codex",
            '{"type":"usage_limit_reached","resets_at":1783177200,"resets_in_seconds":3}',
            "07-04 15:00",
        ),
        ("codex", "Rate limit reached for gpt-5 on tokens per min. Please try again in 6m0s.", "07-04 12:06"),
        ("codex", "exceeded retry limit, last status: 429 Too Many Requests", None),
        ("gemini", '        "retryDelay": "120s"', "07-04 12:02"),
        ("gemini", "Your quota will reset after 3h21m12s.", "07-04 15:21"),
        ("gemini", '\\"status\\": \\"RESOURCE_EXHAUSTED\\"', None),
    ],
)
def test_p17_what_agents_have_printed(agent: str, line: str, until: str | None) -> None:
    found = limit_in(["at work", line, "bye"], PROFILES[agent], SAID)
    assert found is not None
    assert (found.until and found.until.strftime("%m-%d %H:%M")) == until


@pytest.mark.parametrize("line", ["the recursion limit was reached", "exit 1", "resets the counter", "429"])
@pytest.mark.parametrize("agent", sorted(PROFILES))
def test_p17_what_is_no_limit(agent: str, line: str) -> None:
    assert limit_in([line], PROFILES[agent], SAID) is None


def test_p17_the_newest_line_that_says_when_counts_before_a_newer_that_does_not() -> None:
    lines = ["Usage limit reached|1783170000", "5-hour limit reached ∙ resets 3pm (UTC)", "rate_limit_error"]
    found = limit_in(lines, PROFILES["claude"], SAID)
    assert found is not None
    assert found.until == datetime(2026, 7, 4, 15, 0, tzinfo=UTC)
    assert limit_in([*lines, *["-"] * MOST_LINES], PROFILES["claude"], SAID) is None


def test_p17_phrases_of_ones_own_come_first_and_make_further_profiles() -> None:
    own = {"claude": (Phrase.parse("come back at {when}"),), "aider": (Phrase.parse("quota used up"),)}
    known = profiles(own)
    found = limit_in(["Come back at 15:00 UTC"], known["claude"], SAID)
    assert found is not None
    assert found.until == datetime(2026, 7, 4, 15, 0, tzinfo=UTC)
    assert limit_in(["Usage limit reached"], known["claude"], SAID) is not None
    assert limit_in(["quota used up"], known["aider"], SAID) is not None


def test_p17_a_command_that_ended_with_75_may_say_when_in_plain_words() -> None:
    found = limit_in(["busy; retry after 90s"], SAID_BY_75, SAID)
    assert found is not None
    assert found.until == datetime(2026, 7, 4, 12, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("claude -p go", "claude"),
        ("A=1 B='x' /opt/bin/codex exec", "codex"),
        ("./agent.sh claude", None),
        ("", None),
        ("'", None),
    ],
)
def test_p17_the_program_of_a_command_line(command: str, program: str | None) -> None:
    assert program_of(command, PROFILES) == program
