"""``doctor``: what is broken is named, mended without losing work, and mended once (S1.6, S1.7, S3.7)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bootstrap import open_readonly_store
from orchestrator.clock import SystemClock
from orchestrator.running import platforms
from orchestrator.running.supervision import find
from orchestrator.services import doctor as diagnosed
from orchestrator.sessions.identity import started
from orchestrator.slots.keeper import PLAN, SlotKeeper
from orchestrator.states import AttemptState, EntryState, IntentState, RunState, SessionState, SlotState
from orchestrator.submitting.key import head_reference
from tests.support.cli import Said, planctl
from tests.support.faces import (
    LIMIT,
    Gate,
    add_dead_session,
    add_session,
    bench_at,
    cli,
    contents,
    dead_process,
    reading,
    store_of,
    write_plan,
)
from tests.support.plans import commit_plans
from tests.support.pools import pool_of
from tests.support.process import run
from tests.support.records import a_lease, a_run, a_slot, an_attempt, an_entry, an_intent
from tests.support.repo import GitRepo

KEYS = {"code", "severity", "subject", "detail", "fixable", "fixed"}
EXPLAINED = {"meaning", "cause", "advice", "fix", "facts"}


def doctor(repo: GitRepo, *arguments: str) -> Said:
    return planctl("doctor", "--json", *arguments, repo=repo.path)


def issues(said: Said, *codes: str) -> dict[str, dict[str, Any]]:
    """Issues by code and subject, of the codes asked for or all."""
    found = said.data["issues"]
    assert all(set(issue) == KEYS | EXPLAINED for issue in found)
    assert all(issue["meaning"] and issue["cause"] and issue["advice"] for issue in found)
    assert all(issue["fix"] for issue in found if issue["fixable"]), "what --fix does is said"
    return {f"{i['code']} {i['subject']}": i for i in found if not codes or i["code"] in codes}


def mended(repo: GitRepo, code: str, subject: str) -> None:
    """It is found, without --fix left alone, mended by --fix, and then gone."""
    key = f"{code} {subject}"
    before = contents(repo.path / ".git")
    first = doctor(repo)
    assert first.code == 1
    assert first.data["healthy"] is False
    assert issues(first)[key]["fixable"] is True
    assert issues(first)[key]["fixed"] is False
    after = contents(repo.path / ".git")
    assert [n for n in before.keys() | after.keys() if before.get(n) != after.get(n)] == []
    fixing = doctor(repo, "--fix")
    assert issues(fixing)[key]["fixed"] is True, fixing
    assert fixing.code == 0, fixing
    again = doctor(repo, "--fix")
    assert key not in issues(again)
    assert again.code == 0


def test_s1_6_a_healthy_repository_has_the_shape_of_the_contract(repo: GitRepo) -> None:
    said = doctor(repo)
    assert said.code == 0
    assert set(said.data) == {"healthy", "checks", "issues", "failures"}
    assert (said.data["healthy"], said.data["issues"]) == (True, [])
    names = [check["name"] for check in said.data["checks"]]
    assert {"git", "repository", "store", "sessions", "slots", "locks", "queue"} <= set(names)
    assert all(set(check) == {"name", "status", "detail"} for check in said.data["checks"])
    assert all(check["status"] == "ok" for check in said.data["checks"])
    assert not (repo.path / ".git" / "planctl").exists(), "nothing is made by looking"
    assert planctl("doctor", repo=repo.path).stdout == "healthy\n"
    assert "✓ git: git " in planctl("doctor", "--verbose", repo=repo.path).stdout


def test_git_that_is_too_old_is_named(repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho git version 2.30.1\n", encoding="ascii")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    for arguments in ((), ("--fix",)):
        said = doctor(repo, *arguments)
        assert (said.code, list(issues(said))) == (1, ["git-too-old git"])


def test_a_repository_of_a_kind_that_cannot_be_used(tmp_path: Path, repo: GitRepo) -> None:
    other = GitRepo(tmp_path / "sha256")
    repo.git("init", "-q", "--object-format=sha256", str(other.path))
    said = doctor(other)
    assert said.code == 1
    assert list(issues(said)) == [f"repository-unsupported {other.path / '.git'}"]


def test_settings_and_identity(repo: GitRepo, hermetic: Path) -> None:
    repo.write("planctl.yaml", "check: 'true'\n")
    warned = doctor(repo)
    assert warned.code == 0, "a warning is not unhealthy"
    assert issues(warned)["settings-uncommitted planctl.yaml"]["severity"] == "warning"
    repo.write("planctl.yaml", "chekc: x\n")
    (hermetic / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n", encoding="utf-8")
    for name in ("name", "email"):
        repo.git("config", "--unset", f"user.{name}")
    said = doctor(repo)
    assert said.code == 1
    assert "identity-missing user" in issues(said)
    assert {i["severity"] for i in issues(said, "unknown-key").values()} == {"error"}
    repo.git("branch", "-m", "main", "trunk")
    assert doctor(repo, "--fix").code == 1, "nothing of this can be mended, and nothing is tried"


def test_s1_6_a_session_whose_process_is_dead_and_its_leases(repo: GitRepo) -> None:
    clock = SystemClock()
    with store_of(repo) as store:
        add_dead_session(store)
        now = clock.monotonic()
        lease = a_lease("queue:refs/heads/main", "dead", boot=clock.boot(), expires=now + 60)
        assert store.grant(lease, now=now)
    assert "lease-stale queue:refs/heads/main" in issues(doctor(repo))
    mended(repo, "session-dead", "dead")
    with reading(repo) as store:
        session = store.session("dead")
        assert session is not None
        assert session.state is SessionState.ENDED
        assert store.leases() == []


def test_a_living_session_is_left_alone_even_when_it_is_late(repo: GitRepo) -> None:
    mark = started(os.getpid())
    assert mark is not None
    with store_of(repo) as store:
        add_session(store, "late", os.getpid(), mark, expires=0.0)
    said = doctor(repo, "--fix")
    assert said.code == 0
    assert issues(said)["session-late late"]["severity"] == "warning"
    with reading(repo) as store:
        assert [s.id for s in store.sessions({SessionState.ACTIVE})] == ["late"]


def test_a_run_that_nobody_conducts_is_interrupted_and_can_be_resumed(repo: GitRepo) -> None:
    with store_of(repo) as store:
        add_dead_session(store)
        store.add_run(a_run(session="dead"))
    mended(repo, "run-abandoned", "r1")
    said = doctor(repo)
    assert issues(said)["run-interrupted r1"]["severity"] == "hint"
    assert "planctl resume r1" in issues(said)["run-interrupted r1"]["detail"]


def frozen_for_nobody(repo: GitRepo) -> str:
    """Plan files of a run that was killed before it was stored; the name of their reference."""
    commit_plans(repo, {"a": {"run": "true"}})
    killed = run("run-multi", "a", cwd=repo.path, env={"PLANCTL_KILL_AT": "run.freeze:after"})
    assert killed.code == -signal.SIGKILL
    (frozen,) = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/runs").split()
    return frozen


def test_plan_files_that_were_frozen_for_a_run_that_never_began_are_parked(repo: GitRepo) -> None:
    frozen = frozen_for_nobody(repo)
    commit, key = repo.head(frozen), f"frozen-without-run {frozen}"
    with store_of(repo) as store:
        add_session(store, "begins", os.getpid(), started(os.getpid()) or 0.0)
    assert key not in issues(doctor(repo)), "somebody lives who may be about to store it"
    with store_of(repo) as store:
        (begins,) = [session for session in store.sessions() if session.id == "begins"]
        store.move_session(begins, SessionState.ENDED)
    assert issues(doctor(repo))[key]["severity"] == "warning"
    assert issues(doctor(repo, "--fix"))[key]["fixed"] is True
    left = repo.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/planctl").splitlines()
    assert [line.split()[1] for line in left if "/archive/" in line] == [commit]
    assert issues(doctor(repo), "frozen-without-run") == {}
    assert run("run-multi", "a", cwd=repo.path).code == 0


@pytest.mark.parametrize(("kind", "counts"), [("run", True), ("agent", False)])
def test_a_stopped_run_that_was_found_silent_may_still_store_what_it_froze(
    repo: GitRepo, kind: str, counts: bool
) -> None:
    """Its process lives: it goes on after SIGCONT. An agent's may be a shell that stays open for days."""
    key = f"frozen-without-run {frozen_for_nobody(repo)}"
    with store_of(repo) as store:
        found = add_session(store, "silent", os.getpid(), started(os.getpid()) or 0.0, kind=kind)
        store.move_session(found, SessionState.STALE)
    assert (key not in issues(doctor(repo))) == counts


