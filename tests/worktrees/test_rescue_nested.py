"""Repositories inside a worktree: kept whole, brought back as they were, and never a reason to clean."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.insides import INSIDES, MODULES, Work, dirty, everything, facts, unpushed, with_everything
from tests.support.manifest import manifest, on_disk
from tests.support.repo import GitRepo
from tests.support.slices import sampled
from worktrees.errors import RescueIncompleteError
from worktrees.git import Git
from worktrees.repository import find
from worktrees.rescue import list_rescues, rescue, show
from worktrees.restore import restore
from worktrees.restoreerrors import RestoreRefusedError

STAMP = "01J0000000000000000000000A"


def kept(git: Git, place: Path, stamp: str = STAMP) -> str:
    """Rescue ``place``, which holds a repository: all of it is kept, and nothing of it was touched."""
    before = everything(place)
    with pytest.raises(RescueIncompleteError) as caught:
        rescue(git, place, "slot-01", stamp=stamp, git_dir=find(place).git_dir)
    assert caught.value.whole, caught.value
    assert caught.value.reference is not None
    assert everything(place) == before
    return caught.value.reference


def removed(repo: GitRepo, slot: GitRepo) -> None:
    """Take the worktree and its metadata away, and every object that nothing names."""
    git_dir = find(slot.path).git_dir
    shutil.rmtree(slot.path)
    shutil.rmtree(git_dir)
    repo.git("worktree", "prune")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")


def fresh(repo: GitRepo, tmp_path: Path, base: str) -> GitRepo:
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"), base)
    return GitRepo(tmp_path / "other")


@pytest.mark.parametrize("work", sampled(INSIDES), ids=lambda work: work.__name__)
def test_p9_a_nested_repository_comes_back_byte_for_byte(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path, work: Work
) -> None:
    work(slot)
    base = slot.head()
    files, index = everything(slot.path), manifest(repo, slot.path)
    reference = kept(git, slot.path)
    assert all(name in show(git, reference) for name in ("kept beside git", " is a"))
    removed(repo, slot)
    other = fresh(repo, tmp_path, base)
    report = restore(git, reference, other.path)
    assert report.nested
    there = everything(other.path)
    ignored = {name for name in files if name.startswith(("inner/cache", "inner/x.o"))} | {".git"}
    assert {n: f for n, f in there.items() if n not in ignored} == {
        n: f for n, f in files.items() if n not in ignored
    }
    assert manifest(repo, other.path)[1] == index[1]
    assert repo.git("fsck", "--no-dangling", "--no-progress") == ""


@pytest.fixture
def module(repo: GitRepo, slot: GitRepo, tmp_path: Path) -> GitRepo:
    library = GitRepo.copy_of(repo.path, tmp_path / "library")
    slot.git("submodule", "add", "-q", str(library.path), "lib")
    slot.git("commit", "-qm", "add lib")
    return GitRepo(slot.path / "lib")


@pytest.mark.parametrize(
    ("work", "filled"),
    [(dirty, True), *sampled((work, False) for work in MODULES)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_p9_a_submodule_comes_back_with_its_commits_stash_and_edits(
    repo: GitRepo, slot: GitRepo, module: GitRepo, git: Git, tmp_path: Path, work: Work, filled: bool
) -> None:
    assert rescue(git, slot.path, "slot-01", stamp=STAMP) is None, "a clean submodule is no work"
    work(module)
    base = slot.head()
    files, said, outer = on_disk(module.path), facts(module), manifest(repo, slot.path)
    reference = kept(git, slot.path)
    removed(repo, slot)
    shutil.rmtree(tmp_path / "library")
    other = fresh(repo, tmp_path, base)
    again = GitRepo(other.path / "lib")
    if filled:
        (tmp_path / "library").symlink_to(repo.path)
        other.git("submodule", "update", "-q", "--init")
        assert (again.path / "src/a.py").exists()
    assert restore(git, reference, other.path).submodules == ()
    assert on_disk(again.path) == files
    assert facts(again) == said
    assert manifest(repo, other.path) == outer
    assert kept(git, other.path, STAMP[:-1] + "B"), "and can be kept again from there"


def test_p9_a_filled_submodule_with_work_in_it_is_in_the_way(
    repo: GitRepo, slot: GitRepo, module: GitRepo, git: Git, tmp_path: Path
) -> None:
    dirty(module)
    reference = kept(git, slot.path)
    other = fresh(repo, tmp_path, slot.head())
    other.git("submodule", "update", "-q", "--init")
    (other.path / "lib/x.ignored").write_text("mine\n")
    exclude = find(other.path / "lib").git_dir / "info/exclude"
    exclude.write_text("*.ignored\n")
    before = on_disk(other.path)
    with pytest.raises(RestoreRefusedError, match="in the way"):
        restore(git, reference, other.path)
    assert on_disk(other.path) == before


def test_p9_commits_of_a_submodule_whose_folder_is_gone_are_kept(
    repo: GitRepo, slot: GitRepo, module: GitRepo, git: Git, tmp_path: Path
) -> None:
    """Its git folder in the metadata is all that there is of it; that goes with the slot."""
    unpushed(module)
    tip = module.head()
    slot.git("rm", "-qf", "lib")
    slot.git("commit", "-qm", "without")
    assert slot.git("status", "--porcelain") == ""
    reference = kept(git, slot.path)
    base = slot.head()
    removed(repo, slot)
    other = fresh(repo, tmp_path, base)
    restore(git, reference, other.path)
    assert repo.git(f"--git-dir={other.path}/.rescued/modules/lib", "rev-parse", "main") == tip


def test_p9_a_worktree_of_the_same_repository_inside_comes_back(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path
) -> None:
    slot.git("worktree", "add", "-q", "--detach", "second")
    second = GitRepo(slot.path / "second")
    second.commit("only there", {"f": "1\n"})
    tip = second.head()
    second.write("src/a.py", "staged\n")
    second.git("add", "-A")
    second.write("src/a.py", "edited\n")
    before = manifest(repo, second.path)
    reference = kept(git, slot.path)
    base = slot.head()
    git_dir = find(second.path).git_dir
    removed(repo, slot)
    assert not git_dir.exists()
    other = fresh(repo, tmp_path, base)
    restore(git, reference, other.path)
    again = GitRepo(other.path / "second")
    assert again.head() == tip
    assert manifest(repo, again.path) == before


def test_p9_a_repository_in_place_of_the_worktrees_own_is_kept(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path
) -> None:
    """``rm .git; git init``, as agents do it."""
    own, base = find(slot.path).git_dir, slot.head()
    slot.write("src/a.py", "edited\n")
    (slot.path / ".git").unlink()
    slot.git("init", "-q")
    tip = slot.commit("started over", {"new": "1\n"})
    with pytest.raises(RescueIncompleteError, match="in the place of") as caught:
        rescue(git, slot.path, "slot-01", stamp=STAMP, git_dir=own)
    assert caught.value.reference is not None
    other = fresh(repo, tmp_path, base)
    restore(git, caught.value.reference, other.path)
    assert (other.path / "src/a.py").read_text() == "edited\n"
    assert (other.path / "new").read_text() == "1\n"
    assert repo.git(f"--git-dir={other.path}/.rescued/git", "rev-parse", "HEAD") == tip


def test_p9_ignored_files_inside_are_kept_by_pattern(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path
) -> None:
    slot.git("init", "-q", "inner")
    slot.write("inner/.gitignore", ".env\nnode_modules/\n")
    slot.write("inner/.env", "secret\n")
    slot.write("inner/node_modules/much", "x\n")
    with pytest.raises(RescueIncompleteError) as caught:
        rescue(git, slot.path, "slot-01", stamp=STAMP, ignored=(".env",))
    assert caught.value.reference is not None
    other = fresh(repo, tmp_path, slot.head())
    restore(git, caught.value.reference, other.path)
    assert (other.path / "inner/.env").read_text() == "secret\n"
    assert not (other.path / "inner/node_modules").exists()


def test_p9_what_changes_inside_meanwhile_is_said(
    slot: GitRepo, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_everything(slot)
    from worktrees import snapshot as snapshots

    original = snapshots.store

    def then_appears(*arguments: object) -> object:
        done = original(*arguments)  # type: ignore[arg-type]
        slot.write("inner place/late", "written while the snapshot was made\n")
        return done

    monkeypatch.setattr(snapshots, "store", then_appears)
    with pytest.raises(RescueIncompleteError, match="late: it changed") as caught:
        rescue(git, slot.path, "slot-01", stamp=STAMP)
    assert not caught.value.whole
    assert [info.reference for info in list_rescues(git)] == [caught.value.reference]
