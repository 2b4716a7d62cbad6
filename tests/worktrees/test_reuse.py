"""A slot used again: what stays, what goes, what is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence

import pytest

from tests.support.pools import pool_of
from tests.support.repo import GitRepo
from worktrees.errors import ProvisioningError, RescueIncompleteError
from worktrees.pool import Pool, SlotOptions, SlotTree
from worktrees.rescue import rescue
from worktrees.slot import run_in


def status(repo: GitRepo, tree: SlotTree) -> str:
    return repo.git("status", "--porcelain", "--untracked-files=all", at=tree.path)


@pytest.fixture
def pool(repo: GitRepo) -> Pool:
    repo.commit("ignores", {".gitignore": "cache/\n*.log\n"})
    return pool_of(repo.path)


def dirty(tree: SlotTree) -> None:
    (tree.path / "src" / "a.py").write_text("changed\n")
    (tree.path / "src" / "b.py").unlink()
    (tree.path / "untracked" / "deep").mkdir(parents=True)
    (tree.path / "untracked" / "deep" / "x").write_text("x")
    (tree.path / "cache").mkdir()
    (tree.path / "cache" / "c").write_text("c")


@pytest.mark.parametrize("tidied", [False, True])
def test_recycle_brings_the_new_commit_and_keeps_ignored_caches(
    repo: GitRepo, pool: Pool, tidied: bool
) -> None:
    tree = pool.add("slot-01", repo.head())
    dirty(tree)
    if tidied:
        pool.tidy(tree, repo.head())
        assert status(repo, tree) == ""
    new = repo.commit("next", {"src/a.py": "next\n", "new.txt": "n"})
    assert pool.recycle(tree, new) == tree
    assert status(repo, tree) == ""
    assert repo.git("rev-parse", "HEAD", at=tree.path) == new
    assert (tree.path / "src" / "a.py").read_text() == "next\n"
    assert not (tree.path / "untracked").exists()
    assert (tree.path / "cache" / "c").read_text() == "c"
    assert repo.git("symbolic-ref", "-q", "HEAD", at=tree.path, ok=False) == ""


def test_caches_go_when_they_are_not_to_be_reused(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    dirty(tree)
    pool.tidy(tree, repo.head())
    pool.recycle(tree, repo.head(), SlotOptions(reuse_caches=False))
    assert not (tree.path / "cache").exists()


@pytest.mark.parametrize("tidied", [False, True])
def test_the_new_gitignore_counts(repo: GitRepo, pool: Pool, tidied: bool) -> None:
    tree = pool.add("slot-01", repo.head())
    dirty(tree)
    if tidied:
        pool.tidy(tree, repo.head())
    new = repo.commit("next", {".gitignore": "*.log\n"})
    pool.recycle(tree, new)
    assert not (tree.path / "cache").exists()  # the old base ignored it, the new one does not
    assert status(repo, tree) == ""


def saving(pool: Pool, saved: list[str]) -> SlotOptions:
    """Options that rescue as the orchestrator does; the references are added to ``saved``."""

    def save(tree: SlotTree, named: Sequence[str]) -> None:
        stamp = f"s{len(saved)}"
        found = rescue(pool.git, tree.path, "slot", named=named, stamp=stamp)
        assert found is not None
        saved.append(found.reference)

    return SlotOptions(before_clean=save)


def tracking(repo: GitRepo, files: dict[str, str | bytes]) -> str:
    """Commit the files, those too that are ignored."""
    for name, text in files.items():
        repo.write(name, text)
        repo.git("add", "-f", name)
    return repo.commit("next")


WORK = b"\x00\xff one run of a night\r\n"


@pytest.mark.parametrize("use", [Pool.tidy, Pool.recycle])
@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize(
    "change", [{".gitignore": "*.log\n"}, {"cache/c": "tracked\n"}, {"cache": "a file\n"}]
)
def test_p9_what_the_old_base_ignored_is_rescued_before_the_new_one_destroys_it(
    repo: GitRepo, pool: Pool, change: dict[str, str | bytes], tidied: bool, use: Callable[..., object]
) -> None:
    tree = pool.add("slot-01", repo.head())
    saved: list[str] = []
    dirty(tree)
    (tree.path / "cache" / "c").write_bytes(WORK)
    if tidied:
        pool.tidy(tree, repo.head(), saving(pool, saved))
        assert saved == [], "nothing was at risk that the caller has not rescued"
    (repo.path.parent / "work").write_bytes(WORK)
    work = repo.git("hash-object", "--no-filters", str(repo.path.parent / "work"))
    new = tracking(repo, change)
    use(pool, tree, new, saving(pool, saved))
    assert work in {repo.git("rev-parse", "-q", "--verify", f"{name}:cache/c") for name in saved}
    assert all(name.startswith("refs/planctl/rescue/") for name in saved)
    assert status(repo, tree) == ""


@pytest.mark.parametrize("change", [{".gitignore": "*.log\n"}, {"cache/c": "tracked\n"}])
def test_p9_nothing_is_destroyed_when_that_rescue_fails(
    repo: GitRepo, pool: Pool, change: dict[str, str | bytes]
) -> None:
    tree = pool.add("slot-01", repo.head())
    dirty(tree)
    pool.tidy(tree, repo.head())
    new = tracking(repo, change)

    def refuse(tree: SlotTree, _named: Sequence[str]) -> None:
        raise RescueIncompleteError(tree.path, "the disk is full")

    with pytest.raises(RescueIncompleteError, match="the disk is full"):
        pool.recycle(tree, new, SlotOptions(before_clean=refuse))
    assert (tree.path / "cache" / "c").read_text() == "c"


def test_a_file_put_into_a_tidy_slot_survives_being_taken(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    pool.tidy(tree, repo.head())
    (tree.path / "mine.txt").write_text("mine")
    assert pool.changes(tree) == ("mine.txt",)
    pool.recycle(tree, repo.head())
    assert (tree.path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("commits", [False, True])
@pytest.mark.parametrize("where", ["nested", "deep/er"])
def test_p9_a_nested_repository_is_refused_untouched(
    repo: GitRepo, pool: Pool, commits: bool, where: str
) -> None:
    tree = pool.add("slot-01", repo.head())
    dirty(tree)
    repo.git("init", "-q", str(tree.path / where))
    (tree.path / where / "work.txt").write_text("work")
    if commits:
        repo.git("commit", "-q", "--allow-empty", "-m", "inner", at=tree.path / where)
    taken = repo.commit("in its place", {where.partition("/")[0]: "a file now"})
    for use in (pool.tidy, pool.recycle):
        with pytest.raises(RescueIncompleteError, match="nested"):
            use(tree, taken)
    assert (tree.path / where / "work.txt").read_text() == "work"
    assert (tree.path / "src" / "a.py").read_text() == "changed\n"


def test_p9_an_ignored_nested_repository_is_kept_and_refused_once_it_counts(
    repo: GitRepo, pool: Pool
) -> None:
    tree = pool.add("slot-01", repo.head())
    repo.git("init", "-q", str(tree.path / "cache" / "dep"))
    (tree.path / "cache" / "dep" / "f").write_text("f")
    pool.tidy(tree, repo.head(), SlotOptions(reuse_caches=False))
    assert (tree.path / "cache" / "dep" / "f").exists()
    new = repo.commit("next", {".gitignore": "*.log\n"})
    with pytest.raises(RescueIncompleteError, match="nested"):
        pool.recycle(tree, new)
    assert (tree.path / "cache" / "dep" / "f").exists()


def conflicted_merge(repo: GitRepo, tree: SlotTree) -> None:
    repo.git("checkout", "-q", "-b", "other", at=tree.path)
    (tree.path / "README.md").write_text("other\n")
    repo.git("commit", "-qam", "other", at=tree.path)
    repo.git("checkout", "-q", "-b", "this", "main", at=tree.path)
    (tree.path / "README.md").write_text("this\n")
    repo.git("commit", "-qam", "this", at=tree.path)


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick", "am", "bisect", "revert"])
def test_operations_in_progress_are_ended(repo: GitRepo, pool: Pool, operation: str) -> None:
    tree = pool.add("slot-01", repo.head())
    conflicted_merge(repo, tree)
    if operation == "am":
        patch = repo.git("format-patch", "-1", "--stdout", "other", at=tree.path)
        repo.git("am", "-3", "-q", at=tree.path, stdin=patch + "\n", ok=False)
    elif operation == "bisect":
        repo.git("bisect", "start", "this", "main~1", at=tree.path)
    elif operation == "revert":
        (tree.path / "README.md").write_text("later\n")
        repo.git("commit", "-qam", "later", at=tree.path)
        repo.git("revert", "--no-edit", "this~1", "HEAD~1", at=tree.path, ok=False)
    else:
        repo.git(operation, "other", at=tree.path, ok=False)
    assert any((tree.git_dir / n).exists() for n in ("MERGE_HEAD", "rebase-merge", "CHERRY_PICK_HEAD",
               "rebase-apply", "BISECT_LOG", "REVERT_HEAD", "sequencer"))  # fmt: skip
    pool.quiesce(tree)
    pool.recycle(tree, repo.head("main"))
    assert status(repo, tree) == ""
    said = repo.git("status", at=tree.path)
    assert said.splitlines()[1:] == ["nothing to commit, working tree clean"], said
    assert repo.git("log", "-1", "--format=%s", "this") == ("later" if operation == "revert" else "this")
    assert repo.git("stash", "list") == ""
    assert not (tree.git_dir / "refs").exists()


def test_p9_an_autostash_that_is_only_here_is_refused(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    conflicted_merge(repo, tree)
    (tree.path / "src" / "a.py").write_text("uncommitted\n")
    repo.git("rebase", "--autostash", "other", at=tree.path, ok=False)
    stash = (tree.git_dir / "rebase-merge" / "autostash").read_text().strip()
    with pytest.raises(RescueIncompleteError, match=stash[:12]):
        pool.quiesce(tree)
    assert (tree.git_dir / "rebase-merge" / "autostash").exists()
    repo.git("update-ref", "refs/planctl/archive/stash/x", stash)
    pool.recycle(tree, repo.head("main"))
    assert repo.git("stash", "list") == ""


def test_p9_commits_that_only_the_slot_holds_are_refused(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    repo.git("commit", "-q", "--allow-empty", "-m", "detached", at=tree.path)
    work = repo.git("rev-parse", "HEAD", at=tree.path)
    with pytest.raises(RescueIncompleteError, match=work[:12]):
        pool.tidy(tree, repo.head())
    repo.git("checkout", "-q", "main", "--detach", at=tree.path)
    repo.git("update-ref", "refs/worktree/mine", work, at=tree.path)
    with pytest.raises(RescueIncompleteError, match="refs/worktree/mine"):
        pool.recycle(tree, repo.head())
    repo.git("update-ref", "refs/planctl/archive/x/1", work)
    pool.recycle(tree, repo.head())
    assert repo.git("for-each-ref", "refs/worktree", at=tree.path) == ""


def test_hidden_edits_and_worktree_settings_are_undone(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    repo.git("update-index", "--skip-worktree", "src/a.py", at=tree.path)
    repo.git("update-index", "--assume-unchanged", "src/b.py", at=tree.path)
    for name in ("a", "b"):
        (tree.path / "src" / f"{name}.py").write_text("hidden\n")
    assert status(repo, tree) == ""
    (tree.git_dir / "index.lock").write_bytes(b"")  # of a git that was killed
    pool.recycle(tree, repo.head())
    for name in ("a", "b"):
        assert (tree.path / "src" / f"{name}.py").read_text() != "hidden\n"
    assert all(line.startswith("H ") for line in repo.git("ls-files", "-v", at=tree.path).splitlines())


def test_an_orphan_branch_does_not_stop_reuse(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    repo.git("checkout", "-q", "--orphan", "nothing", at=tree.path)
    repo.git("rm", "-rqf", ".", at=tree.path)
    pool.recycle(tree, repo.head())
    assert status(repo, tree) == ""


def test_a_plan_that_deleted_its_worktree_gets_it_again(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    shutil.rmtree(tree.path)
    pool.tidy(tree, repo.head())
    again = pool.recycle(tree, repo.head())
    assert (again.path / "README.md").exists()
    assert status(repo, again) == ""
    assert pool.list() == (again,)


@pytest.mark.parametrize("damage", ["removed", "own repository", "another worktree", "link"])
def test_s14_a_damaged_slot_is_refused_and_nothing_around_it_is_touched(repo: GitRepo, damage: str) -> None:
    pool = Pool(pool_of(repo.path).git, repo.path / "pool")  # the worst place: inside the user's checkout
    tree, other = pool.add("slot-01", repo.head()), pool.add("slot-02", repo.head())
    (repo.path / "src" / "a.py").write_text("the user's edit\n")
    (repo.path / "untracked").write_text("the user's file")
    (tree.path / "work").write_text("work")
    if damage == "link":
        shutil.rmtree(tree.path)
        tree.path.symlink_to(repo.path)
    else:
        (tree.path / ".git").unlink()
    if damage == "own repository":
        repo.git("init", "-q", at=tree.path)
    if damage == "another worktree":
        shutil.copy(other.path / ".git", tree.path / ".git")
    for use in (pool.tidy, pool.recycle, pool.recycle_for_check):
        with pytest.raises(RescueIncompleteError):
            use(tree, repo.head())
    with pytest.raises(RescueIncompleteError):
        pool.remove(tree)
    assert (repo.path / "src" / "a.py").read_text() == "the user's edit\n"
    assert (repo.path / "untracked").exists()
    if damage != "link":
        assert (tree.path / "work").read_text() == "work"


def test_s14_git_in_a_slot_never_finds_the_checkout_around_it(repo: GitRepo) -> None:
    pool = Pool(pool_of(repo.path).git, repo.path / "pool")
    tree = pool.add("slot-01", repo.head())
    (repo.path / "src" / "a.py").write_text("the user's edit\n")
    (tree.path / ".git").unlink()
    run_in(pool.git, tree, "checkout", "-q", "-f", "--detach", repo.head())
    assert (repo.path / "src" / "a.py").read_text() == "the user's edit\n"
    assert repo.git("branch", "--show-current") == "main"


def test_check_slots_hold_exactly_the_commit(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("check-01", repo.head())
    dirty(tree)
    repo.git("init", "-q", str(tree.path / "fixture"))
    repo.git("sparse-checkout", "set", "docs", at=tree.path)
    (tree.path / "build" / "keep").mkdir(parents=True)
    (tree.path / "build" / "keep" / "k").write_text("k")
    (tree.path / "build" / "stale.o").write_text("s")
    new = repo.commit("next", {"src/a.py": "next\n"})
    pool.recycle_for_check(tree, new, ("/build/keep/",))
    assert repo.git("status", "--porcelain", "--ignored", "-uall", at=tree.path) == "?? build/keep/k"
    assert (tree.path / "src" / "a.py").read_text() == "next\n"
    assert sorted(repo.git("ls-files").splitlines()) == sorted(
        repo.git("ls-files", at=tree.path).splitlines()
    )


def test_sparse_is_set_before_the_checkout_and_undone_without_it(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head(), SlotOptions(sparse=("docs",)))
    assert sorted(os.listdir(tree.path)) == [".git", ".gitignore", "README.md", "docs"]
    assert status(repo, tree) == ""
    pool.recycle(tree, repo.head(), SlotOptions(sparse=("/src/*.py",)))
    assert sorted(os.listdir(tree.path)) == [".git", "src"]
    pool.tidy(tree, repo.head(), SlotOptions(sparse=("/src/*.py",)))
    pool.recycle(tree, repo.head())
    assert (tree.path / "docs" / "guide.md").exists()
    assert status(repo, tree) == ""
    assert repo.git("status", "--porcelain") == ""
    assert (repo.path / "docs").exists()


def test_a_checkout_that_fails_leaves_a_slot_that_can_be_mended(repo: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", repo.head())
    new = repo.commit("filter", {".gitattributes": "*.bin filter=f\n", "x.bin": "x"})
    repo.git("config", "filter.f.smudge", "false")
    repo.git("config", "filter.f.required", "true")
    with pytest.raises(ProvisioningError):
        pool.recycle(tree, new)
    repo.git("config", "filter.f.required", "false")
    pool.recycle(tree, new)
    assert status(repo, tree) == ""