def test_a_cure_of_what_is_nobodys_looks_anew_who_is_at_work(repo: GitRepo) -> None:
    """Doctor looks at a copy of the store: whoever began after it was made froze what it found."""
    frozen = frozen_for_nobody(repo)
    with bench_at(repo) as (bench, session):
        first = diagnosed.examine(bench.repository, bench.stores, frozenset({session.id}))
        (issue,) = (issue for issue in first.issues if issue.code == "frozen-without-run")
        assert issue.cure is not None
        begins = add_session(bench.store, "begins", os.getpid(), started(os.getpid()) or 0.0)
        issue.cure(bench, session)
        assert bench.references.read(frozen) is not None, "its run is about to be stored"
        bench.store.move_session(begins, SessionState.ENDED)
        issue.cure(bench, session)
        assert bench.references.read(frozen) is None


def test_a_slot_that_a_run_has_made_since_the_look_is_left_to_it(repo: GitRepo) -> None:
    """Doctor looks at a copy of the store and at the folders as they are: its row is not in the copy."""
    with bench_at(repo) as (bench, session):
        copy = open_readonly_store(bench.repository)
        bench.store.add_run(a_run(session=session.id))
        bench.store.add_attempt(an_attempt(state=AttemptState.RUNNING))
        keeper = SlotKeeper(bench)
        slot = keeper.take(PLAN, attempt="a1", plan="api")
        work = keeper.make_ready(slot, repo.head("HEAD")).path / "work"
        work.write_text("not committed yet")
        first = diagnosed.examine(bench.repository, lambda: copy, frozenset({session.id}))
        (issue,) = (issue for issue in first.issues if issue.code == "folder-without-row")
        assert issue.cure is not None
        issue.cure(bench, session)
        assert work.read_text() == "not committed yet"
        assert bench.store.slot(slot.name) == slot


