"""What a path is changes with a landing: file, link, folder, submodule; followed, and after a crash."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from tests.support.slices import sampled
from tests.worktrees.test_checkout import MAIN, crash, follow, move, prepare_follow, recover, status
from worktrees.checkout import checkouts_of
from worktrees.errors import CheckoutInTheWayError
from worktrees.followlock import Mark
from worktrees.git import Git
from worktrees.leftfollow import Finished, finish_unmarked
from worktrees.repository import find

KINDS = ("nothing", "file", "script", "link", "folder", "submodule")


def become(repo: GitRepo, name: str, kind: str) -> None:
    """Stage ``name`` as that kind, in a checkout in which a submodule is an empty folder."""
    repo.git("rm", "-rqf", "--ignore-unmatch", "--", name)
    path = repo.path / name
    if path.is_dir():
        path.rmdir()
    if kind == "folder":
        repo.write(f"{name}/inner/x", "x\n")
        repo.write(f"{name}/y", "y\n")
    elif kind == "link":
        path.symlink_to("README.md")
    elif kind == "submodule":
        path.mkdir()
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{name}")
        return
    elif kind != "nothing":
        repo.write(name, f"a {kind}\n")
        path.chmod(0o755 if kind == "script" else 0o644)
    repo.git("add", "-A", "--", ".")


def landing(repo: GitRepo, before: str, after: str) -> tuple[Git, str, str]:
    """``it`` changes its kind in a commit that main, which is checked out, has not got yet."""
    become(repo, "it", before)
    repo.git("commit", "-q", "--allow-empty", "-m", "before")
    old = repo.head()
    repo.git("checkout", "-q", "-b", "work")
    become(repo, "it", after)
    repo.git("commit", "-q", "--allow-empty", "-m", "after")
    new = repo.head()
    repo.git("checkout", "-q", "main")
    return Git(find(repo.path)), old, new


def crashed(repo: GitRepo, git: Git, old: str, new: str) -> Path:
    """The landing is made, and nobody has brought the checkout along; returns its git folder."""
    (checkout,) = checkouts_of(git, MAIN)
    crash(prepare_follow(git, checkout, old, new))
    move(repo, new, old)
    return checkout.git_dir


def update_files(repo: GitRepo, old: str, tree: str) -> None:
    """As git does it before it renames its index into place: files are new, the index is not."""
    copy = repo.path / ".git" / "copy"
    copy.write_bytes((repo.path / ".git" / "index").read_bytes())
    environment = {**os.environ, "GIT_INDEX_FILE": str(copy)}
    command = ("git", "read-tree", "-m", "-u", old, tree)
    subprocess.run(command, cwd=repo.path, env=environment, check=True)
    copy.unlink()


PAIRS = [pair for pair in itertools.product(KINDS, KINDS) if pair[0] != pair[1]]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_p25_whatever_a_path_becomes_a_clean_checkout_follows(repo: GitRepo, before: str, after: str) -> None:
    git, old, new = landing(repo, before, after)
    assert follow(git, repo, old, new) == ()
    assert status(repo) == ""


@pytest.mark.parametrize("killed", ["before", "after", "between"])
@pytest.mark.parametrize(("before", "after"), sampled(PAIRS))
def test_p25_whatever_a_path_becomes_a_crash_is_finished(
    repo: GitRepo, before: str, after: str, killed: str
) -> None:
    """git had written nothing, everything, or had only taken the old away."""
    git, old, new = landing(repo, before, after)
    crashed(repo, git, old, new)
    steps = {"before": (), "after": (new,), "between": ("nothing",)}[killed]
    if steps == ("nothing",):
        tree = repo.git("rev-parse", f"{old}^{{tree}}")
        kept = [line for line in repo.git("ls-tree", tree).splitlines() if not line.endswith("\tit")]
        steps = (repo.git("mktree", "--missing", stdin="".join(f"{line}\n" for line in kept)),)
    for tree in steps:
        update_files(repo, old, tree)
    assert recover(git, repo) == [Finished(repo.path)]
    assert status(repo) == ""
    assert not list((repo.path / ".git").glob("*.lock"))


@pytest.mark.parametrize("after", ["file", "link", "folder"])
def test_p25_a_repository_in_place_of_which_files_come_is_in_the_way(repo: GitRepo, after: str) -> None:
    """git would remove its folder with branches, stashes and edits that nobody else has."""
    git, old, new = landing(repo, "submodule", after)
    repo.git("init", "-q", "it")
    before = sorted((repo.path / "it").rglob("*"))
    (checkout,) = checkouts_of(git, MAIN)
    with pytest.raises(CheckoutInTheWayError) as caught:
        prepare_follow(git, checkout, old, new)
    assert "it" in caught.value.paths
    assert sorted((repo.path / "it").rglob("*")) == before


@pytest.mark.parametrize("after", ["file", "link", "folder"])
def test_p25_a_repository_that_comes_between_crash_and_recovery_stays(repo: GitRepo, after: str) -> None:
    git, old, new = landing(repo, "submodule", after)
    crashed(repo, git, old, new)
    repo.git("init", "-q", "it")
    (finished,) = recover(git, repo)
    assert (repo.path / "it" / ".git" / "HEAD").exists()
    assert finished.kept == ("it",) if after != "folder" else not finished.failure


def test_p25_a_submodule_that_only_goes_leaves_its_folder_as_git_does(repo: GitRepo) -> None:
    git, old, new = landing(repo, "submodule", "nothing")
    repo.git("init", "-q", "it")
    assert follow(git, repo, old, new) == ()
    assert (repo.path / "it" / ".git" / "HEAD").exists()


@pytest.mark.parametrize("before", ["nothing", "folder"])
def test_p25_a_file_of_the_users_where_a_folder_comes_after_a_crash_stays(repo: GitRepo, before: str) -> None:
    """Made between the crash and the recovery, in the place of a folder that the landing makes or changes."""
    git, old, new = landing(repo, before, "folder")
    if before == "folder":
        repo.git("checkout", "-q", "work")
        new = repo.commit("more", {"it/y": "y2\n", "it/new": "n\n"})
        repo.git("checkout", "-q", "main")
    crashed(repo, git, old, new)
    if before == "folder":
        shutil.rmtree(repo.path / "it")
    (repo.path / "it").write_text("precious\n")
    (finished,) = recover(git, repo)
    assert (repo.path / "it").read_text() == "precious\n"
    assert finished.kept


@pytest.mark.parametrize("ignored", [False, True])
def test_p25_a_file_of_the_users_in_a_submodule_that_moves_is_in_the_way(
    repo: GitRepo, tmp_path: Path, *, ignored: bool
) -> None:
    lib = GitRepo.copy_of(repo.path, tmp_path / "lib")
    lib.commit("ignore", {".gitignore": "*.env\n" if ignored else ""})
    repo.git("submodule", "add", "-q", str(lib.path), "lib")
    old = repo.commit("submodule")
    lib.write("local.env", "public\n")
    lib.git("add", "-f", "local.env")
    newer = lib.commit("newer", {})
    repo.git("fetch", "-q", "origin", at=repo.path / "lib")
    repo.git("update-index", "--cacheinfo", f"160000,{newer},lib")
    new = repo.git("commit-tree", repo.git("write-tree"), "-p", old, "-m", "newer lib")
    repo.git("reset", "-q", "--mixed", old)
    (repo.path / "lib" / "local.env").write_text("secret\n")
    git = Git(find(repo.path))
    (checkout,) = checkouts_of(git, MAIN)
    with pytest.raises(CheckoutInTheWayError) as caught:
        prepare_follow(git, checkout, old, new)
    assert caught.value.paths == ("lib",)
    assert (repo.path / "lib" / "local.env").read_text() == "secret\n"


def test_p25_edits_in_a_submodule_that_git_is_told_to_ignore_are_in_the_way(
    repo: GitRepo, tmp_path: Path
) -> None:
    lib = GitRepo.copy_of(repo.path, tmp_path / "lib")
    repo.git("submodule", "add", "-q", str(lib.path), "it")
    repo.git("config", "-f", ".gitmodules", "submodule.it.ignore", "all")
    old = repo.commit("submodule")
    (repo.path / "it" / "README.md").write_text("mine\n")
    repo.git("update-index", "--cacheinfo", f"160000,{'1' * 40},it")
    new = repo.git("commit-tree", repo.git("write-tree"), "-p", old, "-m", "elsewhere")
    repo.git("reset", "-q", "--mixed", old)
    git = Git(find(repo.path))
    (checkout,) = checkouts_of(git, MAIN)
    with pytest.raises(CheckoutInTheWayError) as caught:
        prepare_follow(git, checkout, old, new)
    assert caught.value.paths == ("it",)


# -- somebody took git's lock away, and the mark with it -----------------------------------------------


@pytest.mark.parametrize("killed", ["before", "after"])
@pytest.mark.parametrize(("before", "after"), [("file", "folder"), ("nothing", "file"), ("file", "nothing")])
def test_p25_a_checkout_whose_lock_was_removed_is_brought_along_all_the_same(
    repo: GitRepo, before: str, after: str, killed: str
) -> None:
    git, old, new = landing(repo, before, after)
    git_dir = crashed(repo, git, old, new)
    (repo.path / ".git" / "index.lock").unlink()
    if killed == "after":
        update_files(repo, old, new)
    repo.write("mine", "untracked\n")
    mark = Mark(MAIN, old, new, "epoch")
    assert finish_unmarked(git, git_dir, mark) == Finished(repo.path)
    assert status(repo) == "?? mine"
    assert finish_unmarked(git, git_dir, mark) is None
    assert not list((repo.path / ".git").glob("*.lock"))


def test_p25_what_was_staged_since_the_lock_was_removed_is_told_and_stays(repo: GitRepo) -> None:
    git, old, new = landing(repo, "file", "script")
    git_dir = crashed(repo, git, old, new)
    (repo.path / ".git" / "index.lock").unlink()
    repo.write("it", "mine\n")
    repo.git("add", "it")
    found = finish_unmarked(git, git_dir, Mark(MAIN, old, new, "epoch"))
    assert found is not None
    assert found.kept == ("it",)
    assert found.failure
    assert repo.git("show", ":it") == "mine"


def test_p25_a_checkout_that_left_the_target_meanwhile_is_let_be(repo: GitRepo) -> None:
    git, old, new = landing(repo, "file", "folder")
    git_dir = crashed(repo, git, old, new)
    (repo.path / ".git" / "index.lock").unlink()
    repo.git("checkout", "-q", "-f", "-b", "elsewhere", old)
    assert finish_unmarked(git, git_dir, Mark(MAIN, old, new, "epoch")) is None
    assert status(repo) == ""


def test_p25_a_file_that_becomes_a_folder_is_no_folder_that_cannot_be_written(repo: GitRepo) -> None:
    git, old, new = landing(repo, "file", "folder")
    (repo.path / "it").chmod(0o444)
    assert follow(git, repo, old, new) == ()
    assert status(repo) == ""


@pytest.mark.parametrize("killed", ["before", "after"])
def test_p25_a_sparse_checkout_stays_sparse_after_a_crash(repo: GitRepo, killed: str) -> None:
    old = repo.head()
    repo.git("checkout", "-q", "-b", "work")
    new = repo.commit("more", {"docs/guide.md": "2\n", "docs/new.md": "n\n", "src/a.py": "2\n"})
    repo.git("checkout", "-q", "main")
    repo.git("sparse-checkout", "set", "src")
    git = Git(find(repo.path))
    crashed(repo, git, old, new)
    if killed == "after":
        update_files(repo, old, new)
    assert recover(git, repo) == [Finished(repo.path)]
    assert status(repo) == ""
    assert (repo.path / "src" / "a.py").read_text() == "2\n"
    assert not (repo.path / "docs").exists()
    assert "S docs/new.md" in repo.git("ls-files", "-t").splitlines()


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree", "--refresh"])
def test_p25_an_edit_in_the_same_moment_as_the_index_is_in_the_way(repo: GitRepo, mark: str) -> None:
    """Of the same size, with the same times: git tells it by its content, marked entries included."""
    old = repo.head()
    repo.branch("work", {"src/a.py": "theirs\n"})
    new = repo.head("work")
    repo.git("config", "core.trustctime", "false")
    path, index = repo.path / "src" / "a.py", repo.path / ".git" / "index"
    repo.git("update-index", mark, "src/a.py")
    was = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    os.utime(index, ns=(was.st_atime_ns, was.st_mtime_ns))
    edited = path.read_bytes()
    git = Git(find(repo.path))
    (checkout,) = checkouts_of(git, MAIN)
    with pytest.raises(CheckoutInTheWayError):
        prepare_follow(git, checkout, old, new)
    assert path.read_bytes() == edited
