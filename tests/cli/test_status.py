"""``status``: the truth, the reasons, fast, and without changing a byte."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.scheduling.reasons import Code, reason
from orchestrator.services.queuerows import queue_entries
from orchestrator.states import AttemptState, EntryState, RunState
from tests.support.cli import planctl
from tests.support.faces import LIMIT, add_dead_session, cli, contents, store_of, write_plan
from tests.support.records import AT, a_run, an_attempt, an_entry
from tests.support.repo import GitRepo

HEAVY = {"git", "pygit2", "networkx", "yaml", "rich", "psutil", "aiosql_parse"}


@pytest.fixture
def landed(repo: GitRepo) -> GitRepo:
    """Two plans have landed."""
    for name in ("one", "two"):
        write_plan(repo, name, f"echo {name} > {name}.txt")
    repo.commit("plans")
    run = cli(repo, "run-multi", "one", "two", "-j", "1")
    assert run.communicate(timeout=LIMIT)[1] is not None
    assert run.returncode == 0
    return repo


def states(repo: GitRepo) -> dict[str, str]:
    return {p["id"]: p["state"] for p in planctl("status", "--json", repo=repo.path).data["plans"]}


def loaded_by(repo: GitRepo, *arguments: str) -> tuple[str, set[str]]:
    """What planctl said, and the modules that it had loaded at its end."""
    code = (
        "import sys\nfrom orchestrator.cli.main import main\n"
        "try: main()\nfinally: print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=repo.path, capture_output=True, text=True, check=True
    )
    return done.stdout, set(done.stderr.split())


def test_a_worktree_that_is_yet_to_be_found_is_not_named(repo: GitRepo) -> None:
    with store_of(repo) as store:
        store.add_run(a_run())
        store.add_attempt(an_attempt(state=AttemptState.PREPARING, started_at=AT))
    said = planctl("status", repo=repo.path).stdout
    assert "preparing  api  since " in said
    assert " in None" not in said


def test_a_store_that_was_deleted_is_not_taken_for_a_repository_where_nothing_ran(landed: GitRepo) -> None:
    for file in (landed.path / ".git" / "planctl").glob("state.db*"):
        file.unlink()
    before = contents(landed.path)
    assert "the store is missing" in planctl("status", repo=landed.path).stderr
    assert "the store is missing" in planctl("status", "--json", repo=landed.path).stderr
    assert contents(landed.path) == before


def test_status_loads_no_git_no_graph_no_yaml_no_rich(landed: GitRepo) -> None:
    for arguments in (["status"], ["status", "--json"]):
        said, loaded = loaded_by(landed, *arguments)
        assert "landed" in said
        assert "orchestrator.services.status" in loaded
        assert not loaded & {*HEAVY, "orchestrator.settings"}


def test_queue_list_loads_no_git_and_yaml_only_for_settings(landed: GitRepo) -> None:
    """Nor is git started: the target's tip is read from its files."""
    for arguments in (["queue", "list", "--all"], ["queue", "list", "--all", "--json"]):
        said, loaded = loaded_by(landed, *arguments)
        assert "landed" in said
        assert not loaded & {*HEAVY, "subprocess"}
    landed.write("planctl.yaml", "check: 'true'\n")
    assert loaded_by(landed, "queue", "list")[1] & HEAVY == {"yaml"}


def test_queue_list_asks_git_where_files_do_not_tell_the_tip(landed: GitRepo) -> None:
    landed.git("branch", "-m", "main", "trunk")
    landed.git("symbolic-ref", "refs/heads/main", "refs/heads/trunk")
    shown = planctl("queue", "list", "--all", "--json", repo=landed.path).data
    assert shown["tip"] == landed.git("rev-parse", "trunk")
    assert len(shown["entries"]) == 2


def test_s8_landed_is_said_only_of_what_is_on_the_target_now(landed: GitRepo) -> None:
    assert states(landed) == {"one": "landed", "two": "landed"}
    landed.commit("by hand, from outside", {"mine.txt": "x\n"})
    assert states(landed) == {"one": "landed", "two": "landed"}, "history is asked when the chain breaks"
    newest = max(planctl("status", "--json", repo=landed.path).data["plans"], key=lambda p: p["finished_at"])
    landed.git("reset", "-q", "--hard", f"{newest['landed_commit']}^1")
    other = "one" if newest["id"] == "two" else "two"
    assert states(landed) == {newest["id"]: "finished", other: "landed"}
    undone = next(p for p in planctl("status", "--json", repo=landed.path).data["plans"] if p["id"] != other)
    assert undone["reason"]["code"] == "landing-undone"
    assert undone["landed_commit"] is None
    assert "not on the target any more" in planctl("status", repo=landed.path).stdout


def test_s8_a_packed_target_is_read_too(landed: GitRepo) -> None:
    landed.git("pack-refs", "--all")
    assert states(landed) == {"one": "landed", "two": "landed"}
    landed.git("reset", "-q", "--hard", "main~2")
    assert set(states(landed).values()) == {"finished"}


