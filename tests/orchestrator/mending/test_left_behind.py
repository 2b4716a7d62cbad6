"""P18: what a resolver hides, takes away or leaves behind, and files that a merge would write over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.services.resolve import resolve
from orchestrator.states import EntryState
from tests.support.mending import BOTH, conflict, mend, newest
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.queues import Queue, configure
from tests.support.repo import GitRepo
from tests.support.slices import seldom


@pytest.mark.parametrize("committed", ["git commit -q --no-edit &&", ""], ids=["committed", "staged"])
def test_p18_markers_that_only_the_worktree_has_lost_are_no_resolution(queue: Queue, committed: str) -> None:
    """With ``leftovers: false`` nothing of the worktree is committed any more."""
    conflict(queue, f"git add -A && {committed} {BOTH}", leftovers="false")
    mend(queue)
    ended = newest(queue)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-unresolved"), ended
    assert "src/a.py" in ended.reason["detail"]


@pytest.mark.parametrize("how", ["rm -rf", *seldom("git worktree remove --force")])
def test_p18_a_resolver_that_takes_its_worktree_away_is_said_to_have(queue: Queue, how: str) -> None:
    two = conflict(queue, f'cd / && {how} "$PLANCTL_WORKTREE"'.replace("cd / && git", "git"))
    mend(queue)
    ended = newest(queue)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-failed"), ended
    assert "its own worktree away" in ended.reason["detail"]
    assert queue.repo.head("two") == two.head
    configure(queue.repo, resolver=json.dumps(BOTH))
    resolve(queue.bench.refreshed(), queue.session, "two", cancel=queue.cancel)
    assert newest(queue).state is EntryState.QUEUED, "the slot is made anew"


def test_p18_ignored_files_stay_where_there_is_no_conflict_any_more(repo: GitRepo) -> None:
    one = {"run": "echo one > src/a.py; git commit -qam one"}
    two = {"run": "echo two > src/a.py; git commit -qam two; echo mine > local.cfg"}
    repo.commit("ignore", {".gitignore": "local.cfg\n"})
    commit_plans(repo, {"one": one, "two": two}, "overlap: isolate\n")
    before = repo.show("main", "src/a.py")
    assert run("run-multi", "one", "two", "--no-land", cwd=repo.path).code == 0
    assert run("merge", "one", "two", cwd=repo.path).code == 1
    repo.write("local.cfg", "tracked\n")
    repo.git("add", "-f", "local.cfg")
    repo.commit("the conflict is over", {"src/a.py": before})
    said = run("queue", "resolve", "two", cwd=repo.path)
    assert (said.code, "merges by now" in said.err) == (2, True), said
    place = next(line.split()[0] for line in repo.git("worktree", "list").splitlines() if "plan/two" in line)
    assert (Path(place) / "local.cfg").read_text() == "mine\n"
    configure(repo, resolver="exit 1")
    assert run("queue", "resolve", "two", cwd=repo.path).code == 0
    assert (Path(place) / "local.cfg").read_text() == "mine\n"
    assert repo.git("for-each-ref", "refs/planctl/rescue") == "", "nothing was in the way of anything"
