"""Looks at a real main checkout while plans are at work: who is pointed to, and who is not (P13)."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.running.platforms import MARKER
from orchestrator.scheduling import leakclues, leaktable
from orchestrator.scheduling.leaks import Trace
from orchestrator.scheduling.leakwatch import LeakWatch
from orchestrator.states import AttemptState as A
from orchestrator.submitting.published import outputs_of
from orchestrator.workbench import Workbench
from plans.ids import PlanId
from plans.project import Leaks
from tests.support.faces import bench_at, contents
from tests.support.records import a_run, an_attempt
from tests.support.repo import GitRepo
from tests.support.views import a_plan


@pytest.fixture
def bench(repo: GitRepo) -> Iterator[Workbench]:
    repo.commit("files", {"one": "1\n", "two": "2\n"})
    with bench_at(repo) as (bench, _):
        yield bench


class Scene:
    """A run with ``a`` (declares ``one``) and ``b`` at work, each in a worktree of its own."""

    def __init__(self, repo: GitRepo, bench: Workbench) -> None:
        self.repo, self.bench = repo, bench
        bench.store.add_run(a_run(session=bench.session, plans=("a", "b"), options={}, target=bench.target))
        for plan in "ab":
            place = repo.path.parent / plan
            repo.git("worktree", "add", "-q", "--detach", str(place))
            bench.store.add_attempt(an_attempt(plan, plan=plan, base=bench.target_tip()))
            self.move(plan, A.PREPARING, worktree=str(place), started_at=bench.clock.now())
            self.move(plan, A.RUNNING, supervisor=f"{plan}-0")
        self.watch = self.fresh(bench)

    def fresh(self, bench: Workbench) -> LeakWatch:
        plans = {PlanId("a"): a_plan("a", write=["one"]), PlanId("b"): a_plan("b", write=["b"])}
        return LeakWatch(bench, "r1", plans)

    def move(self, key: str, to: A, **changes: Any) -> None:
        attempt = self.bench.store.attempt(key)
        assert attempt is not None
        self.bench.store.move_attempt(attempt, to, **changes)

    def rows(self) -> dict[str, tuple[str, set[Trace]]]:
        rows = leaktable.load(self.bench.store, "r1").rows
        return {path: (leak.plan, {clue.trace for clue in leak.clues}) for path, leak in rows.items()}

    def told(self) -> list[tuple[str, str | None]]:
        return [(e.event, e.plan) for e in self.bench.store.events_after(0)]


def untouched(repo: GitRepo) -> dict[str, tuple[bytes, int]]:
    """All of the user's bytes and times, git's included."""
    found = contents(repo.path)
    return {name: file for name, file in found.items() if not name.startswith(".git/planctl/")}


@pytest.fixture
def scene(repo: GitRepo, bench: Workbench) -> Scene:
    return Scene(repo, bench)


def test_p13_the_users_own_edits_are_listed_with_who_ran_and_laid_at_nobodys_door(scene: Scene) -> None:
    scene.watch.look()
    scene.repo.write("one", "mine\n")
    scene.repo.write("new", "mine\n")
    before = untouched(scene.repo)
    assert scene.watch.look()
    assert untouched(scene.repo) == before
    assert scene.rows() == {"one": ("", {Trace.DECLARED}), "new": ("", set())}
    (leak, _) = leaktable.load(scene.bench.store, "r1").rows.values()
    assert leak.candidates == ("a", "b")
    assert scene.told() == [("checkout.written", None)] * 2
    scene.repo.write("one", "more\n")
    assert not scene.watch.look(), "told once"
    scene.repo.git("commit", "-qam", "mine")
    (scene.repo.path / "new").unlink()
    assert scene.watch.look()
    assert scene.rows() == {}
    assert scene.told()[-1] == ("checkout.cleared", None)


def test_p13_what_a_plan_has_in_its_worktree_points_to_it(scene: Scene) -> None:
    """Not what both have since before, nor what the worktree has since it was made."""
    scene.watch.look()
    scene.repo.write("new", "work of a\n")
    (scene.repo.path.parent / "a" / "new").write_text("work of a\n")
    scene.repo.write("one", "2\n")
    (scene.repo.path.parent / "b" / "one").write_text("")
    scene.repo.write("link", "")
    assert scene.watch.look()
    rows = scene.rows()
    assert rows["new"] == ("a", {Trace.CONTENT})
    assert rows["one"] == ("", {Trace.DECLARED})
    assert ("plan.leaked", "a") in scene.told()


def test_p13_an_output_that_names_the_file_there_points_to_its_plan_also_later(scene: Scene) -> None:
    scene.watch.look()
    scene.repo.write("new", "x\n")
    scene.repo.write("newer", "x\n")
    scene.watch.look()
    assert scene.rows()["new"] == ("", set())
    log = outputs_of(scene.bench, PlanId("b")).log
    log.parent.mkdir(parents=True)
    log.write_text(f"edited {scene.repo.path}/new, and {scene.repo.path.parent}/b/newer; new\n")
    assert scene.watch.look()
    assert scene.rows() == {"new": ("b", {Trace.NAMED}), "newer": ("", set())}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="other processes are seen on Linux only")
def test_p13_a_process_of_a_plan_that_is_there_or_has_the_file_open_is_seen(scene: Scene) -> None:
    """A shell of the user's is there, too, with another file open; ``b`` only logs into the git folder."""
    scene.watch.look()
    worktree = shlex.quote(str(scene.repo.path.parent / "b"))
    script = "exec 5>>two; echo x >&5; echo; read x"
    theirs = "exec 5>>one; echo x >&5; echo; read x"
    logs = f"exec 5>>.git/log; cd {worktree}; echo; read x"
    shells = []
    for marker, text in (({MARKER: "a-0"}, script), ({}, theirs), ({MARKER: "b-0"}, logs)):
        shell = subprocess.Popen(
            ["sh", "-c", text],
            cwd=scene.repo.path,
            env={**os.environ, **marker},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        shells.append(shell)
        assert shell.stdout is not None
        shell.stdout.readline()
    scene.watch.look_around()
    for shell in shells:
        shell.communicate(b"\n")
    assert scene.watch.look()
    assert scene.rows()["two"] == ("a", {Trace.OPEN, Trace.STOOD})
    assert scene.rows()["one"] == ("a", {Trace.STOOD, Trace.DECLARED})
    rows = leaktable.load(scene.bench.store, "r1").rows
    assert not rows["one"].holds, "that a process of a stood there says nothing of this file"
    assert rows["two"].holds
    scene.repo.write("later", "x\n")
    scene.watch.look()
    assert scene.rows()["later"] == ("", set()), "who was there before is no clue any more"


def end(scene: Scene, plan: str, state: A) -> None:
    """It ends a millisecond before the next look: who ends in that of a look may write after it."""
    now = scene.bench.clock.now
    scene.move(plan, state, finished_at=(moment := now()))
    while now() == moment:
        pass


def test_p13_only_who_was_at_work_since_the_last_look_is_a_candidate(scene: Scene) -> None:
    scene.watch.look()
    end(scene, "a", A.FINISHED)
    scene.repo.write("x", "x\n")
    scene.watch.look()
    scene.repo.write("y", "y\n")
    scene.watch.look()
    end(scene, "b", A.FAILED)
    scene.watch.look()
    scene.repo.write("z", "z\n")
    scene.watch.look()
    rows = leaktable.load(scene.bench.store, "r1").rows
    assert {path: leak.candidates for path, leak in rows.items()} == {"x": ("a", "b"), "y": ("b",)}
    (scene.repo.path / "x").unlink()
    assert scene.watch.look(), "what is put back is seen all the same: work may be waiting for it"
    assert set(scene.rows()) == {"y"}


def test_p13_who_goes_on_begins_where_the_last_look_was(scene: Scene) -> None:
    """A conductor that was killed; its commands live on, and write meanwhile."""
    scene.repo.write("before", "x\n")
    scene.watch.look()
    scene.repo.write("after", "x\n")
    scene.fresh(scene.bench).look()
    assert set(scene.rows()) == {"before", "after"}


def test_p13_while_the_user_rebases_nothing_is_told_and_afterwards_it_is(scene: Scene) -> None:
    scene.watch.look()
    merge = scene.repo.path / ".git" / "MERGE_HEAD"
    merge.write_text(scene.repo.head() + "\n")
    scene.repo.write("x", "x\n")
    scene.watch.look_at_the_end()
    assert scene.rows() == {}
    merge.unlink()
    scene.watch.look_at_the_end()
    assert set(scene.rows()) == {"x"}


def test_p13_off_is_off(scene: Scene) -> None:
    settings = scene.bench.settings
    project = replace(settings.project, leaks=Leaks.OFF)
    bench = replace(scene.bench, settings=replace(settings, project=project))
    watch = scene.fresh(bench)
    scene.repo.write("x", "x\n")
    assert not watch.look()
    watch.look_around()
    watch.watch(threading.Event(), lambda: None)
    assert scene.rows() == {}


def test_p13_outputs_and_worktrees_inside_the_checkout_are_nobodys_leak(scene: Scene) -> None:
    settings = scene.bench.settings
    project = replace(settings.project, outputs="out", worktrees="trees")
    bench = replace(scene.bench, settings=replace(settings, project=project))
    watch = scene.fresh(bench)
    watch.look()
    for name in ("out/a/log", "trees/x", "out.txt"):
        scene.repo.write(name, "x\n")
    watch.look()
    assert set(scene.rows()) == {"out.txt"}


def test_p13_names_of_any_bytes_are_listed(scene: Scene) -> None:
    scene.watch.look()
    name = os.fsdecode(b"caf\xe9\n")
    for top in (scene.repo.path, scene.repo.path.parent / "a"):
        (top / name).write_text("work of a\n")
    scene.watch.look()
    assert scene.rows() == {name: ("a", {Trace.CONTENT})}


def test_p13_a_process_of_an_earlier_command_of_the_plan_points_to_it(scene: Scene) -> None:
    scene.watch.look()
    script = "exec 5>>two; echo x >&5; echo; read x"
    with subprocess.Popen(
        ["sh", "-c", script],
        cwd=scene.repo.path,
        env={**os.environ, MARKER: "a-0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        scene.watch.look_around()
        shell.communicate(b"\n")
    attempt = scene.bench.store.attempt("a")
    assert attempt is not None
    scene.bench.store.update_attempt(attempt, supervisor="a-1")
    scene.watch.look()
    assert scene.rows() == {"two": ("a", {Trace.OPEN, Trace.STOOD})}


def test_p13_thousands_of_new_files_of_the_user_cost_no_search_for_each_and_hide_no_leak(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.watch.look()
    for number in range(300):
        scene.repo.write(f"mine/{number}", "x\n")
    read: list[str] = []
    monkeypatch.setattr(leakclues, "look", lambda _, path: read.append(path))
    scene.watch.look()
    assert read == []
    monkeypatch.undo()
    assert len(scene.rows()) == leaktable.MOST_ROWS
    scene.repo.write("new", "work of a\n")
    (scene.repo.path.parent / "a" / "new").write_text("work of a\n")
    scene.watch.look()
    assert scene.rows()["new"] == ("a", {Trace.CONTENT})
