"""The user's checkout when a landing moves its branch: P25 and what a crash leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.branches import holders
from worktrees.checkout import Checkout, How, attach_checkout, checkouts_of, detach_checkout
from worktrees.errors import CheckoutInTheWayError, CheckoutLockedError
from worktrees.follow import Follow
from worktrees.follow import prepare_follow as prepare
from worktrees.followlock import Mark, read_mark, take_over
from worktrees.git import Git
from worktrees.leftfollow import Finished, recover_follows
from worktrees.repository import find

MAIN = "refs/heads/main"


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


def prepare_follow(git: Git, checkout: Checkout, old: str, new: str) -> Follow:
    return prepare(git, checkout, Mark(MAIN, old, new, "epoch"))


def recover(git: Git, repo: GitRepo) -> list[Finished]:
    contained = repo.git("rev-list", "main").split()
    return list(recover_follows(git, MAIN, lambda commit: commit in contained))


def follow(git: Git, repo: GitRepo, old: str, new: str) -> tuple[str, ...]:
    (checkout,) = checkouts_of(git, MAIN)
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
    (checkout,) = checkouts_of(git, MAIN)
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
    (checkout,) = checkouts_of(git, MAIN)
    with pytest.raises(CheckoutInTheWayError) as caught:
        prepare_follow(git, checkout, old, new)
    assert caught.value.paths == ("new/file.txt",)
    assert (repo.path / "new/file.txt").read_text() == "mine, untracked\n"


def test_an_untracked_file_where_a_folder_must_come_blocks(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.write("new", "mine\n")
    (checkout,) = checkouts_of(git, MAIN)
    with pytest.raises(CheckoutInTheWayError):
        prepare_follow(git, checkout, old, new)
    assert (repo.path / "new").read_text() == "mine\n"


def test_a_checkout_that_git_cannot_read_is_in_the_way_with_gits_words(
    landed: tuple[GitRepo, Git, str, str],
) -> None:
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    repo.write(".git/index", "garbage")
    for _ in range(2):  # the second time it would be locked, had the first left anything
        with pytest.raises(CheckoutInTheWayError, match="index") as caught:
            prepare_follow(git, checkout, old, new)
        assert type(caught.value) is CheckoutInTheWayError
        assert caught.value.checkout == repo.path
        assert not list((repo.path / ".git").glob("*.lock"))
    assert (repo.path / ".git/index").read_text() == "garbage"


def test_a_checkout_that_cannot_be_marked_is_in_the_way(landed: tuple[GitRepo, Git, str, str]) -> None:
    _, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    lock = take_over(git.repository, checkout.git_dir)
    assert lock is not None
    lock.release()
    (lock.folder / "mark").mkdir()  # the draft of the mark cannot be written
    with pytest.raises(CheckoutInTheWayError, match="mark"):
        prepare_follow(git, checkout, old, new)
    (lock.folder / "mark").rmdir()
    prepare_follow(git, checkout, old, new).abandon()


def test_git_at_work_there_blocks(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    (repo.path / ".git/index.lock").write_text("")
    (checkout,) = checkouts_of(git, MAIN)
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
    (checkout,) = checkouts_of(git, MAIN)
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


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_p25_a_checkout_by_way_of_a_symbolic_branch_follows(
    landed: tuple[GitRepo, Git, str, str], tmp_path: Path, linked: bool, packed: bool
) -> None:
    repo, git, old, new = landed
    top = repo.path
    if linked:
        top = tmp_path / "linked"
        repo.git("checkout", "-q", "work")
        repo.git("worktree", "add", "-q", "--detach", str(top), "main")
    repo.git("symbolic-ref", "refs/heads/trunk", "refs/heads/develop")
    repo.git("symbolic-ref", "refs/heads/develop", MAIN)
    repo.git("symbolic-ref", "HEAD", "refs/heads/trunk", at=top)
    if packed:
        repo.git("pack-refs", "--all")
    assert [c.top for c in checkouts_of(git, "refs/heads/trunk")] == [top]
    assert holders(git, "main") == (top,)
    assert top not in holders(git, "work")
    assert follow(git, repo, old, new) == ()
    assert repo.git("status", "--porcelain", at=top) == ""
    repo.git("commit", "-q", "--allow-empty", "-am", "the user's next commit", at=top)
    assert repo.git("diff", "--name-only", new, "main") == ""
    assert repo.git("rev-parse", "main~1") == new


def test_p25_a_head_that_is_a_link_is_a_checkout(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.git("-c", "core.preferSymlinkRefs=true", "symbolic-ref", "HEAD", MAIN)
    assert (repo.path / ".git/HEAD").is_symlink()
    assert follow(git, repo, old, new) == ()
    assert status(repo) == ""


def test_symbolic_branches_in_a_circle_are_no_checkout(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, _, _ = landed
    repo.write(".git/refs/heads/one", "ref: refs/heads/two\n")
    repo.write(".git/refs/heads/two", "ref: refs/heads/one\n")
    repo.write(".git/HEAD", "ref: refs/heads/one\n")
    assert checkouts_of(git, MAIN) == ()


def test_a_bare_repository_has_no_checkout(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    assert checkouts_of(Git(find(tmp_path / "bare.git")), "refs/heads/main") == ()


def crash(follow: Follow) -> None:
    """What the kernel does when a process dies: its lock is let go, the mark stays."""
    follow._lock.release()


def test_a_crash_half_way_is_finished(landed: tuple[GitRepo, Git, str, str]) -> None:
    """Killed after some files were written, one of them cut short, before the index was renamed."""
    repo, git, old, new = landed
    repo.write("src/b.py", "mine\n")
    (checkout,) = checkouts_of(git, MAIN)
    crash(prepare_follow(git, checkout, old, new))
    move(repo, new, old)
    repo.write("src/a.py", "a1 = 1")
    repo.write("new/file.txt", "new\n")
    assert recover(git, repo) == [Finished(repo.path)]
    assert status(repo) == " M src/b.py"
    assert recover(git, repo) == []
    assert not list((repo.path / ".git").glob("*.lock"))


def test_a_mark_whose_landing_was_never_made_is_taken_away(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    crash(prepare_follow(git, checkout, old, new))
    assert read_mark(checkout.git_dir) == Mark(MAIN, old, new, "epoch")
    assert recover(git, repo) == []
    assert read_mark(checkout.git_dir) is None
    assert status(repo) == ""
    assert (repo.path / "src/a.py").read_text().startswith("a1 = 1\n")


def test_a_mark_of_a_living_process_is_left_alone(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    follow = prepare_follow(git, checkout, old, new)
    move(repo, new, old)
    assert recover(git, repo) == []
    with pytest.raises(CheckoutLockedError):
        prepare_follow(git, checkout, old, new)
    follow.apply()
    assert status(repo) == ""


def test_what_a_killed_child_left_beside_the_copy_is_no_hindrance(
    landed: tuple[GitRepo, Git, str, str],
) -> None:
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    lock = take_over(git.repository, checkout.git_dir)
    assert lock is not None
    (lock.folder / "index.lock").write_bytes(b"half")
    lock.release()
    assert follow(git, repo, old, new) == ()
    assert status(repo) == ""


def test_a_folder_becomes_a_file_after_a_crash(repo: GitRepo) -> None:
    git, old = Git(find(repo.path)), repo.head()
    repo.git("checkout", "-q", "-b", "work")
    repo.git("rm", "-rq", "docs")
    repo.write("docs", "a file now\n")
    new = repo.commit("swap")
    repo.git("checkout", "-q", "main")
    (checkout,) = checkouts_of(git, MAIN)
    crash(prepare_follow(git, checkout, old, new))
    move(repo, new, old)
    (repo.path / "docs/guide.md").unlink()  # half done: read-tree, killed, had begun to remove
    assert recover(git, repo) == [Finished(repo.path)]
    assert status(repo) == ""
    assert (repo.path / "docs").read_text() == "a file now\n"


def test_a_link_where_a_folder_was_is_never_followed(
    landed: tuple[GitRepo, Git, str, str], tmp_path: Path
) -> None:
    """Typed in between: docs is a link to a folder of the user's with a file of the very same content."""
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    prepared = prepare_follow(git, checkout, old, new)
    move(repo, new, old)
    elsewhere = tmp_path / "elsewhere"
    (repo.path / "docs").rename(elsewhere)
    (repo.path / "docs").symlink_to(elsewhere)
    repo.write("src/a.py", "typed in between\n")
    assert prepared.apply() == ("docs/guide.md", "src/a.py")
    assert (elsewhere / "guide.md").exists()
    assert (repo.path / "docs").is_symlink()


