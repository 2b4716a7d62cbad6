"""``doctor`` on what lies around the work: upkeep, limits, clocks, claims, landings; how it is told."""

from __future__ import annotations

import hashlib
import os
import pty
import select
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.running.limits import Usage, inotify, open_files
from orchestrator.services.diagnosis import limits, stores, upkeep
from orchestrator.states import EntryState, TaskState
from orchestrator.store.taskrecords import TaskRecord
from tests.services.test_doctor import doctor, issues
from tests.support.cli import planctl
from tests.support.faces import LIMIT, add_dead_session, bench_at, cli, reading, store_of
from tests.support.records import a_lease, a_run, an_entry
from tests.support.repo import GitRepo
from worktrees import commitgraph


def stamp(seconds: float) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_s1_6_a_commit_graph_that_is_missing_or_broken_is_written_anew(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitgraph, "MANY", 2)
    for number in range(3):
        repo.write("src/a.py", f"{number}\n")
        repo.commit(str(number))
    key = "commit-graph-missing objects/info/commit-graph"
    assert issues(doctor(repo))[key]["severity"] == "hint"
    assert issues(doctor(repo, "--fix"))[key]["fixed"] is True
    assert key not in issues(doctor(repo))
    (layer,) = (repo.path / ".git" / "objects" / "info" / "commit-graphs").glob("*.graph")
    layer.chmod(0o644)
    layer.write_bytes(b"CGPH garbage")
    broken = "commit-graph-broken objects/info/commit-graph"
    assert (doctor(repo).code, broken in issues(doctor(repo))) == (1, True)
    assert issues(doctor(repo, "--fix"))[broken]["fixed"] is True
    assert doctor(repo).code == 0
    assert repo.git("commit-graph", "verify") == ""


def test_s1_6_loose_objects_are_packed_and_none_is_lost(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MANY_LOOSE", 255)
    texts = (f"{number}\n" for number in range(10_000))
    sample = next(t for t in texts if hashlib.sha1(f"blob {len(t)}\0{t}".encode()).hexdigest()[:2] == "17")
    repo.git("hash-object", "-w", "--stdin", stdin=sample)
    before = sorted(repo.git("cat-file", "--batch-all-objects", "--batch-check").splitlines())
    assert issues(doctor(repo, "--fix"))["objects-loose objects"]["fixed"] is True
    assert "objects-loose objects" not in issues(doctor(repo))
    assert set(before) <= set(repo.git("cat-file", "--batch-all-objects", "--batch-check").splitlines())


def test_s1_6_a_gc_that_races_and_what_killed_gits_left(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("config", "gc.pruneExpire", "now")
    repo.git("config", "gc.worktreePruneExpire", "2.weeks.ago")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "away"))
    (tmp_path / "away").rename(tmp_path / "elsewhere")
    left = repo.write(".git/objects/pack/tmp_pack_abc", "half")
    os.utime(left, (1, 1))
    repo.write(".git/objects/info/commit-graph.lock", "")
    found = issues(doctor(repo, "--fix"))
    assert set(found) == {
        "gc-prunes-early gc.pruneExpire",
        f"worktree-prunable {tmp_path / 'away'}",
        "objects-half-written objects/pack",
        "lock-foreign objects/info/commit-graph.lock",
    }
    assert not any(issue["fixable"] for issue in found.values())
    assert left.exists()
    for kept in ("never", "3.weeks.ago"):
        repo.git("config", "gc.pruneExpire", kept)
        assert "gc-prunes-early gc.pruneExpire" not in issues(doctor(repo))


