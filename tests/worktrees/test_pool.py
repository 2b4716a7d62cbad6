"""Slots made cold: at once, killed, made to fail, in odd places."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plans import systems
from tests.support.campaigns import Record
from tests.support.pools import pool_of, slots_left, start_add, start_remove
from tests.support.repo import GitRepo
from worktrees import provision
from worktrees.errors import (
    ProvisioningError,
    RescueIncompleteError,
    SlotUnavailableError,
    UnknownRevisionError,
)
from worktrees.pool import Pool, SlotOptions, pool_folder, slot_name
from worktrees.repository import find

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = ["provision.journal", "provision.add", "provision.checkout", "provision.done"]


def assert_ready(repo: GitRepo, pool: Pool, count: int) -> None:
    trees = pool.list()
    assert [t.name for t in trees] == [slot_name("slot", n) for n in range(1, count + 1)]
    for tree in trees:
        assert (tree.path / "src" / "a.py").read_bytes() == (repo.path / "src" / "a.py").read_bytes()
        assert repo.git("status", "--porcelain", at=tree.path) == ""
        assert repo.git("rev-parse", "HEAD", at=tree.path) == repo.head("main")
    assert repo.git("branch", "--format=%(refname:short)").splitlines() == ["main"]
    assert repo.git("fsck", "--no-dangling") == ""


def test_p10_many_threads_make_slots_at_once(repo: GitRepo) -> None:
    pool = pool_of(repo.path)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: pool.add(slot_name("slot", n), repo.head()), range(1, 17)))
    assert_ready(repo, pool, 16)


def test_p10_many_processes_make_slots_at_once(repo: GitRepo) -> None:
    names = [slot_name("slot", n) for n in range(1, 17)]
    running = [start_add(repo, repo.head(), *names[n::4]) for n in range(4)]
    for process in running:
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors.decode()
    assert_ready(repo, pool_of(repo.path), 16)


@pytest.fixture
def burner() -> Iterator[None]:
    """Keeps every processor busy meanwhile."""
    burning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    yield
    for process in burning:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("burner")
@pytest.mark.parametrize(
    ("count", "rounds", "failing"),
    [
        (8, 1, "slot-07"),
        pytest.param(64, 5, "slot-07", marks=[pytest.mark.stress, pytest.mark.timeout(900)]),
        pytest.param(64, 5, "", marks=[pytest.mark.stress, pytest.mark.timeout(900)]),
    ],
)
def test_p10_many_at_once_under_load_and_one_that_fails(
    repo: GitRepo, record_property: Record, count: int, rounds: int, failing: str
) -> None:
    for n in range(200):
        repo.write(f"many/f{n}.txt", f"{n}\n" * 50)
    repo.commit("many", {".gitattributes": "*.bin filter=odd\n", "x.bin": "x\n"})
    repo.git("config", "filter.odd.smudge", f"case $PWD in */{failing or 'none'}) exit 1;; esac; cat")
    repo.git("config", "filter.odd.clean", "cat")
    repo.git("config", "filter.odd.required", "true")
    pool = pool_of(repo.path)
    names = [slot_name("slot", n) for n in range(1, count + 1)]
    for _ in range(rounds):
        running = {name: start_add(repo, repo.head(), name) for name in names}
        for name, process in running.items():
            _, errors = process.communicate(timeout=600)
            assert process.returncode == (name == failing), errors.decode()
        left = [name for name in names if name != failing]
        assert [tree.name for tree in pool.list()] == left
        assert slots_left(repo) == sorted([*left, *left]), "neither folder nor metadata of the failed one"
        common = repo.path / ".git"
        assert [p for p in (common / "planctl/slots").glob("*.making") if p.read_bytes()] == [], (
            "nor its journal"
        )
        assert [p for p in common.rglob("*.lock") if p.parent.name != "planctl"] == []
        assert repo.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
        for tree in pool.list():
            assert repo.git("status", "--porcelain", at=tree.path) == ""
            pool.remove(tree)
        assert slots_left(repo) == []
    one = "one made to fail" if failing else "none failed"
    record_property(
        "held", f"{count} worktrees at once under load, {rounds} rounds, {one}: nothing left behind"
    )


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_s2_2_killed_at_a_step_the_slot_is_made_again(repo: GitRepo, step: str, side: str) -> None:
    killed = start_add(repo, repo.head(), "slot-01", kill_at=f"{step}:{side}")
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    pool = pool_of(repo.path)
    if (step, side) == ("provision.done", "after"):  # it was made
        assert pool.find("slot-01") is not None
        return
    assert pool.list() == ()  # half made slots are nobody's
    pool.add("slot-01", repo.head())
    assert_ready(repo, pool, 1)


def test_s2_2_killed_while_git_had_not_written_head_the_slot_is_made_again(repo: GitRepo) -> None:
    """``git worktree add`` was killed with zeros in HEAD: nobody moved it."""
    killed = start_add(repo, repo.head(), "slot-01", kill_at="provision.add:after")
    killed.communicate(timeout=60)
    (repo.path / ".git/worktrees/slot-01/HEAD").write_text("0" * 40 + "\n")
    made = pool_of(repo.path).add("slot-01", repo.head())
    assert repo.head("HEAD") == repo.git("rev-parse", "HEAD", at=made.path)


@pytest.mark.parametrize("step", STEPS[1:3])
def test_prune_unmakes_what_a_killed_maker_left(repo: GitRepo, step: str) -> None:
    start_add(repo, repo.head(), "slot-01", kill_at=f"{step}:after").communicate(timeout=60)
    pool = pool_of(repo.path)
    assert slots_left(repo) != []
    assert pool.prune() == ("slot-01",)
    assert slots_left(repo) == []
    assert pool.prune() == ()


def test_p9_a_half_made_slot_with_somebodys_file_is_left_alone(repo: GitRepo) -> None:
    start_add(repo, repo.head(), "slot-01", kill_at="provision.checkout:after").communicate(timeout=60)
    pool = pool_of(repo.path)
    work = pool.folder / "slot-01" / "notes.txt"
    work.write_text("mine")
    with pytest.raises(SlotUnavailableError, match=r"notes\.txt"):
        pool.add("slot-01", repo.head())
    assert pool.prune() == ()
    assert work.read_text() == "mine"
    assert pool.free_name("slot") == "slot-02"


def test_p9_a_half_made_slot_with_somebodys_commit_is_left_alone(repo: GitRepo) -> None:
    start_add(repo, repo.head(), "slot-01", kill_at="provision.checkout:after").communicate(timeout=60)
    pool = pool_of(repo.path)
    repo.git("commit", "-q", "--allow-empty", "-m", "mine", at=pool.folder / "slot-01")
    with pytest.raises(SlotUnavailableError, match="HEAD was moved"):
        pool.add("slot-01", repo.head())
    assert (pool.folder / "slot-01" / "README.md").exists()


def test_a_checkout_that_fails_is_unmade(repo: GitRepo) -> None:
    repo.commit("filter", {".gitattributes": "*.bin filter=broken\n", "x.bin": "x"})
    repo.git("config", "filter.broken.smudge", "false")
    repo.git("config", "filter.broken.required", "true")
    with pytest.raises(ProvisioningError) as caught:
        pool_of(repo.path).add("slot-01", repo.head())
    assert "\n" not in str(caught.value)
    assert slots_left(repo) == []
    assert repo.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    repo.git("config", "filter.broken.required", "false")  # as git-lfs does where it is missing
    pool_of(repo.path).add("slot-01", repo.head())


def test_an_interrupt_is_unmade_and_passes_through(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(provision, "bring", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool_of(repo.path).add("slot-01", repo.head())
    assert slots_left(repo) == []


def test_git_that_outlived_its_planctl_is_not_disturbed(repo: GitRepo, tmp_path: Path) -> None:
    fifo, seen = tmp_path / "fifo", tmp_path / "seen"
    os.mkfifo(fifo)
    os.mkfifo(seen)
    repo.commit("filter", {".gitattributes": "*.bin filter=slow\n", "x.bin": "x"})
    repo.git("config", "filter.slow.smudge", f"echo begun > '{seen}'; cat '{fifo}' > /dev/null; cat")
    with os.fdopen(os.open(fifo, os.O_RDWR), "wb", buffering=0):  # the filter waits until this is closed
        process = start_add(repo, repo.head(), "slot-01")
        assert seen.read_text() == "begun\n"  # the checkout is in the filter
        process.kill()
        process.communicate(timeout=60)
        pool = pool_of(repo.path)
        with pytest.raises(SlotUnavailableError, match="still at work"):
            pool.add("slot-01", repo.head())
    repo.git("config", "filter.slow.smudge", "cat")
    wait_for_git(pool)
    pool.add("slot-01", repo.head())
    assert_ready(repo, pool, 1)


def wait_for_git(pool: Pool) -> None:
    """Wait, on the kernel's lock, until no git child of the slot is left."""
    with (pool.git.repository.state_dir / "slots" / "slot-01.git").open("ab") as lock:
        systems.lock(lock.fileno(), wait=True)