@pytest.fixture
def killed(repo: GitRepo, tmp_path: Path) -> Iterator[GitRepo]:
    """A run whose planctl and supervisor were killed; its command and what it wrote live on."""
    gate = Gate(tmp_path)
    write_plan(repo, "one", f"echo work > kept.txt; {gate.command}")
    repo.commit("plan")
    run = cli(repo, "run-multi", "one")
    gate.wait()
    attempt = an_attempt()
    while attempt.state is not AttemptState.RUNNING:  # the command runs a moment before the store knows it
        with reading(repo) as store:
            (attempt,) = store.attempts(plan="one")
    handle = find(repo.path / ".git" / "planctl" / "records" / str(attempt.supervisor))
    assert handle is not None
    run.kill()
    run.communicate(timeout=LIMIT)
    os.kill(handle.supervisor, signal.SIGKILL)
    supervisor = platforms.Process(handle.supervisor, 0, 0, handle.supervisor_started)
    while platforms.is_alive(supervisor.pid, supervisor.started):
        os.sched_yield()
    assert platforms.is_alive(handle.pid, handle.started)
    yield repo
    if platforms.is_alive(handle.pid, handle.started):
        os.kill(handle.pid, signal.SIGKILL)


def test_p9_an_attempt_whose_work_cannot_be_captured_is_lost_all_the_same(killed: GitRepo) -> None:
    with reading(killed) as store:
        (attempt,) = store.attempts(plan="one")
    nested = Path(str(attempt.worktree)) / "nested"
    killed.git("init", "-q", str(nested))
    (nested / "file").write_text("work\n")
    mended(killed, "attempt-without-supervisor", attempt.id)
    with reading(killed) as store:
        (lost,) = store.attempts(plan="one")
    assert lost.state is AttemptState.LOST
    assert "nested" in lost.reason["not_rescued"]
    assert (nested / "file").read_text() == "work\n"