def test_an_edit_during_the_landing_is_kept_and_named(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    prepared = prepare_follow(git, checkout, old, new)
    move(repo, new, old)
    repo.write("src/a.py", "typed in between\n")
    assert prepared.apply() == ("src/a.py",)
    assert (repo.path / "src/a.py").read_text() == "typed in between\n"
    assert status(repo) == " M src/a.py"


def test_detach_leaves_files_and_index_where_they_stand(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.write("src/a.py", "mine\n")
    (checkout,) = checkouts_of(git, MAIN)
    detach_checkout(git, checkout, old)
    move(repo, new, old)
    assert repo.head() == old
    assert status(repo) == " M src/a.py"


def test_a_checkout_that_was_detached_goes_back_with_its_edits(landed: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = landed
    repo.write("src/b.py", "mine\n")
    (checkout,) = checkouts_of(git, MAIN)
    detach_checkout(git, checkout, old)
    move(repo, new, old)
    attach_checkout(git, repo.path, "main")
    assert repo.git("symbolic-ref", "HEAD") == MAIN
    assert status(repo) == " M src/b.py"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_checkout_with_something_in_the_way_stays_detached(
    landed: tuple[GitRepo, Git, str, str], ignored: bool
) -> None:
    repo, git, old, new = landed
    (checkout,) = checkouts_of(git, MAIN)
    detach_checkout(git, checkout, old)
    move(repo, new, old)
    repo.write("new/file.txt", "mine\n")
    if ignored:
        repo.write(".git/info/exclude", "new/\n")
    with pytest.raises(CheckoutInTheWayError):
        attach_checkout(git, repo.path, "main")
    assert (repo.path / "new/file.txt").read_text() == "mine\n"
    assert repo.head() == old


def test_a_commit_of_the_users_is_not_lost_by_detaching(landed: tuple[GitRepo, Git, str, str]) -> None:
    """The user commits between our look at the target and the detaching: nothing is detached."""
    repo, git, old, _ = landed
    (checkout,) = checkouts_of(git, MAIN)
    repo.commit("mine", {"src/b.py": "mine\n"})
    with pytest.raises(CheckoutInTheWayError):
        detach_checkout(git, checkout, old)
    assert repo.git("symbolic-ref", "HEAD") == MAIN


# -- submodules ----------------------------------------------------------------------------------------


@pytest.fixture
def nested(repo: GitRepo, tmp_path: Path) -> tuple[GitRepo, Git, str, str]:
    """The landing moves the submodule ``lib``, which is checked out and clean, to a commit that it has."""
    lib = GitRepo.copy_of(repo.path, tmp_path / "lib")
    repo.git("submodule", "add", "-q", str(lib.path), "lib")
    old = repo.commit("submodule")
    lib.commit("newer", {"newer.txt": "1\n"})
    repo.git("fetch", "-q", "origin", at=repo.path / "lib")
    newer = repo.git("rev-parse", "origin/main", at=repo.path / "lib")
    repo.git("checkout", "-q", "-b", "work")
    repo.git("update-index", "--cacheinfo", f"160000,{newer},lib")
    repo.git("commit", "-q", "-m", "newer lib")
    new = repo.head()
    repo.git("checkout", "-q", "main")
    return repo, Git(find(repo.path)), old, new


def test_p25_a_clean_submodule_follows_and_the_next_commit_undoes_nothing(
    nested: tuple[GitRepo, Git, str, str],
) -> None:
    repo, git, old, new = nested
    assert follow(git, repo, old, new) == ()
    assert status(repo) == ""
    assert (repo.path / "lib/newer.txt").exists()
    repo.git("commit", "-q", "--allow-empty", "-am", "the user's next commit")
    assert repo.git("diff", "--name-only", new, "main") == ""


@pytest.mark.parametrize("how", ["edited", "elsewhere", "lacking"])
def test_p25_a_submodule_that_cannot_follow_is_in_the_way(
    nested: tuple[GitRepo, Git, str, str], how: str
) -> None:
    repo, git, old, new = nested
    lib = GitRepo(repo.path / "lib")
    if how == "edited":
        lib.write("README.md", "mine\n")
    elif how == "elsewhere":
        lib.commit("mine", {"mine.txt": "1\n"})
    else:
        tree = repo.git("rev-parse", f"{new}^{{tree}}")
        listed = repo.git("ls-tree", tree).replace(repo.git("rev-parse", f"{new}:lib"), "1" * 40)
        tree = repo.git("mktree", stdin=listed + "\n")
        new = repo.git("commit-tree", tree, "-p", old, "-m", "a commit that lib does not have")
    before = status(repo)
    (checkout,) = checkouts_of(git, MAIN)
    with pytest.raises(CheckoutInTheWayError) as caught:
        prepare_follow(git, checkout, old, new)
    assert caught.value.paths == ("lib",)
    assert status(repo) == before


def test_p25_a_submodule_that_is_not_checked_out_is_no_hindrance(
    nested: tuple[GitRepo, Git, str, str],
) -> None:
    repo, git, old, new = nested
    repo.git("submodule", "deinit", "-q", "-f", "lib")
    assert follow(git, repo, old, new) == ()
    assert status(repo) == ""


def test_a_submodule_is_brought_along_after_a_crash(nested: tuple[GitRepo, Git, str, str]) -> None:
    repo, git, old, new = nested
    (checkout,) = checkouts_of(git, MAIN)
    crash(prepare_follow(git, checkout, old, new))
    move(repo, new, old)
    assert recover(git, repo) == [Finished(repo.path)]
    assert status(repo) == ""
