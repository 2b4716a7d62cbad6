"""P18: a conflict of a branch that only the remote has, or that is ahead there, has its resolver as well."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from orchestrator.errors import BusyError
from orchestrator.mending import resolution
from orchestrator.services.enqueue import bring_branches
from orchestrator.states import EntryState
from tests.support.mending import mend
from tests.support.process import run
from tests.support.queues import require_sound
from tests.support.remotes import merge, queue_at, remote_of
from tests.support.repo import GitRepo
from tests.support.slices import mostly


def test_p18_a_branch_that_was_made_here_goes_again_when_nothing_comes_of_it(
    repo: GitRepo, tmp_path: Path
) -> None:
    resolver = 'test -z "$(git branch --list two --points-at HEAD)" && git commit -qam kept; exit 1'
    remote = remote_of(repo, tmp_path / "hub", resolver=json.dumps(resolver))
    theirs, mine = remote.clone("theirs"), remote.clone("mine")
    for name in ("one", "two", "three"):
        theirs.branch(name, {"src/a.py": f"{name}\n"})
    remote.push(theirs, "one", "two", "three")
    merge(mine, "one", "two", "three", code=1)
    assert mine.git("branch", "--list", "two") == ""
    kept = mine.git("log", "-1", "--format=%s", "three")
    assert kept == "kept", "a branch with a commit of the resolver's stays"
    require_sound(mine)


STEPS = (
    "resolver.bring",
    "branch.attach",
    "resolver.merge",
    "branch.detach",
    "resolver.unbring",
    "resolver.forget",
)
MOMENTS = [f"{step}:{side}" for step in STEPS for side in ("before", "after")]


@pytest.mark.parametrize("moment", mostly(MOMENTS, ["branch.attach:after", "resolver.unbring:before"]))
def test_p18_a_branch_that_was_made_here_goes_again_whenever_planctl_is_killed(
    repo: GitRepo, tmp_path: Path, moment: str
) -> None:
    mine = two_of_a_remote(repo, tmp_path, "exit 1")
    killed = run("merge", "two", cwd=mine.path, env={"PLANCTL_KILL_AT": moment})
    assert killed.code == -signal.SIGKILL, f"{moment} was never reached: {killed}"
    (entry,) = merge(mine, "two", "--json", code=1).data["entries"]
    assert (entry["state"], entry["reason"]["code"]) == ("conflicted", "resolver-failed"), entry
    assert mine.git("branch", "--list", "two") == ""
    require_sound(mine)


def test_s14_a_branch_that_its_user_makes_after_planctl_was_killed_stays(
    repo: GitRepo, tmp_path: Path
) -> None:
    """At the very commit, and the journal says that it is to be made by planctl."""
    mine = two_of_a_remote(repo, tmp_path, "exit 1")
    killed = run("merge", "two", cwd=mine.path, env={"PLANCTL_KILL_AT": "resolver.bring:before"})
    assert killed.code == -signal.SIGKILL
    assert mine.git("branch", "--list", "two") == ""
    mine.git("fetch", "-q")
    mine.git("branch", "-q", "--no-track", "two", "origin/two")
    (entry,) = merge(mine, "two", "--json", code=1).data["entries"]
    assert entry["state"] == "conflicted", entry
    assert mine.head("refs/heads/two") == entry["head"]
    require_sound(mine)


def test_p18_a_branch_that_cannot_be_taken_away_is_named_and_so_is_the_work(
    repo: GitRepo, tmp_path: Path
) -> None:
    locks = 'touch "$(git rev-parse --path-format=absolute --git-common-dir)/refs/heads/two.lock"'
    mine = two_of_a_remote(repo, tmp_path, f"echo half > half.txt; {locks}; exit 1")
    (entry,) = merge(mine, "two", "--json", code=1).data["entries"]
    reason = entry["reason"]
    assert (entry["state"], reason["code"]) == ("conflicted", "resolver-failed"), entry
    assert "two was made here, and could not be taken away again" in reason["detail"]
    assert "not_put_back" in reason, "nor could HEAD be moved"
    assert mine.show(reason["rescue"], "half.txt") == "half\n"
    (mine.path / ".git/refs/heads/two.lock").unlink()
    require_sound(mine)


def test_p18_a_branch_is_made_for_nothing_where_another_process_has_the_worktree(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: object) -> None:
        raise BusyError("the merge in slot-01", "pid 7 (planctl)")

    mine = two_of_a_remote(repo, tmp_path, "exit 1")
    with queue_at(mine) as queue:
        bring_branches(queue.bench, ["two"])
        two = queue.add("two")
        queue.drain()
        monkeypatch.setattr(resolution, "begin", begin)
        mend(queue)
        assert queue.entry(two).state is EntryState.RESOLVING
        assert "the merge in slot-01 is held by pid 7 (planctl)" in queue.entry(two).reason["detail"]
        assert mine.git("branch", "--list", "two") == ""
    require_sound(mine)


def two_of_a_remote(repo: GitRepo, tmp_path: Path, resolver: str) -> GitRepo:
    """A clone from which ``one`` landed; ``two``, which only the remote has, conflicts with it."""
    remote = remote_of(repo, tmp_path / "hub", remote="origin", resolver=json.dumps(resolver))
    theirs, mine = remote.clone("theirs"), remote.clone("mine")
    for name in ("one", "two"):
        theirs.branch(name, {"src/a.py": f"{name}\n"})
    remote.push(theirs, "one", "two")
    merge(mine, "one")
    return mine


@pytest.mark.parametrize("behind", [False, True])
def test_p18_a_branch_of_the_remote_is_brought_here_and_resolved(
    repo: GitRepo, tmp_path: Path, behind: bool
) -> None:
    remote = remote_of(repo, tmp_path / "hub", resolver=json.dumps("printf 'both\\n' > src/a.py"))
    theirs, mine = remote.clone("theirs"), remote.clone("mine")
    theirs.branch("one", {"src/a.py": "one\n"})
    theirs.branch("two", {"src/a.py": "two\n"})
    remote.push(theirs, "one", "two")
    if behind:
        mine.git("branch", "-q", "--no-track", "two", "origin/main")
    merge(mine, "one", "two")
    assert remote.bare.show("main", "src/a.py") == "both\n"
    assert mine.git("merge-base", "--is-ancestor", theirs.head("two"), "two") == ""
    require_sound(mine)
