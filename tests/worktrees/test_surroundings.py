"""What a slot gets besides its commit: pointer, branch, link, excludes, copies, submodules."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from plans.errors import InvalidNameError
from plans.ids import PlanId
from tests.support.pools import ROOT, pool_of, slots_left
from tests.support.repo import GitRepo
from worktrees import bring as bringing
from worktrees.branches import (
    Ownership,
    attach,
    branch_commit,
    create_branch,
    holders,
    restart_branch,
    start_of,
)
from worktrees.bring import bring
from worktrees.errors import (
    BranchExistsError,
    BranchInUseError,
    GitFailedError,
    InvalidReferenceError,
    NoPlanError,
    ProvisioningError,
    ReferenceMovedError,
    UnknownRevisionError,
)
from worktrees.exclude import exclude, excluded, forget_excludes, literal_pattern
from worktrees.git import Git
from worktrees.links import link_plan, linked_plans, unlink_plan
from worktrees.pointer import clear_pointer, read_pointer, which_plan, write_pointer
from worktrees.pool import Pool, SlotOptions
from worktrees.references import References
from worktrees.repository import find

A, B = PlanId("plan-a"), PlanId("plan-b")


@pytest.fixture
def pool(repo: GitRepo) -> Pool:
    return pool_of(repo.path)


@pytest.fixture
def references(pool: Pool) -> References:
    pool.git.ensure_desk()
    return References(pool.git)


def test_s2_2_two_plans_side_by_side_never_see_each_others_pointer(repo: GitRepo, pool: Pool) -> None:
    one, two = pool.add("slot-01", repo.head()), pool.add("slot-02", repo.head())
    exclude(pool.git.repository)
    write_pointer(one.path, A)
    write_pointer(two.path, B)
    assert read_pointer(one.path / "src") == A
    assert read_pointer(two.path) == B
    assert read_pointer(repo.path) is None
    for tree in (one, two):
        assert repo.git("status", "--porcelain", at=tree.path) == ""
    clear_pointer(one.path)
    assert read_pointer(one.path) is None
    assert not (one.path / ".planctl").exists()
    assert read_pointer(two.path) == B


def test_s2_2_a_pool_inside_a_checkout_does_not_see_its_pointer(repo: GitRepo, pool: Pool) -> None:
    inner = Pool(pool.git, repo.path / "pool").add("slot-01", repo.head())
    write_pointer(repo.path, A)
    assert read_pointer(inner.path) is None


def test_s2_1_option_then_environment_then_pointer_then_an_error(repo: GitRepo) -> None:
    with pytest.raises(NoPlanError):
        which_plan(None, {}, repo.path)
    write_pointer(repo.path, A)
    assert which_plan(None, {}, repo.path / "src") == A
    assert which_plan(None, {"PLANCTL_PLAN": "env"}, repo.path) == "env"
    assert which_plan("option", {"PLANCTL_PLAN": "env"}, repo.path) == "option"
    for bad in ("--force", "../x"):
        with pytest.raises(InvalidNameError):
            which_plan(bad, {}, repo.path)
    (repo.path / ".planctl" / "current-plan").write_bytes(b"\xff\n")
    with pytest.raises(InvalidNameError):
        which_plan(None, {}, repo.path)


def test_a_pointer_is_not_written_through_a_link(repo: GitRepo, tmp_path: Path) -> None:
    (repo.path / ".planctl").symlink_to(tmp_path)
    with pytest.raises(ProvisioningError):
        write_pointer(repo.path, A)


def test_reading_the_pointer_imports_no_git() -> None:
    heavy = "git", "pygit2", "subprocess"
    code = f"import sys, worktrees.pointer; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


def test_excludes_keep_the_users_lines_and_can_be_undone(repo: GitRepo, tmp_path: Path) -> None:
    repository = find(repo.path)
    elsewhere = tmp_path / "dotfiles-exclude"
    elsewhere.write_bytes(b"# mine\r\n*.swp\n\xff")
    path = repo.path / ".git" / "info" / "exclude"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere)
    exclude(repository, ["/x"])
    exclude(repository, ["/y"])
    written = elsewhere.read_bytes()
    exclude(repository, ["/x"])
    assert elsewhere.read_bytes() == written
    assert written.startswith(b"# mine\r\n*.swp\n\xff\n")
    assert excluded(repository) == ("/.planctl/", "/x", "/y")
    assert path.is_symlink()
    forget_excludes(repository)
    assert elsewhere.read_bytes() == b"# mine\r\n*.swp\n\xff"


def test_excludes_of_many_threads_are_all_kept(repo: GitRepo) -> None:
    repository = find(repo.path)
    threads = [threading.Thread(target=exclude, args=(repository, [f"/f{n}"])) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(excluded(repository)) == {"/.planctl/", *(f"/f{n}" for n in range(16))}


@pytest.mark.parametrize("name", ["a b ", "[x]", "st*r", "q?", "#hash", "!bang", "back\\slash", "sp  "])
def test_literal_patterns_match_exactly_their_path(repo: GitRepo, name: str) -> None:
    repo.write(f"{name}", "x")
    repo.write("other", "x")
    exclude(find(repo.path), [p for p in [literal_pattern(name)] if p])
    assert repo.git("status", "--porcelain") == "?? other"
    assert literal_pattern("a\nb") is None


def test_links_lead_from_plans_to_slots(repo: GitRepo, pool: Pool) -> None:
    one, two = pool.add("slot-01", repo.head()), pool.add("slot-02", repo.head())
    named = PlanId("slot-01")
    assert link_plan(pool.folder, named, one.path)
    link_plan(pool.folder, named, two.path)
    assert (pool.folder / "plans" / named).resolve() == two.path
    assert linked_plans(pool.folder) == {"slot-01": "slot-02"}
    unlink_plan(pool.folder, named)
    unlink_plan(pool.folder, named)
    assert linked_plans(pool.folder) == {}
    assert [t.name for t in pool.list()] == ["slot-01", "slot-02"]


def test_a_branch_is_made_and_attached_without_touching_files(
    repo: GitRepo, pool: Pool, references: References
) -> None:
    tree = pool.add("slot-01", repo.head())
    before = (tree.git_dir / "index").stat().st_mtime_ns
    assert start_of(references, "plan/a", repo.head(), Ownership.OTHER) == repo.head()
    assert create_branch(references, "plan/a", repo.head(), Ownership.OTHER)
    attach(pool.git, references, tree, "plan/a")
    attach(pool.git, references, tree, "plan/a")
    assert repo.git("branch", "--show-current", at=tree.path) == "plan/a"
    assert (tree.git_dir / "index").stat().st_mtime_ns == before
    assert repo.git("status", "--porcelain", at=tree.path) == ""
    assert holders(pool.git, "plan/a") == (tree.path,)
    other = pool.add("slot-02", repo.head())
    with pytest.raises(BranchInUseError):
        attach(pool.git, references, other, "plan/a")
    pool.recycle(tree, repo.head())  # detaches
    attach(pool.git, references, other, "plan/a")


def test_s9_a_branch_of_somebody_else_is_refused_unless_adopted(
    repo: GitRepo, references: References
) -> None:
    theirs = repo.branch("plan/a", {"x": "x"})
    for call in (start_of, create_branch):
        with pytest.raises(BranchExistsError) as caught:
            call(references, "plan/a", repo.head(), Ownership.OTHER)
        assert caught.value.commit == theirs
    assert start_of(references, "plan/a", repo.head(), Ownership.ADOPTED) == theirs
    assert not create_branch(references, "plan/a", theirs, Ownership.ADOPTED)
    with pytest.raises(ReferenceMovedError):
        create_branch(references, "plan/a", repo.head(), Ownership.OWN)
    with pytest.raises(ReferenceMovedError):
        restart_branch(references, "plan/a", repo.head(), repo.head())
    assert branch_commit(references, "plan/a") == theirs
    restart_branch(references, "plan/a", theirs, repo.head())
    assert branch_commit(references, "plan/a") == repo.head()


def test_one_of_many_makers_of_a_branch_wins(repo: GitRepo, references: References) -> None:
    made = []

    def make() -> None:
        try:
            made.append(create_branch(references, "plan/a", repo.head(), Ownership.OTHER))
        except BranchExistsError:
            made.append(False)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]


@pytest.mark.parametrize("use", ["checkout", "rebase", "bisect"])
def test_s14_a_branch_in_the_users_worktree_is_refused(
    repo: GitRepo, pool: Pool, references: References, use: str
) -> None:
    repo.branch("side", {"README.md": "side\n"})
    users = repo.path.with_name("users")
    repo.git("worktree", "add", "-q", str(users), "side")
    commit = repo.commit("main", {"README.md": "main\n"})
    if use == "rebase":
        repo.git("rebase", "main", at=users, ok=False)
        assert repo.git("branch", "--show-current", at=users) == ""
    if use == "bisect":
        repo.git("bisect", "start", at=users)
        repo.git("checkout", "-q", "--detach", at=users)
    tree = pool.add("slot-01", repo.head("side"))
    assert commit
    with pytest.raises(BranchInUseError) as caught:
        attach(pool.git, references, tree, "side")
    assert caught.value.worktree == users
    with pytest.raises(BranchInUseError):
        attach(pool.git, references, tree, "main")


def test_branches_that_are_not_where_the_slot_is(repo: GitRepo, pool: Pool, references: References) -> None:
    repo.branch("side", {"x": "x"})
    tree = pool.add("slot-01", repo.head())
    with pytest.raises(ReferenceMovedError):
        attach(pool.git, references, tree, "side")
    with pytest.raises(UnknownRevisionError):
        attach(pool.git, references, tree, "none")
    for bad in ("--force", "a..b", "HEAD", "x.lock"):
        with pytest.raises(InvalidReferenceError):
            create_branch(references, bad, repo.head(), Ownership.OTHER)


@pytest.fixture
def ignoring(repo: GitRepo) -> GitRepo:
    repo.commit("ignores", {".gitignore": ".env\nnode_modules/\n*.key\n"})
    repo.write(".env", "SECRET=1\n").chmod(0o600)
    repo.write("node_modules/x/index.js", "x\n")
    (repo.path / "node_modules" / ".bin").mkdir()
    (repo.path / "node_modules" / ".bin" / "x").symlink_to("../x/index.js")
    repo.write("keys/one.key", "1")
    repo.write("keys/two.key", "2")
    return repo


def test_ignored_files_are_copied_and_linked_and_are_no_leftovers(ignoring: GitRepo, pool: Pool) -> None:
    options = SlotOptions(copy=(".env", "keys/*.key"), link=("node_modules/",))
    tree = pool.add("slot-01", ignoring.head(), options)
    assert (tree.path / ".env").read_text() == "SECRET=1\n"
    assert (tree.path / ".env").stat().st_mode & 0o777 == 0o600
    assert (tree.path / "keys" / "two.key").read_text() == "2"
    assert (tree.path / "node_modules").readlink() == ignoring.path / "node_modules"
    assert ignoring.git("status", "--porcelain", at=tree.path) == ""
    assert excluded(pool.git.repository) == ("/.planctl/", "/node_modules")
    (tree.path / ".env").write_text("the plan's\n")
    pool.tidy(tree, ignoring.head(), options)
    pool.recycle(tree, ignoring.head(), options)
    assert (tree.path / ".env").read_text() == "SECRET=1\n"
    assert (ignoring.path / "node_modules" / "x" / "index.js").exists()
    pool.recycle(tree, ignoring.head(), SlotOptions(reuse_caches=False))
    assert not os.path.lexists(tree.path / "node_modules")
    pool.remove(pool.recycle(tree, ignoring.head(), options))
    assert (ignoring.path / "node_modules" / "x" / "index.js").read_text() == "x\n"


def test_folders_are_copied_with_their_links_and_times(ignoring: GitRepo, pool: Pool) -> None:
    tree = pool.add("slot-01", ignoring.head(), SlotOptions(copy=("node_modules",)))
    copy = tree.path / "node_modules"
    assert (copy / ".bin" / "x").readlink() == Path("../x/index.js")
    original = ignoring.path / "node_modules" / "x" / "index.js"
    assert (copy / "x" / "index.js").stat().st_mtime_ns == original.stat().st_mtime_ns
    (copy / "x" / "index.js").write_text("changed")
    assert original.read_text() == "x\n"


def test_nothing_is_brought_from_outside_or_over_tracked_files(
    ignoring: GitRepo, pool: Pool, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (ignoring.path / "away.key").symlink_to(outside)
    ignoring.write("both/one.key", "local")
    ignoring.write("pipe.key", "")
    (ignoring.path / "pipe.key").unlink()
    os.mkfifo(ignoring.path / "pipe.key")
    tree = pool.add("slot-01", ignoring.head())
    (tree.path / "both").symlink_to(outside)
    (tree.path / "tracked.key").write_text("the slot's own\n")
    ignoring.git("add", "-f", "tracked.key", at=tree.path)
    ignoring.write("tracked.key", "the main one's")
    patterns = ["away.key", "both/*.key", "README.md", "nothing", "tracked.key", "pipe.key"]
    for how in ({"copy": [], "link": patterns}, {"copy": patterns[1:], "link": []}):
        brought = bring(pool.git, tree, **how)
        skipped = dict(brought.skipped)
        assert "leads out" in skipped["both/one.key"]
        assert skipped["README.md"].startswith("no ignored file")
        assert skipped["nothing"].startswith("no ignored file")
        assert skipped["tracked.key"] == "it is tracked here"
    assert "pipe.key" in skipped
    assert sorted(os.listdir(outside)) == ["secret"]
    assert (tree.path / "tracked.key").read_text() == "the slot's own\n"
    assert not (tree.path / "away.key").exists()


def test_a_copy_that_fails_unmakes_the_slot(
    ignoring: GitRepo, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bringing, "clone_file", full)
    with pytest.raises(ProvisioningError, match="No space left"):
        pool.add("slot-01", ignoring.head(), SlotOptions(copy=(".env",)))
    assert slots_left(ignoring) == []


def test_submodules_are_filled_from_the_main_repository(repo: GitRepo, tmp_path: Path) -> None:
    library = GitRepo.copy_of(repo.path, tmp_path / "library")
    unused = GitRepo.copy_of(repo.path, tmp_path / "unused")
    repo.git("submodule", "add", "-q", str(library.path), "deps/lib")
    repo.git("submodule", "add", "-q", str(unused.path), "deps/unused")
    repo.commit("submodules")
    repo.git("submodule", "deinit", "-q", "-f", "deps/unused")
    (repo.path / ".git" / "modules" / "deps" / "unused" / "HEAD").unlink()
    library.path.rename(tmp_path / "gone")  # no network: the address answers no more
    configured = (repo.path / ".git" / "config").read_bytes()
    pool = pool_of(repo.path)
    tree = pool.add("slot-01", repo.head())
    inner = tree.path / "deps" / "lib"
    assert (inner / "README.md").exists()
    assert repo.git("remote", "get-url", "origin", at=inner) == str(library.path)
    assert list((tree.path / "deps" / "unused").iterdir()) == []
    assert (repo.path / ".git" / "config").read_bytes() == configured
    write_pointer(tree.path, A)
    assert read_pointer(inner) == A
    clear_pointer(tree.path)
    mains = GitRepo(repo.path / "deps" / "lib")
    mains.commit("more", {"more.txt": "m"})
    new = repo.commit("newer submodule")
    pool.recycle(tree, new)
    assert (inner / "more.txt").exists()
    assert repo.git("status", "--porcelain", at=tree.path) == ""
    repo.git("rm", "-q", "-f", "deps/lib")
    pool.recycle(tree, repo.commit("without"))
    assert not inner.exists()
    assert repo.git("status", "--porcelain", at=tree.path) == ""


def test_a_killed_git_is_never_an_answer(repo: GitRepo) -> None:
    """Not even where every exit status is one: what it was to do is not done."""
    with pytest.raises(GitFailedError, match="status -9"):
        Git(find(repo.path)).run("-c", "alias.die=!kill -9 $PPID", "die", ok=())
