"""P27, P9: what is kept is let go when ``retention:`` says so, and said; else it stays."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.services.retention import Thing, due, let_go, let_go_daily
from orchestrator.states import AttemptState, RunState, SessionState
from orchestrator.workbench import Workbench
from tests.support.cli import planctl
from tests.support.faces import bench_at
from tests.support.records import a_run, a_session, an_attempt
from tests.support.repo import GitRepo
from worktrees.packing import pack_references

OLD = "2020-01-01T00:00:00.000Z"
DAY = 24 * 3600.0
ENOUGH = 5000
"""Files that come and go while somebody looks."""


@pytest.fixture
def bench(repo: GitRepo) -> Iterator[Workbench]:
    with bench_at(repo) as (made, _):
        yield made


def keeping(bench: Workbench, **seconds: float) -> Workbench:
    project = replace(bench.settings.project, retention=seconds)
    return replace(bench, settings=replace(bench.settings, project=project))


def old_commit(repo: GitRepo, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    with monkeypatch.context() as dated:
        dated.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
        return repo.git("commit-tree", "HEAD^{tree}", "-m", text)


def kept(repo: GitRepo, kind: str) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)", f"refs/planctl/{kind}").splitlines()


def aged(path: Path, days: float = 400) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text("x\n", encoding="utf-8")
    then = path.stat().st_mtime - days * DAY
    os.utime(path, (then, then))
    return path


def said(bench: Workbench) -> dict[str, list[str]]:
    events = [e for e in bench.store.events_after(0) if e.event == "retention.let-go"]
    return {e.data["kind"]: e.data["names"] for e in events}


def test_p9_nothing_that_is_work_goes_unless_asked_for(
    bench: Workbench, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("rescue/a/01", "archive/a/1", "landed/a/k"):
        repo.git("update-ref", f"refs/planctl/{kind}", old_commit(repo, monkeypatch, kind))
    output = aged(bench.repository.state_dir / "outputs" / "a" / "findings" / "x.txt")
    before = kept(repo, "")
    assert let_go(bench) == ()
    assert kept(repo, "") == before
    assert output.exists()
    assert said(bench) == {}


def test_p27_rescues_go_by_the_age_of_their_snapshot_and_it_is_said(
    bench: Workbench, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.git("update-ref", "refs/planctl/rescue/a/01", old_commit(repo, monkeypatch, "old"))
    repo.git("update-ref", "refs/planctl/rescue/a/02", "HEAD")
    asking = keeping(bench, rescue=30 * DAY)
    assert [one.name for one in let_go(asking)] == ["refs/planctl/rescue/a/01"]
    assert kept(repo, "rescue") == ["refs/planctl/rescue/a/02"]
    assert said(bench) == {"rescue": ["refs/planctl/rescue/a/01"]}
    assert let_go(asking) == ()


def test_p27_what_is_archived_goes_by_the_time_it_has_been_there(
    bench: Workbench, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("README.md", "stashed\n")
    repo.git("stash", "push", "-q")
    stash = repo.head("stash@{0}")
    repo.git("update-ref", f"refs/planctl/archive/stash/{stash}", stash)
    repo.git(
        "update-ref", "refs/planctl/archive/a/1", old_commit(repo, monkeypatch, "an old commit, parked now")
    )
    asking = keeping(bench, archive=30 * DAY)
    assert let_go(asking) == (), "seen for the first time"
    later = "2199-01-01T00:00:00.000Z"
    monkeypatch.setattr(type(bench.clock), "now", lambda _self: later)
    repo.git("update-ref", "refs/planctl/archive/a/2", "HEAD")
    assert [one.name for one in let_go(asking)] == ["refs/planctl/archive/a/1"]
    assert kept(repo, "archive") == ["refs/planctl/archive/a/2", f"refs/planctl/archive/stash/{stash}"]


def test_p27_logs_records_and_outputs_of_what_is_over(bench: Workbench) -> None:
    state = bench.repository.state_dir
    bench.store.add_run(a_run())
    bench.store.add_attempt(an_attempt("a1", plan="works", state=AttemptState.RUNNING))
    old = [aged(state / "checks" / "1.log"), aged(state / "logs" / "f.log")]
    young = aged(state / "checks" / "2.log", days=1)
    for name in ("a1-1", "gone-1"):
        aged(state / "records" / name / "started")
        aged(state / "records" / name)
    aged(state / "outputs" / "over" / "log")
    aged(state / "outputs" / "works" / "log")
    for plan in ("over", "works"):
        aged(state / "outputs" / plan)
    let_go(keeping(bench, outputs=30 * DAY))
    assert not any(path.exists() for path in (*old, state / "records" / "gone-1", state / "outputs" / "over"))
    assert young.exists()
    assert (state / "records" / "a1-1" / "started").exists(), "its plan is at work"
    assert (state / "outputs" / "works" / "log").exists()


def test_p27_what_goes_away_while_one_looks_is_not_old(bench: Workbench) -> None:
    outputs = bench.repository.state_dir / "outputs" / "api"
    outputs.mkdir(parents=True)
    over, rounds = threading.Event(), itertools.count()

    def work() -> None:
        while not over.is_set():
            (outputs / "log.new").write_text("x\n", encoding="utf-8")
            (outputs / "log.new").replace(outputs / "log")
            next(rounds)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        while next(rounds) < ENOUGH:
            found = due(
                bench.git, bench.store, keeping(bench, outputs=1.0).settings.project, bench.clock.now()
            )
            assert not [what for what in found if what.thing is Thing.OUTPUTS]
    finally:
        over.set()
        worker.join()


def test_p27_frozen_plans_sessions_and_events(bench: Workbench, repo: GitRepo) -> None:
    for number, state in enumerate((AttemptState.LANDED, AttemptState.FAILED)):
        run = a_run(f"r{number}", state=RunState.FINISHED, finished_at=OLD)
        bench.store.add_run(run)
        bench.store.add_attempt(an_attempt(f"a{number}", run=run.id, state=state))
        repo.git("update-ref", f"refs/planctl/runs/{run.id}", "HEAD")
    bench.store.add_session(a_session("old", state=SessionState.ENDED, ended_at=OLD))
    bench.store.emit("ancient", at=OLD)
    let_go(bench)
    assert kept(repo, "runs") == ["refs/planctl/runs/r1"], "what failed may be tried again"
    assert bench.store.session("old") is None
    assert [e.event for e in bench.store.events_after(0) if e.ts == OLD] == []
    forever = keeping(bench, events=float("inf"))
    bench.store.emit("ancient", at=OLD)
    let_go(forever)
    assert [e.event for e in bench.store.events_after(0) if e.ts == OLD] == ["ancient"]


def test_p27_once_a_day_and_a_failure_is_an_event(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    old = aged(bench.repository.state_dir / "checks" / "1.log")
    let_go_daily(bench)
    assert not old.exists()
    aged(old)
    let_go_daily(bench)
    assert old.exists()
    bench.store.set_value("retention.last", OLD)

    def fails(_path: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr("orchestrator.services.retention.delete_tree", fails)
    let_go_daily(bench)
    assert [e.data["detail"] for e in bench.store.events_after(0) if e.event == "retention.failed"] == ["no"]


def test_p27_doctor_names_what_is_due_and_lets_it_go(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit("settings", {"planctl.yaml": "retention: {rescue: 30d}\n"})
    repo.git("update-ref", "refs/planctl/rescue/a/01", old_commit(repo, monkeypatch, "old"))
    issues = planctl("doctor", "--json", repo=repo.path).data["issues"]
    assert "refs/planctl/rescue/a/01" in [i["subject"] for i in issues if i["code"] == "retention-due"]
    assert kept(repo, "rescue") == ["refs/planctl/rescue/a/01"]
    planctl("doctor", "--fix", repo=repo.path)
    assert kept(repo, "rescue") == []


def test_p27_many_landed_references_are_packed_and_kept(bench: Workbench, repo: GitRepo) -> None:
    lines = "".join(f"create refs/planctl/landed/a/{n} {repo.head()}\n" for n in range(20))
    repo.git("update-ref", "--stdin", stdin=lines)
    repo.git("config", "gc.packRefs", "false")
    only_ours = bench.git.version >= (2, 42)
    assert pack_references(bench.git, many=20) is only_ours
    repo.git("config", "--unset", "gc.packRefs")
    assert pack_references(bench.git, many=20) is not only_ours
    assert len(kept(repo, "landed")) == 20
    assert not list((repo.path / ".git" / "refs" / "planctl" / "landed").rglob("1*"))
    assert pack_references(bench.git, many=20) is False