def test_what_is_not_planctls_is_never_taken(repo: GitRepo) -> None:
    pool = pool_of(repo.path)
    (pool.folder / "slot-01").mkdir(parents=True)
    (pool.folder / "slot-01" / "file").write_text("mine")
    with pytest.raises(SlotUnavailableError):
        pool.add("slot-01", repo.head())
    assert (pool.folder / "slot-01" / "file").read_text() == "mine"
    repo.git("worktree", "add", "-q", "--detach", str(repo.path.with_name("slot-02")))
    tree = pool.add("slot-02", repo.head())  # the user's worktree of that name keeps its metadata
    assert tree.git_dir.name == "slot-021"
    assert [t.name for t in pool.list()] == ["slot-02"]
    pool.remove(tree)
    assert repo.path.with_name("slot-02").joinpath("README.md").exists()
    assert repo.git("status", "--porcelain", at=repo.path.with_name("slot-02")) == ""


def test_unknown_commits_and_empty_repositories(repo: GitRepo, tmp_path: Path) -> None:
    pool = pool_of(repo.path)
    for revision in ("main", "--force", "1" * 40):
        with pytest.raises(UnknownRevisionError):
            pool.add("slot-01", revision)
    assert slots_left(repo) == []
    empty = GitRepo(tmp_path / "empty")
    empty.path.mkdir()
    empty.git("init", "-q")
    with pytest.raises(UnknownRevisionError):
        pool_of(empty.path).add("slot-01", repo.head())
    with pytest.raises(ValueError, match="not the name of a slot"):
        pool.add("../x", repo.head())


