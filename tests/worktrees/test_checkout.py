"""The user's checkout when a landing moves its branch: P25 and what a crash leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.checkout import How, checkouts_of, detach_checkout, finish_follow, prepare_follow
from worktrees.errors import CheckoutInTheWayError
from worktrees.git import Git
from worktrees.repository import find


@pytest.fixture
def landed(repo: GitRepo) -> tuple[GitRepo, Git, str, str]:
    """A landing that changes src/a.py, adds new/file.txt and deletes docs/guide.md; main not yet moved."""
    old = repo.head()
    repo.git("checkout", "-q", "-b", "work")
    repo.git("rm", "-q", "docs/guide.md")
    new = repo.commit("landing", {"src/a.py": "a1 = 100\n" + "a\n" * 5, "new/file.txt": "new\n"})
    repo.git("checkout", "-q", "main")
    return repo, Git(find(repo.path)), old, new


def move(repo: GitRepo, new: str, old: str) -> None:
    repo.git("update-ref", "refs/heads/main", new, old)


def status(repo: GitRepo) -> str:
    return repo.git("status", "--porcelain")


def follow(git: Git, repo: GitRepo, old: str, new: str) -> tuple[str, ...]:
    (checkout,) = checkouts_of(git, "refs/heads/main")
    prepared = prepare_follow(git, checkout, old, new)
    move(repo, new, old)
    return prepared.apply()


def test_p25_a_clean_checkout_follows(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    assert follow(git, repo, old, new) == ()
    assert status(repo) == ""
    assert (repo.path / "new/file.txt").read_text() == "new\n"
    assert not (repo.path / "docs").exists()
    assert not list((repo.path / ".git").glob("*.lock"))


def test_p25_an_unrelated_edit_stays(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.write("src/b.py", "mine\n")
    follow(git, repo, old, new)
    assert status(repo) == " M src/b.py"
    repo.git("commit", "-qam", "mine")
    assert repo.show("main", "src/a.py").startswith("a1 = 100")


def test_p25_an_unrelated_staged_edit_stays_staged(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.write("src/b.py", "mine\n")
    repo.git("add", "src/b.py")
    follow(git, repo, old, new)
    assert status(repo) == "M  src/b.py"


@pytest.mark.parametrize("staged", [False, True])
def test_p25_an_edit_of_a_landed_file_blocks(landed: tuple[GitRepo, Git, str, str], staged: bool) -> None:
    repo, git, old, new = landed
    text = (repo.path / "src/a.py").read_text() + "mine\n"
    repo.write("src/a.py", text)
    if staged:
        repo.git("add", "src/a.py")
    before = status(repo)
    (checkout,) = checkouts_of(git, "refs/heads/main")
    with pytest.raises(CheckoutInTheWayError) as caught:
        prepare_follow(git, checkout, old, new)
    assert caught.value.paths == ("src/a.py",)
    assert status(repo) == before
    assert (repo.path / "src/a.py").read_text() == text
    assert not list((repo.path / ".git").glob("*.lock"))


@pytest.mark.parametrize("ignored", [False, True])
def test_p25_an_untracked_file_in_the_way_blocks(
    landed: tuple[GitRepo, Git, str, str], ignored: bool
) -> None:
    repo, git, old, new = landed
    repo.write("new/file.txt", "mine, untracked\n")
    if ignored:
        repo.write(".git/info/exclude", "new/\n")
    (checkout,) = checkouts_of(git, "refs/heads/main")
    with pytest.raises(CheckoutInTheWayError) as caught:
        prepare_follow(git, checkout, old, new)
    assert caught.value.paths == ("new/file.txt",)
    assert (repo.path / "new/file.txt").read_text() == "mine, untracked\n"


def test_an_untracked_file_where_a_folder_must_come_blocks(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.write("new", "mine\n")
    (checkout,) = checkouts_of(git, "refs/heads/main")
    with pytest.raises(CheckoutInTheWayError):
        prepare_follow(git, checkout, old, new)
    assert (repo.path / "new").read_text() == "mine\n"


def test_git_at_work_there_blocks(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    (repo.path / ".git/index.lock").write_text("")
    (checkout,) = checkouts_of(git, "refs/heads/main")
    with pytest.raises(CheckoutInTheWayError):
        prepare_follow(git, checkout, old, new)
    assert (repo.path / ".git/index.lock").exists(), "a lock that is not ours stays"


def test_a_rebase_of_the_target_counts_as_a_checkout_and_blocks(
    landed: tuple[GitRepo, Git, str, str],
) -> None:
    repo, git, old, new = landed
    repo.git("checkout", "-q", "-b", "other", "main~0")
    repo.commit("other", {"src/b.py": "other\n"})
    repo.git("checkout", "-q", "main")
    repo.commit("mine", {"src/b.py": "mine\n"})
    repo.git("rebase", "other", ok=False)
    (checkout,) = checkouts_of(git, "refs/heads/main")
    assert checkout.how is How.REBASING
    with pytest.raises(CheckoutInTheWayError):
        prepare_follow(git, checkout, old, new)


def test_a_linked_worktree_of_the_user_follows_too(
    landed: tuple[GitRepo, Git, str, str], tmp_path: Path
) -> None:
    repo, git, old, new = landed
    repo.git("checkout", "-q", "work")
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    follow(git, repo, old, new)
    assert repo.git("status", "--porcelain", at=tmp_path / "linked") == ""
    assert (tmp_path / "linked/new/file.txt").exists()


def test_a_bare_repository_has_no_checkout(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    assert checkouts_of(Git(find(tmp_path / "bare.git")), "refs/heads/main") == ()


def test_a_crash_half_way_is_finished(landed: tuple[GitRepo, Git, str, str]) -> None:
    """Killed after some files were written, one of them cut short, before the index was renamed."""
    repo, git, old, new = landed
    repo.write("src/b.py", "mine\n")
    (checkout,) = checkouts_of(git, "refs/heads/main")
    prepare_follow(git, checkout, old, new)
    move(repo, new, old)
    repo.write("src/a.py", "a1 = 1")
    repo.write("new/file.txt", "new\n")
    assert finish_follow(git, checkout.git_dir, old, new) == ()
    assert status(repo) == " M src/b.py"
    assert finish_follow(git, checkout.git_dir, old, new) == ()


def test_an_edit_during_the_landing_is_kept_and_named(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, "refs/heads/main")
    prepared = prepare_follow(git, checkout, old, new)
    move(repo, new, old)
    repo.write("src/a.py", "typed in between\n")
    assert prepared.apply() == ("src/a.py",)
    assert (repo.path / "src/a.py").read_text() == "typed in between\n"
    assert status(repo) == " M src/a.py"


def test_detach_leaves_files_and_index_where_they_stand(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.write("src/a.py", "mine\n")
    (checkout,) = checkouts_of(git, "refs/heads/main")
    detach_checkout(git, checkout, old)
    move(repo, new, old)
    assert repo.head() == old
    assert status(repo) == " M src/a.py"