def test_an_attempt_without_supervisor_is_ended_rescued_and_runs_again(killed: GitRepo) -> None:
    found = issues(doctor(killed))
    (attempt,) = [i["subject"] for i in found.values() if i["code"] == "attempt-without-supervisor"]
    drafts = {"temporary-left"}  # there when it was killed in the middle of writing a file
    assert {i["code"] for i in found.values()} - drafts == {
        "attempt-without-supervisor", "session-dead", "run-abandoned", "lease-stale",
    }  # fmt: skip
    mended(killed, "attempt-without-supervisor", attempt)
    with reading(killed) as store:
        (lost,) = store.attempts(plan="one")
        assert (lost.state, lost.counted) == (AttemptState.LOST, False)
    name = killed.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue/one")
    assert killed.show(name, "kept.txt") == "work\n"
    write_plan(killed, "one", "true")
    said = planctl("doctor", "--verbose", repo=killed.path)
    assert "rescue-waiting" in said.stdout
    assert "    one: 1 kept" in said.stdout


def test_processes_of_a_command_that_has_ended_are_ended_and_no_others(repo: GitRepo) -> None:
    """The supervisor was killed; the attempt was noted as failed since."""
    with store_of(repo) as store:
        store.add_run(a_run(state=RunState.FINISHED))
        store.add_attempt(an_attempt("ours", state=AttemptState.FAILED))
    records = repo.path / ".git" / "planctl" / "records" / "ours-0"
    records.mkdir(parents=True)
    gone, _ = dead_process()
    record = {
        "attempt": "ours-0", "pid": gone, "started": 0.0, "supervisor": gone, "supervisor_started": 0.0,
        "boot": SystemClock().boot(), "grace": 1.0,
    }  # fmt: skip
    (records / "started").write_text(json.dumps(record), encoding="ascii")
    ours, theirs = (
        subprocess.Popen(
            [sys.executable, "-c", "input()"],
            stdin=subprocess.PIPE,
            env={**os.environ, platforms.MARKER: name},
        )
        for name in ("ours-0", "another-repository-0")
    )
    try:
        mended(repo, "process-orphaned", "ours-0")
        assert ours.wait(LIMIT) == -signal.SIGTERM
        assert theirs.poll() is None
    finally:
        ours.kill()
        ours.communicate()
        theirs.communicate(b"\n", timeout=LIMIT)


def slot_states(repo: GitRepo) -> dict[str, SlotState]:
    with reading(repo) as store:
        return {slot.name: slot.state for slot in store.slots()}


def a_worktree(repo: GitRepo, name: str = "slot-01") -> GitRepo:
    """A folder of the pool with uncommitted work in it."""
    tree = pool_of(repo.path).add(name, repo.head())
    slot = GitRepo(tree.path)
    slot.write("work.txt", "precious\n")
    return slot


def assert_rescued(repo: GitRepo, label: str) -> None:
    name = repo.git("for-each-ref", "--format=%(refname)", f"refs/planctl/rescue/{label}")
    assert repo.show(name, "work.txt") == "precious\n"


def test_p9_a_folder_of_the_pool_without_a_row_is_rescued_and_taken_in(repo: GitRepo) -> None:
    slot = a_worktree(repo)
    mended(repo, "folder-without-row", "slot-01")
    assert slot_states(repo) == {"slot-01": SlotState.FREE}
    assert_rescued(repo, "slot-01")
    assert slot.git("status", "--porcelain") == ""


def test_a_row_without_its_folder_is_removed(repo: GitRepo) -> None:
    with store_of(repo) as store:
        add_dead_session(store)
        store.add_slot(a_slot(state=SlotState.LEASED, session="dead", attempt="unknown", plan="api"))
        store.add_slot(a_slot("slot-02", state=SlotState.FREE))
    assert "slot-without-folder slot-02" in issues(doctor(repo))
    mended(repo, "slot-without-folder", "slot-01")
    assert set(slot_states(repo).values()) == {SlotState.REMOVED}