@pytest.mark.parametrize("name", ["a b", "line\nbreak", "ünï", "q'\"$x"])
def test_odd_paths(repo: GitRepo, tmp_path: Path, name: str) -> None:
    shutil.copytree(repo.path, tmp_path / name / "repo", symlinks=True)
    odd = GitRepo(tmp_path / name / "repo")
    pool = pool_of(odd.path)
    tree = pool.add("slot-01", odd.head())
    (tree.path / "junk").write_text("x")
    pool.recycle(tree, odd.head())
    assert_ready(odd, pool, 1)
    pool.remove(tree)
    assert slots_left(odd) == []


def test_bare_repository_and_its_pool(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "b.git"))
    pool = pool_of(tmp_path / "b.git")
    assert pool.folder == tmp_path / "b.git" / "planctl" / "worktrees"
    tree = pool.add("slot-01", repo.head())
    assert (tree.path / "README.md").exists()
    skipped = pool.add("slot-02", repo.head(), SlotOptions(copy=(".env",)))
    assert not (skipped.path / ".env").exists()


def test_where_the_pool_lies(repo: GitRepo) -> None:
    repository = find(repo.path)
    assert pool_folder(repository, None) == repo.path.with_name("repo.worktrees")
    assert pool_folder(repository, "../elsewhere") == repo.path.with_name("elsewhere")
    for bad in (".", "..", ".git", ".git/objects", str(repo.path.parents[1])):
        with pytest.raises(SlotUnavailableError):
            pool_folder(repository, bad)


