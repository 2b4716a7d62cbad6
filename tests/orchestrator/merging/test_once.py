"""S4: the same head is one entry and lands once, however often and from wherever it is handed in."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator.errors import NothingToDoError, RevertConflictError, UsageError
from orchestrator.merging import settle as settling
from orchestrator.services.enqueue import add
from orchestrator.services.revert import revert
from orchestrator.states import EntryState, IntentState
from orchestrator.store.records import Attempt
from orchestrator.submitting.key import landing_key
from orchestrator.workbench import Workbench
from tests.support.plans import commit_plans
from tests.support.process import run, start
from tests.support.queues import MAIN, Queue, configure, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from worktrees.references import Change, References


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue
    require_sound(repo)


def test_s4_the_same_head_twice_is_one_entry(queue: Queue) -> None:
    one = queue.work("one", {"one": "1\n"})
    assert one.id == landing_key(MAIN, "one", queue.repo.head("one"))
    assert queue.add("one").id == one.id
    queue.drain()
    assert queue.add("one").state is EntryState.LANDED
    queue.drain()
    assert landed_once(queue.repo, one.id) == queue.main()
    assert len(queue.bench.store.entries()) == 1


def test_s4_the_same_work_under_another_name_brings_nothing_twice(queue: Queue) -> None:
    queue.land("one", {"one": "1\n"})
    tip = queue.main()
    queue.repo.git("branch", "alias", "one")
    alias = queue.add("alias")
    queue.drain()
    ended = queue.entry(alias)
    assert (ended.state, ended.landed_commit) == (EntryState.LANDED, queue.repo.head("alias"))
    assert queue.main() == tip


def test_s4_many_processes_merge_the_same_heads(repo: GitRepo) -> None:
    configure(repo, check="test -e README.md", queue="serial")
    repo.branch("one", {"one": "1\n"})
    repo.branch("two", {"two": "2\n"})
    started = [start("merge", "one", "two", "--json", cwd=repo.path) for _ in range(3)]
    for process in started:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, (out, err)
    with queue_of(repo) as queue:
        assert queue.states() == {"one": "landed", "two": "landed"}
        assert queue.checks_run() == 2
        for entry in queue.bench.store.entries():
            landed_once(repo, entry.id)
    assert repo.git("status", "--porcelain") == ""
    require_sound(repo)


def test_s4_many_processes_merge_different_heads(repo: GitRepo) -> None:
    configure(repo, check="test -e README.md", queue="serial")
    names = [f"w{n}" for n in range(4)]
    for name in names:
        repo.branch(name, {f"{name}.txt": "1\n"})
    started = [start("merge", name, cwd=repo.path) for name in names]
    for process in started:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, (out, err)
    assert repo.git("rev-list", "--count", "--first-parent", "main") == "6"
    assert repo.git("status", "--porcelain") == ""
    require_sound(repo)


PROXY = """
import os, pathlib, signal, subprocess, sys
folder, real, rules, *argv = sys.argv[1:]
git = subprocess.Popen([real, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
said = b""
while heard := os.read(0, 65536):
    said += heard
    rule = next((r for r in rules.split() if f"/landed/{r.partition('=')[0]}/".encode() in said), "")
    when = rule.partition("=")[2] if heard == b"commit\\0" and not pathlib.Path(folder, rule).exists() else ""
    if when:
        pathlib.Path(folder, rule).touch()
    if when == "planctl":
        os.kill(os.getppid(), signal.SIGKILL)
    if when == "before":
        git.kill()
        git.wait()
        os.kill(os.getpid(), signal.SIGKILL)
    git.stdin.write(heard)
    git.stdin.flush()
    asked = [word for word in heard.split(b"\\0") if word in (b"start", b"prepare", b"commit")]
    answers = [git.stdout.readline() for word in asked]
    if b"" in answers:  # git has ended, and has said why
        break
    if when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    if heard == b"commit\\0":
        said = b""
    os.write(1, b"".join(answers))
git.stdin.close()
sys.exit(git.wait())
"""


def killing(folder: Path, rules: str) -> dict[str, str]:
    """An environment in which, once for each of ``rules``, somebody dies at the commit of a landing.

    ``PLAN=planctl``: planctl, while its git child goes on; ``PLAN=before``: the child, with nothing moved;
    ``PLAN=after``: the child, when all has moved and before it has said so.
    """
    folder.mkdir()
    (folder / "proxy.py").write_text(PROXY)
    proxy = f'exec {sys.executable} {folder / "proxy.py"} {folder} {shutil.which("git")} "{rules}" "$@"'
    script = f'#!/bin/sh\ncase "$*" in *"planctl: land"*) {proxy};; esac\nexec {shutil.which("git")} "$@"\n'
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_s4_planctl_dies_while_its_git_child_lives_on_and_lands(repo: GitRepo, tmp_path: Path) -> None:
    """The child that moves the references outlives planctl: the next worker finds the landing made."""
    repo.branch("one", {"one": "1\n"})
    killed = run("merge", "one", cwd=repo.path, env=killing(tmp_path / "bin", "one=planctl"))
    assert killed.code == -signal.SIGKILL
    again = run("merge", "one", "--json", cwd=repo.path)
    assert again.code == 0, again
    (entry,) = again.data["entries"]
    assert landed_once(repo, entry["id"]) == repo.head("main")
    assert repo.git("status", "--porcelain") == ""
    assert entry["attempts"] <= 2
    require_sound(repo)


def test_s4_a_landing_whose_entry_is_handed_in_again_meanwhile_is_finished(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the references' move and the store's: the entry becomes another attempt's."""
    first = queue.work("one", {"one": "1\n"})
    made = References.transact

    def then_changed(self: References, changes: Sequence[Change], *, message: str, step: str) -> None:
        made(self, changes, message=message, step=step)
        if step == "landing.refs":
            queue.bench.store.update_entry(queue.entry(first), priority=60)

    with monkeypatch.context() as patched:
        patched.setattr(References, "transact", then_changed)
        queue.drain()
    assert queue.entry(first).state is EntryState.LANDED
    assert queue.bench.store.intents({IntentState.OPEN}) == []
    assert queue.land("two", {"two": "2\n"}).state is EntryState.LANDED


def test_s4_a_git_child_that_is_killed_is_looked_after(repo: GitRepo, tmp_path: Path) -> None:
    """The child that moves the references is killed, before it did or after: planctl looks, and is right."""
    configure(repo, queue="serial")
    repo.branch("one", {"one": "1\n"})
    repo.branch("two", {"two": "1\n"})
    env = killing(tmp_path / "bin", "one=before two=after")
    done = run("merge", "one", "two", "--json", cwd=repo.path, env=env)
    assert (tmp_path / "bin/one=before").exists()
    assert (tmp_path / "bin/two=after").exists()
    states = {e["branch"]: (e["state"], e["reason"].get("code")) for e in done.data["entries"]}
    assert states == {"one": ("landed", None), "two": ("landed", None)}
    assert run("sync", cwd=repo.path).code == 0
    for entry in done.data["entries"]:
        landed_once(repo, entry["id"])
    require_sound(repo)


# -- revert (P26), and landing again -------------------------------------------------------------------


def test_p26_a_revert_goes_through_the_queue_and_undoes_exactly_that(queue: Queue) -> None:
    queue.land("one", {"src/a.py": "one\n", "one": "1\n"})
    queue.land("two", {"src/b.py": "two\n"})
    entry = revert(queue.bench, "one")
    assert revert(queue.bench, "one").id == entry.id, "asked twice, it is the same entry"
    queue.drain()
    assert queue.entry(entry).state is EntryState.LANDED
    assert queue.repo.show("main", "src/a.py").startswith("a1 = 1\n")
    assert queue.repo.show("main", "src/b.py") == "two\n"
    assert queue.repo.git("ls-tree", "main", "one") == ""
    assert queue.repo.git("log", "-1", "--format=%s", "revert/one") == "Revert plan 'one'"
    with pytest.raises(NothingToDoError):
        revert(queue.bench, "one")


def test_p26_a_revert_of_a_rebase_undoes_all_its_commits(queue: Queue) -> None:
    queue.repo.git("checkout", "-q", "-b", "one")
    queue.repo.commit("a", {"a": "1\n"})
    queue.repo.commit("b", {"b": "1\n"})
    queue.repo.git("checkout", "-q", "main")
    queue.add("one", method="rebase")
    queue.drain()
    queue.land("two", {"two": "1\n"})
    revert(queue.bench, "one")
    queue.drain()
    assert queue.repo.git("ls-tree", "--name-only", "main", "a", "b", "two") == "two"


def test_p26_a_red_revert_is_rejected_like_any_work(queue: Queue) -> None:
    configure(queue.repo, check="test -e one -o ! -e two")
    queue.land("one", {"one": "1\n"})
    queue.land("two", {"two": "1\n"})
    entry = revert(queue.bench, "one")
    queue.drain()
    assert queue.entry(entry).state is EntryState.REJECTED


def test_p26_later_work_in_the_same_place_is_named(queue: Queue) -> None:
    queue.land("one", {"src/a.py": "one\n"})
    queue.land("two", {"src/a.py": "two\n"})
    with pytest.raises(RevertConflictError) as caught:
        revert(queue.bench, "one")
    assert caught.value.paths == ("src/a.py",)


def test_p26_a_branch_that_is_somebodys_is_not_taken_for_the_revert(queue: Queue) -> None:
    queue.land("one", {"one": "1\n"})
    theirs = queue.repo.branch("revert/one", {"theirs": "1\n"})
    assert revert(queue.bench, "one").branch == "revert/one-2"
    assert queue.repo.head("revert/one") == theirs


def test_a_reverted_plan_lands_again_with_new_work(queue: Queue) -> None:
    queue.land("one", {"one": "1\n"})
    revert(queue.bench, "one")
    queue.drain()
    same = queue.add("one")
    assert same.state is EntryState.LANDED, "the very head is on the target, undone as it is"
    queue.repo.git("checkout", "-q", "-B", "one", "main")
    queue.repo.commit("anew", {"one": "2\n"})
    queue.repo.git("checkout", "-q", "main")
    anew = queue.add("one")
    queue.drain()
    assert anew.id != same.id
    assert queue.entry(anew).state is EntryState.LANDED
    assert queue.repo.show("main", "one") == "2\n"
    revert(queue.bench, "one")
    queue.drain()
    assert queue.repo.git("ls-tree", "main", "one") == "", "the newest landing is what is undone"


# -- handing in ----------------------------------------------------------------------------------------


def test_what_is_no_work_is_said(queue: Queue) -> None:
    with pytest.raises(UsageError):
        add(queue.bench, "main")
    for name in ("nothing", "--force", "a..b", "../x"):
        with pytest.raises(NothingToDoError):
            add(queue.bench, name)
    queue.repo.git("checkout", "-q", "--orphan", "alien")
    queue.repo.commit("alien")
    queue.repo.git("checkout", "-q", "main")
    with pytest.raises(UsageError):
        add(queue.bench, "alien")


def test_p18_a_conflict_that_was_resolved_on_the_branch_lands(queue: Queue) -> None:
    queue.work("one", {"src/a.py": "one\n"})
    two = queue.work("two", {"src/a.py": "two\n"})
    queue.drain()
    assert queue.entry(two).state is EntryState.CONFLICTED
    queue.repo.git("checkout", "-q", "two")
    queue.repo.git("merge", "main", ok=False)
    queue.repo.commit("resolved", {"src/a.py": "one and two\n"})
    queue.repo.git("checkout", "-q", "main")
    anew = queue.add("two")
    queue.drain()
    assert queue.entry(anew).state is EntryState.LANDED
    assert queue.repo.show("main", "src/a.py") == "one and two\n"


def test_an_entry_is_found_by_the_beginning_of_its_id(queue: Queue) -> None:
    one = queue.work("one", {"one": "1\n"})
    from orchestrator.services import queue as service

    service.drop(queue.bench, one.id[:8])
    assert queue.entry(one).state is EntryState.DROPPED
    queue.repo.git("branch", "-q", "-D", "one")
    assert add(queue.bench, one.id[:8]).state is EntryState.QUEUED


def test_no_file_is_written_while_the_store_is_and_none_for_what_is_undone(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[bool] = []

    def note(bench: Workbench, attempt: Attempt) -> None:
        published.append(bench.store.attempt(attempt.id) == attempt)

    monkeypatch.setattr(settling, "publish", note)
    commit_plans(repo, {"p": {"run": "echo p > p"}})
    assert run("run-multi", "p", "--no-land", cwd=repo.path).code == 0
    with queue_of(repo) as queue:
        entry = queue.add("p")
        published.clear()
        with pytest.raises(RuntimeError), queue.bench.store.transaction():  # noqa: PT012 - what is undone
            settling.settle(queue.bench, entry, EntryState.DROPPED)
            raise RuntimeError
        assert published == []
        with queue.bench.store.transaction():
            settling.settle(queue.bench, entry, EntryState.DROPPED)
            assert published == []
        assert published == [True]
