"""Clones that lack something, odd references, very many of them; what others do to git meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support import odd_stores as odd
from tests.support.odd_runs import require_refused, require_works
from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.repo import GitRepo
from tests.support.slices import sampled

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands of these plans are POSIX shell")


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sampled(odd.STORES, 2))
def test_an_odd_store_works(two: GitRepo, name: str) -> None:
    branches = {"target-release": "release/1.0", "target-unicode": "zweig/\u00fc\u2603"}
    require_works(odd.STORES[name](two), target=branches.get(name, "main"))


@pytest.mark.parametrize("names", odd.TOGETHER, ids="+".join)
def test_odd_stores_work_together(two: GitRepo, names: tuple[str, ...]) -> None:
    place = odd.then(*(odd.STORES[name] for name in names))(two)
    require_works(place, "a")
    if "symbolic-target-checked-out" in names:
        assert place.git("symbolic-ref", "refs/heads/main") == "refs/heads/trunk"
        assert place.show("refs/heads/trunk", "one") == "a\n"


@pytest.mark.parametrize("name", odd.REFUSED)
def test_an_odd_store_is_refused(two: GitRepo, tmp_path: Path, name: str) -> None:
    make, said = odd.REFUSED[name]
    require_refused(tmp_path, make(two), ("run", "a"), said)


def test_several_hundred_files_and_references(two: GitRepo) -> None:
    """A slice of `many-files` and `many-references`, on a target with a slash and no ASCII in its name."""
    odd.then(odd.many_files(300), odd.many_references(400), odd.STORES["target-unicode"])(two)
    require_works(two, "a", target="zweig/\u00fc\u2603")


def collecting(repo: GitRepo, stop: threading.Event, rounds: list[int]) -> None:
    while not stop.is_set():
        done = subprocess.run(["git", "gc", "-q"], cwd=repo.path, capture_output=True, check=False)
        rounds.append(done.returncode)


@pytest.mark.parametrize("count", [3, pytest.param(48, marks=[pytest.mark.stress, pytest.mark.timeout(600)])])
def test_git_gc_without_pause_harms_nothing(repo: GitRepo, count: int) -> None:
    plans: dict[str, dict[str, object]] = {
        f"p{n}": {"files": {"write": [f"d/f{n}"]}, "run": f"mkdir -p d; echo {n} > d/f{n}"}
        for n in range(count)
    }
    commit_plans(repo, plans)
    stop, rounds = threading.Event(), list[int]()
    thread = threading.Thread(target=collecting, args=(repo, stop, rounds))
    thread.start()
    try:
        done = run("run-multi", "--all", "-j", "4", cwd=repo.path, timeout=500)
    finally:
        stop.set()
        thread.join()
    assert done.code == 0, done.out + done.err
    assert sorted(landings(repo)) == sorted(plans)
    assert 0 in rounds
    assert repo.git("fsck", "--no-dangling") == ""
    assert repo.git("status", "--porcelain") == ""


def test_a_push_into_the_checked_out_target_meanwhile_is_landed_upon(repo: GitRepo) -> None:
    """``receive.denyCurrentBranch``: the default refuses the push, ``updateInstead`` takes it."""
    repo.git("clone", "-q", ".", "../other")
    other = GitRepo(repo.path.with_name("other"))
    other.commit("theirs", {"theirs": "x\n"})
    push = f"git -C '{other.path}' push -q origin main:main"
    repo.git("config", "receive.denyCurrentBranch", "updateInstead")
    refused = f"git -C '{repo.path}' -c receive.denyCurrentBranch=refuse push -q '{repo.path}' HEAD~1:main"
    command = f"! {refused} && {push} && git fetch -q '{other.path}' main && echo a > one"
    commit_plans(other, {"a": {"files": {"write": ["one"]}, "run": command}})
    repo.git("fetch", "-q", str(other.path), "main")
    done = run("run", "a", "--from", "FETCH_HEAD", cwd=repo.path)
    assert done.code == 0, done.out + done.err
    assert landings(repo) == ["a"]
    assert repo.show("main", "theirs") == "x\n"
    assert repo.git("status", "--porcelain") == ""


def test_work_whose_content_is_lost_is_held_and_never_landed(repo: GitRepo) -> None:
    """As a ``git gc --prune=now`` beside a ``git add`` may leave it."""
    lose = 'o=$(git rev-parse HEAD:c); rm -f "$(git rev-parse --git-common-dir)/objects/${o%${o#??}}/${o#??}"'
    command = f"echo c > c && git add c && git commit -qm c && {lose}"
    commit_plans(repo, {"c": {"files": {"write": ["c"]}, "run": command}})
    done = run("run", "c", cwd=repo.path)
    assert done.code == 1, done.out + done.err
    assert "the content is not there: c" in done.out
    assert landings(repo) == []
    repo.git("rev-list", "--objects", "main")