@pytest.mark.parametrize("state", [SlotState.LEASED, SlotState.RESCUING])
def test_p9_a_slot_that_its_dead_session_held_is_rescued_and_free(repo: GitRepo, state: SlotState) -> None:
    slot = a_worktree(repo)
    with store_of(repo) as store:
        add_dead_session(store)
        store.add_slot(
            a_slot(path=str(slot.path), state=state, session="dead", attempt="unknown", plan="api")
        )
    mended(repo, "slot-orphaned", "slot-01")
    assert slot_states(repo) == {"slot-01": SlotState.FREE}
    assert_rescued(repo, "api")


def test_the_slot_of_an_attempt_that_failed_is_its_own_until_it_is_retried(repo: GitRepo) -> None:
    slot = a_worktree(repo)
    with store_of(repo) as store:
        store.add_run(a_run(state=RunState.FINISHED))
        store.add_attempt(an_attempt(state=AttemptState.FAILED))
        store.add_slot(
            a_slot(path=str(slot.path), state=SlotState.LEASED, session="s1", attempt="a1", plan="api")
        )
    assert doctor(repo, "--fix").code == 0
    assert slot_states(repo) == {"slot-01": SlotState.LEASED}
    assert (slot.path / "work.txt").exists()


def test_p9_a_broken_slot_is_mended_and_a_quarantined_one_waits_for_a_person(repo: GitRepo) -> None:
    slot, other = a_worktree(repo), a_worktree(repo, "slot-02")
    (other.path / "inner").mkdir()
    GitRepo(other.path / "inner").git("init", "-q")
    with store_of(repo) as store:
        store.add_slot(a_slot(path=str(slot.path), state=SlotState.BROKEN, detail="a full disk"))
        store.add_slot(a_slot("slot-02", path=str(other.path), state=SlotState.BROKEN))
    said = doctor(repo, "--fix")
    assert slot_states(repo) == {"slot-01": SlotState.FREE, "slot-02": SlotState.QUARANTINED}
    assert_rescued(repo, "slot-01")
    assert issues(said)["slot-broken slot-01"]["fixed"] is True
    waits = issues(said)["slot-quarantined slot-02"]
    assert (waits["severity"], waits["fixable"]) == ("warning", False)
    assert (other.path / "work.txt").exists()
    assert doctor(repo, "--fix").code == 0


def test_s1_7_locks_that_killed_git_children_left_are_removed_and_others_only_named(repo: GitRepo) -> None:
    with bench_at(repo) as (bench, _):
        pool_of(repo.path)
        assert bench.git.run("hash-object", "-w", "--stdin", stdin=b"x", writes=True).text
    ours = repo.write(".git/refs/planctl/landed/api/k.lock", "")
    index = repo.write(".git/index.lock", "")
    branch = repo.write(".git/refs/heads/feature.lock", "")
    mended(repo, "lock-left", "refs/planctl/landed/api/k.lock")
    assert (ours.exists(), index.exists(), branch.exists()) == (False, True, True)
    warned = issues(doctor(repo))
    assert set(warned) == {"lock-foreign index.lock", "lock-foreign refs/heads/feature.lock"}
    assert {w["severity"] for w in warned.values()} == {"warning"}
    target = repo.write(".git/refs/heads/main.lock", "")
    said = doctor(repo, "--fix")
    assert said.code == 1
    assert issues(said)["target-locked refs/heads/main.lock"]["fixable"] is False
    assert target.exists()


