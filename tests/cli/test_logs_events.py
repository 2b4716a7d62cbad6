"""``logs`` and ``events``: another process's run can be followed from here (S1.9)."""

from __future__ import annotations

import json
import signal
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.display.harmless import Harmless
from orchestrator.events import EventName
from orchestrator.states import AttemptState
from tests.support.cli import planctl
from tests.support.faces import LIMIT, Gate, add_dead_session, cli, store_of, write_plan
from tests.support.records import AT, a_run, an_attempt
from tests.support.repo import GitRepo

WILD = b"one\r\n\x1b[31mred\x1b[0m \x1b]0;owned\x07\x1b[2Jtwo\xff\n50%\r100%\nlast"


def out_of(process: subprocess.Popen[bytes]) -> bytes:
    out, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, errors
    return out


def failed_run(repo: GitRepo, log: bytes) -> None:
    """An attempt of ``one`` that has ended, with that output."""
    path = repo.path / ".git" / "planctl" / "outputs" / "one" / "log"
    with store_of(repo) as store:
        store.add_run(a_run())
        store.add_attempt(an_attempt(plan="one", state=AttemptState.FAILED))
    path.parent.mkdir(parents=True)
    path.write_bytes(log)


def test_logs_are_the_exact_bytes_where_no_terminal_shows_them(repo: GitRepo) -> None:
    failed_run(repo, WILD)
    assert out_of(cli(repo, "logs", "one")) == WILD
    assert out_of(cli(repo, "logs", "one", "-f")) == WILD, "an attempt that has ended is not waited for"


def test_logs_as_json_are_a_line_each(repo: GitRepo) -> None:
    failed_run(repo, WILD)
    lines = [
        json.loads(line) for line in planctl("logs", "one", "--json", repo=repo.path).stdout.splitlines()
    ]
    assert [line["line"].encode("utf-8", "surrogateescape") for line in lines] == WILD.split(b"\n")
    assert {(line["plan"], line["attempt"]) for line in lines} == {("one", "a1")}