def test_every_wait_is_one_sentence_and_the_keys_are_those_of_the_contract(repo: GitRepo) -> None:
    with store_of(repo) as store:
        add_dead_session(store)
        store.add_run(a_run(session="dead", target="refs/heads/main", plans=("api", "web", "db")))
        overlap = reason(Code.OVERLAP, "api", "src/\x1b[2Ja.py")
        store.add_attempt(
            an_attempt("a1", state=AttemptState.RUNNING, started_at=AT, worktree="/pool/slot-01")
        )
        store.add_attempt(an_attempt("a2", plan="web", state=AttemptState.WAITING, reason=overlap))
        store.add_attempt(an_attempt("a3", plan="db", state=AttemptState.QUEUED, entry="e1"))
        why = {"code": "behind", "detail": "lands behind web"}
        store.add_entry(an_entry(plan="db", target="refs/heads/main", state=EntryState.QUEUED, reason=why))
    said = planctl("status", repo=repo.path)
    assert said.code == 0
    lines = said.stdout.splitlines()
    assert "`planctl resume r1` goes on" in lines[0], "nothing conducts it, whatever the store says"
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["running", "api"], ["waiting", "web"], ["queued", "db"],
    ]  # fmt: skip
    assert "overlaps with api on src/\\x1b[2Ja.py" in lines[2]
    assert lines[3].endswith("lands behind web")
    assert "\x1b" not in said.stdout
    data = planctl("status", "--json", repo=repo.path).data
    parts = {"runs", "plans", "queue", "sessions", "leases", "resources", "watchdog", "leaks"}
    assert set(data) == parts
    assert {"id", "state", "session", "started_at"} <= set(data["runs"][0])
    assert data["runs"][0]["conducted"] is False
    plan = {"id", "run", "attempt", "state", "reason", "branch", "worktree", "started_at", "finished_at"}
    assert all(plan | {"landed_commit"} <= set(p) for p in data["plans"])
    entry = {"id", "plan", "branch", "state", "position", "priority", "head", "base", "candidate", "tree"}
    assert entry | {"landed_commit", "reason", "attempts"} <= set(data["queue"][0])
    assert data["queue"][0]["position"] == 1


def test_what_came_to_nothing_is_shown_until_newer_work_of_its_plan_or_branch_is_on_its_way() -> None:
    def entries(newer: EntryState, **fields: Any) -> list[str]:
        old = an_entry("old", sequence=1, state=EntryState.REJECTED)
        new = an_entry("new", sequence=2, state=newer, **fields)
        return [entry["id"] for entry in queue_entries([old, new])]

    assert entries(EntryState.CHECKING) == ["new"]
    assert entries(EntryState.HELD) == ["new"]
    assert entries(EntryState.LANDED) == []
    assert entries(EntryState.LANDED, plan=None) == [], "the branch by itself"
    assert entries(EntryState.LANDED, branch="other") == [], "the plan on another branch"
    assert entries(EntryState.LANDED, plan=None, branch="other") == ["old"]
    assert entries(EntryState.LANDED, target="release") == ["old"]
    assert entries(EntryState.CONFLICTED) == ["new"]
    assert entries(EntryState.DROPPED) == ["old"]
    older = an_entry("old", sequence=1, state=EntryState.LANDED)
    newer = an_entry("new", sequence=2, state=EntryState.REJECTED)
    assert [entry["id"] for entry in queue_entries([older, newer])] == ["new"]


def test_a_plan_stopped_by_a_person_is_not_said_to_have_waited_for_another(repo: GitRepo) -> None:
    with store_of(repo) as store:
        store.add_run(a_run(state=RunState.FINISHED))
        why = {"code": "stopped", "detail": "its command was stopped"}
        store.add_attempt(an_attempt(state=AttemptState.CANCELLED, reason=why))
    assert "api  its command was stopped" in planctl("status", repo=repo.path).stdout


def test_an_empty_repository_says_how_to_begin(repo: GitRepo) -> None:
    assert "planctl run-multi" in planctl("status", repo=repo.path).stdout
    assert not (repo.path / ".git" / "planctl").exists()


READERS = (
    "status",
    "status --json",
    "events",
    "worktree list",
    "rescue list",
    "phase list",
    "logs one",
    "doctor",
)


def test_commands_that_only_read_change_nothing_byte_for_byte(landed: GitRepo) -> None:
    before = contents(landed.path.parent)
    for line in READERS:
        said = planctl(*line.split(), repo=landed.path)
        assert said.code == 0, (line, said)
        after = contents(landed.path.parent)
        changed = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
        assert changed == [], line


def test_s1_9_watch_draws_anew_until_an_interrupt(repo: GitRepo) -> None:
    with store_of(repo) as store:
        store.add_run(a_run(state=RunState.FINISHED))
        store.add_attempt(an_attempt(state=AttemptState.WAITING))
        ours, theirs = pty.openpty()
        environ = {**os.environ, "TERM": "xterm", "CI": "", "COLUMNS": "100", "LINES": "40"}
        root = Path(__file__).resolve().parents[2]
        watching = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", "status", "--watch"],
            cwd=repo.path,
            env={**environ, "PYTHONPATH": str(root)},
            stdout=theirs,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        try:
            seen = until(ours, b"waiting", b"")
            store.move_attempt(replace(an_attempt(), state=AttemptState.WAITING), AttemptState.CANCELLED)
            until(ours, b"cancelled", seen)
            watching.send_signal(signal.SIGINT)
            _, errors = watching.communicate(timeout=LIMIT)
        finally:
            watching.kill()
            os.close(ours)
    assert watching.returncode == 130
    assert errors.decode().strip() == "planctl: interrupted"


def until(terminal: int, word: bytes, seen: bytes) -> bytes:
    while word not in seen:
        assert select.select([terminal], (), (), LIMIT)[0], seen
        seen += os.read(terminal, 65536)
    return seen


def test_watch_without_a_terminal_is_one_snapshot(landed: GitRepo) -> None:
    watching = cli(landed, "status", "--watch")
    out, _ = watching.communicate(timeout=LIMIT)
    assert watching.returncode == 0
    assert out.count(b"landed") == 2