def test_s1_7_no_lock_is_removed_while_a_git_child_of_planctl_lives(repo: GitRepo) -> None:
    import fcntl

    with bench_at(repo):
        pass
    ours = repo.write(".git/refs/planctl/landed/api/k.lock", "")
    with (repo.path / ".git" / "planctl" / "git-write.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        said = doctor(repo, "--fix")
        assert "lock-left" not in {i["code"] for i in said.data["issues"]}
        assert ours.exists()
    assert doctor(repo, "--fix").code == 0
    assert not ours.exists()


def test_s1_7_a_lock_in_a_slot_goes_only_when_nobody_can_be_at_work_there(repo: GitRepo) -> None:
    slot = a_worktree(repo)
    lock = repo.write(".git/worktrees/slot-01/index.lock", "")
    with store_of(repo) as store:
        store.add_run(a_run(state=RunState.FINISHED))
        store.add_attempt(an_attempt(state=AttemptState.PREPARED))
        store.add_slot(a_slot(path=str(slot.path), state=SlotState.LEASED, attempt="a1", plan="api"))
    assert doctor(repo, "--fix").code == 0, "somebody may be at work there by hand"
    assert lock.exists()
    with store_of(repo) as store:
        attempt = store.attempt("a1")
        assert attempt is not None
        store.move_attempt(attempt, AttemptState.CANCELLED)
    mended(repo, "slot-lock-left", "worktrees/slot-01/index.lock")
    assert not lock.exists()
    assert (slot.path / "work.txt").exists()


def test_a_landing_that_was_cut_short_is_finished_or_undone(repo: GitRepo) -> None:
    head = repo.branch("plan/api", {"api.txt": "x\n"})
    with store_of(repo) as store:
        add_dead_session(store)
        base = repo.head()
        store.add_entry(
            an_entry(head=head, base=base, target="refs/heads/main", state=EntryState.LANDING, candidate=head)
        )
        store.add_intent(an_intent(old=base, new=head))
    assert "entry-half-way e1" in issues(doctor(repo))
    mended(repo, "intent-open", "i1")
    with reading(repo) as store:
        assert store.intents({IntentState.OPEN}) == []
        entry = store.entry("e1")
        assert entry is not None
        assert entry.state is EntryState.QUEUED
    assert repo.head() == base


def test_a_queue_worker_that_lives_sees_to_its_own_landings(repo: GitRepo) -> None:
    with bench_at(repo) as (bench, session):
        held = session.hold(f"queue:{bench.target}", "landing")
        bench.store.add_entry(an_entry(target=bench.target, state=EntryState.MERGING, head=repo.head()))
        said = doctor(repo)
        session.release(held)
    assert (said.code, said.data["issues"]) == (0, [])


def test_p9_a_candidate_whose_entry_has_ended_goes(repo: GitRepo) -> None:
    """A worker was killed after its landing was done and before it let go of the candidate."""
    head = repo.head()
    with store_of(repo) as store:
        landed = {"state": EntryState.LANDED, "candidate": head, "landed_commit": head}
        store.add_entry(an_entry(head=head, base=head, target="refs/heads/main", **landed))
    repo.git("update-ref", "refs/planctl/candidates/e1", head)
    mended(repo, "candidate-left", "refs/planctl/candidates/e1")
    assert repo.git("for-each-ref", "refs/planctl/candidates") == ""


def test_p9_a_candidate_of_no_entry_is_parked_before_its_reference_goes(repo: GitRepo) -> None:
    lost = repo.branch("work", {"api.txt": "x\n"})
    for name, commit in (("lonely", lost), ("landed", repo.head())):
        repo.git("update-ref", f"refs/planctl/candidates/{name}", commit)
    repo.git("branch", "-D", "-q", "work")
    assert len(issues(doctor(repo), "candidate-without-entry")) == 2
    mended(repo, "candidate-without-entry", "refs/planctl/candidates/lonely")
    left = repo.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/planctl")
    assert [line.split()[1] for line in left.splitlines() if "/archive/" in line] == [lost]
    assert "refs/planctl/candidates/" not in left


def test_a_head_is_lonely_only_where_nobody_lives_who_may_be_about_to_store_its_entry(repo: GitRepo) -> None:
    """A run pins a head before it stores the entry; doctor looks at a copy of the store made before both."""
    pinned = head_reference("f" * 20)
    repo.git("update-ref", pinned, repo.head())
    key = f"candidate-without-entry {pinned}"
    with bench_at(repo) as (bench, session):
        first = diagnosed.examine(bench.repository, bench.stores, frozenset({session.id}))
        (issue,) = (issue for issue in first.issues if issue.code == "candidate-without-entry")
        begins = add_session(bench.store, "begins", os.getpid(), started(os.getpid()) or 0.0)
        said = doctor(repo)
        assert key not in issues(said)
        assert said.data["healthy"] is True
        assert issue.cure is not None
        issue.cure(bench, session)
        assert bench.references.read(pinned) is not None, "its entry is about to be stored"
        bench.store.move_session(begins, SessionState.ENDED)
        issue.cure(bench, session)
        assert bench.references.read(pinned) is None


def test_s3_1_a_corrupt_store_is_set_aside_by_fix_and_by_nothing_else(repo: GitRepo) -> None:
    with store_of(repo) as store:
        store.add_run(a_run())
    path = repo.path / ".git" / "planctl" / "state.db"
    path.write_bytes(b"SQLite format 3\0" + b"garbage" * 2000)
    damaged = path.read_bytes()
    said = doctor(repo)
    assert said.code == 1
    assert issues(said)[f"store-unusable {path}"]["fixable"] is True
    assert path.read_bytes() == damaged
    fixing = doctor(repo, "--fix")
    assert fixing.code == 0, fixing
    (aside,) = [i for i in issues(fixing).values() if i["code"] == "store-set-aside"]
    assert Path(aside["subject"]).read_bytes() == damaged


def test_a_store_of_a_newer_planctl_is_left_alone(repo: GitRepo) -> None:
    import sqlite3

    with store_of(repo):
        pass
    path = repo.path / ".git" / "planctl" / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    for arguments in ((), ("--fix",)):
        said = doctor(repo, *arguments)
        assert said.code == 1
        assert issues(said)[f"store-unusable {path}"]["fixable"] is False


def test_p12_a_stash_entry_that_vanished_is_named_with_the_way_to_have_it_again(repo: GitRepo) -> None:
    repo.write("src/a.py", "stashed\n")
    repo.git("stash", "push", "-q", "-m", "mine")
    entry = repo.head("refs/stash")
    repo.git("update-ref", f"refs/planctl/archive/stash/{entry}", entry)
    assert doctor(repo).data["issues"] == []
    repo.git("stash", "drop", "-q")
    said = doctor(repo)
    assert said.code == 0
    hint = issues(said)[f"stash-vanished {entry}"]
    assert "mine" in hint["detail"]
    repo.git("stash", "apply", "-q", f"refs/planctl/archive/stash/{entry}")
    assert (repo.path / "src/a.py").read_text(encoding="utf-8") == "stashed\n"


def test_a_slot_whose_making_was_killed_is_unmade(repo: GitRepo) -> None:
    from tests.support.pools import slots_left, start_add

    making = start_add(repo, repo.head(), "slot-01", kill_at="provision.checkout:before")
    making.communicate(timeout=LIMIT)
    assert making.returncode == -signal.SIGKILL
    mended(repo, "slot-half-made", "slot-01")
    assert slots_left(repo) == []


def test_a_worktree_by_hand_whose_making_was_killed_is_lost_and_its_slot_free(repo: GitRepo) -> None:
    write_plan(repo, "one", "exit 7")
    repo.commit("plan")
    adding = cli(repo, "worktree", "add", "one", env={**os.environ, "PLANCTL_KILL_AT": "pointer.write:after"})
    adding.communicate(timeout=LIMIT)
    assert adding.returncode == -signal.SIGKILL
    with reading(repo) as store:
        (attempt,) = store.attempts(plan="one")
    mended(repo, "attempt-half-prepared", attempt.id)
    assert planctl("worktree", "add", "one", repo=repo.path).code == 0


def test_a_cure_that_fails_is_named_and_the_others_are_tried(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_worktree(repo)
    with store_of(repo) as store:
        store.add_slot(a_slot("slot-02", state=SlotState.FREE))

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("orchestrator.services.diagnosis.slots.adopt_folder", fail)
    said = doctor(repo, "--fix")
    assert said.code == 1
    found = issues(said)
    key = "folder-without-row slot-01"
    assert (found[key]["fixed"], found["slot-without-folder slot-02"]["fixed"]) == (False, True)
    shown = planctl("doctor", "--fix", repo=repo.path)
    assert f"not mended: {key}: no space left" in shown.stderr


def test_p9_a_folder_is_not_touched_while_an_unknown_command_of_this_repository_lives(repo: GitRepo) -> None:
    slot, me = a_worktree(repo), platforms.find_process(os.getpid())
    assert me is not None
    records = repo.path / ".git" / "planctl" / "records" / "forgotten-0"
    records.mkdir(parents=True)
    record = {
        "attempt": "forgotten-0", "pid": os.getpid(), "started": 0.0, "supervisor": os.getpid(),
        "supervisor_started": me.started,
        "boot": SystemClock().boot(), "grace": 1.0,
    }  # fmt: skip
    (records / "started").write_text(json.dumps(record), encoding="ascii")
    command = subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        env={**os.environ, platforms.MARKER: "forgotten-0"},
    )
    try:
        said = doctor(repo, "--fix")
        assert issues(said)["folder-without-row slot-01"]["fixable"] is False
        assert (slot.path / "work.txt").exists()
    finally:
        command.communicate(b"\n", timeout=LIMIT)
    assert doctor(repo, "--fix").code == 0


def test_drafts_of_killed_writers_beside_the_users_files_are_found_and_those_of_living_ones_left(
    repo: GitRepo,
) -> None:
    info = repo.path / ".git" / "info"
    info.mkdir(exist_ok=True)
    with subprocess.Popen(["true"]) as gone:
        pass
    names = (f".exclude.{gone.pid}-ab.tmp", f".exclude.{os.getpid()}-ab.tmp", ".exclude.tmp")
    left, living, foreign = (info / name for name in names)
    for path in (left, living, foreign):
        path.write_text("draft\n")
    key = f"temporary-left {left}"
    assert issues(doctor(repo))[key]["fixable"] is True
    assert left.exists()
    assert issues(doctor(repo, "--fix"))[key]["fixed"] is True
    assert (left.exists(), living.exists(), foreign.exists()) == (False, True, True)


def test_p9_what_plans_have_put_out_is_no_litter_whatever_it_is_called(repo: GitRepo) -> None:
    """A plan ``new-1-api``, and a file that is named like a draft of a process that is gone."""
    pid = dead_process()[0]
    state = repo.path / ".git/planctl"
    kept = [
        state / f"outputs/new-{pid}-api/report.txt",
        state / f"outputs/api/data.{pid}.tmp",
        pool_of(repo.path).folder / f"plans/new-{pid}-api",
    ]
    left = state / f"snapshot-{pid}-x"
    for path in (*kept, left):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("work\n")
    assert list(issues(doctor(repo, "--fix"), "temporary-left")) == [f"temporary-left {left}"]
    assert [path.exists() for path in (*kept, left)] == [True, True, True, False]


_TAKE = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)"


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_s1_6_the_second_look_takes_no_lock_of_the_store_away(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte 128 of the shared memory: without a lock on it another process truncates what is mapped here."""
    with store_of(repo) as store:
        add_dead_session(store)
        store.add_run(a_run(session="dead"))  # its cure writes, so that the log has an index
    taken: list[int] = []
    real = diagnosed.examine

    def examine(*args: Any) -> diagnosed.Report:
        report = real(*args)
        shared = str(repo.path / ".git/planctl/state.db-shm")
        if args[2] is not None:  # the second look, under the session of doctor
            argv = [sys.executable, "-S", "-c", _TAKE, shared]
            taken.append(subprocess.run(argv, check=False, stderr=subprocess.DEVNULL).returncode)
        return report

    monkeypatch.setattr(diagnosed, "examine", examine)
    assert issues(doctor(repo, "--fix"))["run-abandoned r1"]["fixed"] is True
    assert taken
    assert all(taken), "the lock was free for another process"
    before = contents(repo.path / ".git")
    doctor(repo)
    assert contents(repo.path / ".git") == before