def test_s2_1_logs_take_the_plan_from_option_environment_or_pointer(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed_run(repo, b"said\n")
    assert planctl("logs", repo=repo.path).code == 2
    assert planctl("logs", "--plan", "one", repo=repo.path).stdout == "said\n"
    assert planctl("pointer", "set", "one", repo=repo.path).code == 0
    assert planctl("logs", repo=repo.path).stdout == "said\n"
    monkeypatch.setenv("PLANCTL_PLAN", "two")
    assert planctl("logs", repo=repo.path).code == 2, "the environment comes before the pointer"
    assert planctl("logs", "--plan", "one", repo=repo.path).stdout == "said\n"
    assert planctl("logs", "one", "--plan", "two", repo=repo.path).code == 2


def test_logs_are_found_where_the_attempt_was_told_to_write(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("before the settings changed\n", encoding="utf-8")
    with store_of(repo) as store:
        store.add_run(a_run())
        store.add_attempt(an_attempt(plan="one", state=AttemptState.FAILED))
        log = str(tmp_path / "elsewhere")
        store.emit(EventName.PLAN_STARTED, at=AT, run="r1", plan="one", attempt="a1", log=log)
    assert planctl("logs", "one", repo=repo.path).stdout == "before the settings changed\n"


def test_logs_of_a_plan_that_never_ran(repo: GitRepo) -> None:
    said = planctl("logs", "nothing", repo=repo.path)
    assert said.code == 2
    assert "never run" in said.stderr


def test_s1_9_logs_follow_a_run_of_another_process_until_its_end(repo: GitRepo, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    write_plan(repo, "one", f"echo first; {gate.command}; echo second > two.txt; echo last")
    repo.commit("plan")
    run = cli(repo, "run-multi", "one")
    gate.wait()
    following = cli(repo, "logs", "one", "-f")
    assert following.stdout is not None
    assert following.stdout.readline() == b"first\n"
    assert following.poll() is None
    gate.open()
    rest, notes = following.communicate(timeout=LIMIT)
    assert rest == b"last\n"
    assert following.returncode == 0, notes
    assert run.wait(LIMIT) == 0
    run.communicate()


def test_following_ends_when_the_run_was_killed_and_nothing_is_at_work(repo: GitRepo) -> None:
    with store_of(repo) as store:
        add_dead_session(store)
        store.add_run(a_run(session="dead"))
        store.add_attempt(an_attempt(plan="one", state=AttemptState.RUNNING, supervisor="a1-0"))
    following = cli(repo, "logs", "one", "-f")
    assert out_of(following) == b""


@given(st.lists(st.integers(0, len(WILD)), max_size=6), st.booleans())
def test_output_is_harmless_however_it_is_cut_into_chunks(cuts: list[int], colour: bool) -> None:
    places = [0, *sorted(cuts), len(WILD)]
    harmless = Harmless(colour=colour)
    said = "".join(harmless.feed(WILD[a:b]) for a, b in pairwise(places))
    said += harmless.feed(b"", last=True)
    red = "\x1b[31mred\x1b[0m" if colour else "red"
    assert said == f"one\n{red} two\ufffd\n50%\n100%\nlast"


@given(st.text(alphabet="\x1b[]P^_X\x07\\0m;?A\r\n\x9b\u202ea"), st.integers(0, 30))
def test_whatever_a_program_writes_only_colours_reach_the_terminal(text: str, cut: int) -> None:
    data, harmless = text.encode(), Harmless(colour=False)
    said = harmless.feed(data[:cut]) + harmless.feed(data[cut:]) + harmless.feed(b"", last=True)
    assert said.replace("\n", "").isprintable()


def some_events(repo: GitRepo) -> None:
    with store_of(repo) as store:
        store.add_run(a_run())
        store.add_run(a_run("r2"))
        store.emit(EventName.RUN_STARTED, at=AT, run="r1", plans=["one"])
        store.emit(EventName.PLAN_STARTED, at=AT, run="r1", plan="one", worktree="/pool/\x1b[2J")
        store.emit(EventName.RUN_STARTED, at=AT, run="r2", plans=["two"])


def test_events_are_a_json_object_a_line_as_run_multi_prints_them(repo: GitRepo) -> None:
    some_events(repo)
    lines = planctl("events", "--json", repo=repo.path).stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert events[1] == {
        "ts": AT, "event": "plan.started", "run": "r1", "plan": "one", "worktree": "/pool/\x1b[2J",
    }  # fmt: skip
    assert [(e["event"], e["run"]) for e in events] == [
        ("run.started", "r1"), ("plan.started", "r1"), ("run.started", "r2"),
    ]  # fmt: skip
    only = planctl("events", "--run", "r2", "--json", repo=repo.path).stdout.splitlines()
    assert only == lines[2:]
    assert planctl("events", "--run", "none", repo=repo.path).code == 2


def test_events_for_people_are_a_line_each_and_cannot_repaint_the_terminal(repo: GitRepo) -> None:
    some_events(repo)
    lines = planctl("events", repo=repo.path).stdout.splitlines()
    assert len(lines) == 3
    assert "one started in /pool/\\x1b[2J" in lines[1]


def test_s1_9_events_follow_what_happens_until_an_interrupt(repo: GitRepo) -> None:
    some_events(repo)
    following = cli(repo, "events", "-f", "--json")
    assert following.stdout is not None
    assert [json.loads(following.stdout.readline())["run"] for _ in range(3)] == ["r1", "r1", "r2"]
    with store_of(repo) as store:
        store.emit(EventName.RUN_FINISHED, at=AT, run="r2")
    assert json.loads(following.stdout.readline())["event"] == "run.finished"
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=LIMIT)
    assert following.returncode == 130