def test_s1_6_limits_that_are_nearly_reached_are_told(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    watches = Usage("fs.inotify.max_user_watches", 95, 100)
    monkeypatch.setattr(limits, "file_limit", lambda: 100)
    monkeypatch.setattr(limits, "open_files", lambda: Usage("fs.file-max", 91, 100))
    monkeypatch.setattr(limits, "inotify", lambda: (Usage("fs.inotify.max_user_instances", 5, 100), watches))
    found = issues(doctor(repo))
    assert set(found) == {
        "files-limit ulimit -n",
        "files-exhausted fs.file-max",
        f"inotify-exhausted {watches.name}",
    }
    assert found["files-exhausted fs.file-max"]["detail"] == "91 of 100 in use"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_s1_6_what_is_in_use_is_read_from_the_kernel() -> None:
    import ctypes

    before = {usage.name: usage.used for usage in inotify()}
    libc = ctypes.CDLL(None)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    try:
        assert libc.inotify_add_watch(descriptor, b"/", 2) > 0
        after = {usage.name: usage.used for usage in inotify()}
    finally:
        os.close(descriptor)
    assert before, "this kernel has inotify"
    assert all(after[name] > 0 for name in before)
    everything = open_files()
    assert everything is not None
    assert 0 < everything.used < everything.most


def test_s1_6_a_wall_clock_that_was_set_is_told_and_changes_nothing(repo: GitRepo) -> None:
    clock = SystemClock()
    with store_of(repo) as store:
        add_dead_session(store, "s1")
        store.add_run(a_run(session="s1", started_at=stamp(3600)))
        lease = a_lease("l", "s1", boot=clock.boot(), expires=clock.monotonic() + 60, since=clock.monotonic())
        assert store.grant(replace(lease, acquired_at=stamp(-3600)), now=clock.monotonic())
    found = issues(doctor(repo))
    assert found["clock-behind wall clock"]["severity"] == "warning"
    assert found["clock-jumped wall clock"]["detail"].startswith("by +3600 seconds")


def test_s1_6_a_slow_store_is_told(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    with store_of(repo):
        pass
    (check,) = [c for c in doctor(repo).data["checks"] if c["name"] == "store"]
    assert "latency 0." in check["detail"]
    monkeypatch.setattr(stores, "SLOW", -1.0)
    assert f"store-slow {repo.path / '.git' / 'planctl' / 'state.db'}" in issues(doctor(repo))


def test_s1_6_a_task_whose_holder_is_gone_is_opened_again_with_a_note(repo: GitRepo) -> None:
    with store_of(repo) as store:
        task = TaskRecord(id="api:1.1", plan="api", task="1.1", state=TaskState.CLAIMED, claimed_by="gone")
        store.add_task(task)
    assert issues(doctor(repo))["claim-stale api:1.1"]["severity"] == "warning"
    assert issues(doctor(repo, "--fix"))["claim-stale api:1.1"]["fixed"] is True
    with reading(repo) as store:
        opened = store.task("api:1.1")
    assert opened is not None
    assert (opened.state, opened.claimed_by) == (TaskState.OPEN, None)
    assert opened.note.startswith("gone had it")


def test_s1_6_a_landing_without_its_reference_is_proved_again_and_one_without_entry_told(
    repo: GitRepo,
) -> None:
    head = repo.head()
    fields: dict[str, Any] = {"head": head, "base": head, "target": "refs/heads/main"}
    with bench_at(repo) as (bench, _):
        landed = an_entry(state=EntryState.LANDED, candidate=head, landed_commit=head, **fields)
        bench.store.add_entry(landed)
    repo.git("update-ref", "refs/planctl/landed/api/unknown", head)
    assert issues(doctor(repo))["landing-without-entry refs/planctl/landed/api/unknown"]["severity"] == "hint"
    assert issues(doctor(repo, "--fix"))["landing-without-reference e1"]["fixed"] is True
    assert repo.head("refs/planctl/landed/api/e1") == head
    repo.git("update-ref", "-d", "refs/planctl/landed/api/e1")
    repo.git("commit", "-q", "--amend", "--allow-empty", "-m", "reset away")
    assert issues(doctor(repo), "landing-without-reference") == {}, "what is not on the target is no landing"


def test_s1_6_an_entry_whose_commit_is_nowhere_is_told(repo: GitRepo) -> None:
    with store_of(repo) as store:
        store.add_entry(an_entry(target="refs/heads/main"))
    assert issues(doctor(repo))["entry-without-commit e1"]["severity"] == "warning"


def _with_dead_lease(repo: GitRepo) -> None:
    clock = SystemClock()
    with store_of(repo) as store:
        add_dead_session(store, heartbeat_at=stamp(-7200))
        lease = a_lease("queue:refs/heads/main", "dead", boot=clock.boot(), acquired_at=stamp(-9000))
        assert store.grant(lease, now=0)


def test_s1_6_stale_locks_are_a_table_with_what_it_means_and_the_choices(repo: GitRepo) -> None:
    _with_dead_lease(repo)
    shown = planctl("doctor", repo=repo.path).stdout
    lines = [line.split("  ") for line in shown.splitlines()]
    (header,) = [line for line in lines if "last heartbeat" in line]
    row = lines[lines.index(header) + 1]
    assert [cell.strip() for cell in row if cell.strip()][:4] == [
        "queue:refs/heads/main", "write", "2 hours", "2 hours"
    ]  # fmt: skip
    assert "lease-stale: a lease is held by a session that is gone" in shown
    assert "--fix: gives it back" in shown
    assert "1. planctl doctor --fix: mends 2 of 2; no work is lost" in shown
    assert "leave it: whoever waits" in shown
    data = issues(doctor(repo))["lease-stale queue:refs/heads/main"]
    assert data["facts"]["scope"] == "write"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 1)])
def test_s1_6_on_a_terminal_it_asks_and_only_yes_is_yes(repo: GitRepo, answer: str, code: int) -> None:
    _with_dead_lease(repo)
    master, slave = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "CI"} | {"TERM": "xterm"}
    asking = cli(repo, "doctor", "--fix", stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    seen = b""
    while b"[y/N]" not in seen and select.select([master], [], [], LIMIT)[0]:
        seen += os.read(master, 4096)
    assert b"Mend these 2 now? [y/N]" in seen
    os.write(master, f"{answer}\n".encode())
    assert _drained(master, asking) == code
    with reading(repo) as store:
        assert bool(store.leases()) is (answer == "")


def _drained(master: int, process: Any) -> int:
    """Read what is said until nobody can say anything any more; the exit code."""
    try:
        while os.read(master, 4096):
            continue
    except OSError:
        os.close(master)  # Linux says so when the other end was closed
    return int(process.wait(LIMIT))