def test_where_the_pool_lies_when_the_parent_cannot_be_written(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = find(repo.path)
    parent = repo.path.parent
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda p, m: Path(p) != parent and real(p, m)
    )  # root may write anywhere
    assert pool_folder(repository, None) == repo.path / ".git" / "planctl" / "worktrees"
    pool = Pool(pool_of(repo.path).git, pool_folder(repository, None))
    pool.add("slot-01", repo.head())
    assert_ready(repo, pool, 1)


def test_a_pool_inside_the_checkout_does_not_show_there(repo: GitRepo) -> None:
    pool = Pool(pool_of(repo.path).git, pool_folder(find(repo.path), "work trees"))
    pool.add("slot-01", repo.head())
    assert repo.git("status", "--porcelain") == ""


def test_p9_remove_refuses_commits_that_nothing_else_holds(repo: GitRepo) -> None:
    pool = pool_of(repo.path)
    tree = pool.add("slot-01", repo.head())
    repo.git("commit", "-q", "--allow-empty", "-m", "work", at=tree.path)
    work = repo.git("rev-parse", "HEAD", at=tree.path)
    with pytest.raises(RescueIncompleteError, match=work[:12]):
        pool.remove(tree)
    repo.git("update-ref", "refs/planctl/archive/x/1", work)
    pool.remove(tree)
    assert slots_left(repo) == []


def test_remove_respects_locks_and_nested_repositories(repo: GitRepo) -> None:
    pool = pool_of(repo.path)
    tree = pool.add("slot-01", repo.head())
    repo.git("worktree", "lock", str(tree.path))
    with pytest.raises(SlotUnavailableError, match="locked"):
        pool.remove(tree)
    repo.git("worktree", "unlock", str(tree.path))
    repo.git("init", "-q", str(tree.path / "nested"))
    with pytest.raises(RescueIncompleteError, match="nested"):
        pool.remove(tree)
    assert (tree.path / "nested" / ".git").exists()


def test_prune_forgets_only_deleted_slots_without_work(repo: GitRepo) -> None:
    pool = pool_of(repo.path)
    empty, staged = pool.add("slot-01", repo.head()), pool.add("slot-02", repo.head())
    (staged.path / "new.txt").write_text("work")
    repo.git("add", "new.txt", at=staged.path)
    for tree in (empty, staged):
        shutil.rmtree(tree.path)
    assert pool.prune() == ("slot-01",)
    assert [t.name for t in pool.list()] == ["slot-02"]
    with pytest.raises(SlotUnavailableError, match="staged"):
        pool.add("slot-02", repo.head())


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(
    "step", ["removal.folder", "removal.metadata", "removal.delete:1", "removal.delete:2"]
)
def test_p27_a_removal_that_was_killed_is_finished(repo: GitRepo, step: str, side: str) -> None:
    pool = pool_of(repo.path)
    slot = pool.add("slot-01", repo.head())
    (slot.path / "new.txt").write_text("work that was rescued before")
    repo.git("add", "new.txt", at=slot.path)
    name, _, count = step.partition(":")
    killed = start_remove(repo, "slot-01", kill_at=f"{name}:{side}:{count or 1}")
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    pool.prune()
    if (step, side) == ("removal.folder", "before"):  # nothing had happened yet
        assert repo.git("status", "--porcelain", at=slot.path) == "A  new.txt"
        pool.remove(slot)
    assert slots_left(repo) == []
    assert list((repo.path / ".git" / "planctl" / "trash").iterdir()) == []
    pool.add("slot-01", repo.head())
    assert_ready(repo, pool, 1)


def test_p9_a_removal_that_was_killed_long_ago_says_nothing_about_a_slot_made_since(repo: GitRepo) -> None:
    pool = pool_of(repo.path)
    pool.add("slot-01", repo.head())
    killed = start_remove(repo, "slot-01", kill_at="removal.delete:before:1")
    killed.communicate(timeout=60)
    assert killed.returncode == -9
    slot = pool.add("slot-01", repo.head())
    (slot.path / "new.txt").write_text("work")
    repo.git("add", "new.txt", at=slot.path)
    shutil.rmtree(slot.path)
    assert pool.prune() == ()
    assert [t.name for t in pool.list()] == ["slot-01"]
