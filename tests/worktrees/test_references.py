from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.errors import GitFailedError, InvalidReferenceError, ReferenceMovedError, UnknownRevisionError
from worktrees.git import Git
from worktrees.references import ZERO, Change, Create, Delete, References, Update, Verify
from worktrees.repository import find

OTHER = "1" * 40


@pytest.fixture(params=["a child each", "kept children"])
def git(repo: GitRepo, request: pytest.FixtureRequest) -> Iterator[Git]:
    git = Git(find(repo.path))
    git.ensure_desk()
    with git.keep_writers() if request.param == "kept children" else contextlib.nullcontext():
        yield git


@pytest.fixture
def references(git: Git) -> References:
    return References(git)


def test_a_transaction_makes_moves_verifies_and_removes(repo: GitRepo, references: References) -> None:
    old = repo.head()
    new = repo.branch("work", {"x": "1"})
    repo.git("update-ref", "refs/planctl/gone", old)
    repo.git("update-ref", "refs/planctl/epoch", old)
    changes = [
        Verify("refs/planctl/epoch", old),
        Verify("refs/planctl/absent", ZERO),
        Create("refs/planctl/landed/p/k", new),
        Delete("refs/planctl/gone", old),
        Update("refs/heads/main", new, old),
    ]
    references.transact(changes, message="planctl: landed\np", step="test.refs")
    assert repo.git("for-each-ref", "--format=%(refname)", "refs/planctl") == (
        "refs/planctl/epoch\nrefs/planctl/landed/p/k"
    )
    assert repo.head("refs/heads/main") == new
    assert repo.git("reflog", "-1", "--format=%gs", "main") == "planctl: landed p"


@pytest.mark.parametrize(
    "refused",
    [
        Create("refs/heads/main", "NEW"),
        Update("refs/heads/main", "NEW", OTHER),
        Update("refs/planctl/absent", "NEW", "OLD"),
        Verify("refs/heads/main", ZERO),
        Verify("refs/heads/main", OTHER),
        Verify("refs/planctl/absent", "OLD"),
        Delete("refs/heads/main", OTHER),
        Delete("refs/planctl/absent", "OLD"),
    ],
    ids=str,
)
def test_s5_a_refused_transaction_changes_nothing(
    repo: GitRepo, references: References, refused: Change
) -> None:
    new, old = repo.branch("work", {"x": "1"}), repo.head()
    fields = {name: getattr(refused, name) for name in ("name", "new", "old") if hasattr(refused, name)}
    filled = type(refused)(**{k: v.replace("NEW", new).replace("OLD", old) for k, v in fields.items()})
    before = repo.git("for-each-ref")
    with pytest.raises(ReferenceMovedError, match=refused.name):
        references.transact([Create("refs/planctl/a", new), filled], message="m", step="test.refs")
    assert repo.git("for-each-ref") == before


def test_what_is_no_ones_move_is_a_failure_of_git(repo: GitRepo, references: References) -> None:
    before = repo.git("for-each-ref")
    missing = "2" * 40
    with pytest.raises(GitFailedError):
        references.transact([Create("refs/planctl/a", missing)], message="m", step="test.refs")
    lock = repo.write(".git/refs/heads/main.lock", "")
    new = repo.git("commit-tree", "-m", "x", "main^{tree}")
    with pytest.raises(GitFailedError):
        references.transact([Update("refs/heads/main", new, repo.head())], message="m", step="test.refs")
    lock.unlink()
    assert repo.git("for-each-ref") == before


@pytest.mark.parametrize("name", ["refs/heads/a\0b", "refs/heads/../x", "-d", "refs/heads/a b", "main"])
def test_a_hostile_name_never_reaches_git(references: References, repo: GitRepo, name: str) -> None:
    with pytest.raises(InvalidReferenceError):
        references.transact([Create(name, repo.head())], message="m", step="test.refs")
    with pytest.raises(InvalidReferenceError):
        references.transact([Create("refs/planctl/x", "main")], message="m", step="test.refs")


def test_s1_7_a_lock_on_planctls_own_reference_that_a_killed_git_left_goes(
    repo: GitRepo, references: References
) -> None:
    lock = repo.path / ".git/refs/planctl/archive/p/1.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    references.transact([Create("refs/planctl/archive/p/1", repo.head())], message="m", step="test.refs")
    assert references.read("refs/planctl/archive/p/1") == repo.head()
    assert not lock.exists()


def test_references_are_renamed_in_the_order_given(repo: GitRepo, references: References) -> None:
    """The files backend is not atomic across references: what decides is put last, and lands last."""
    names = ["refs/planctl/z", "refs/heads/a", "refs/planctl/b", "refs/heads/main"]
    old = repo.head()
    new = repo.git("commit-tree", "-m", "x", "main^{tree}")
    changes: list[Change] = [Create(name, new) for name in names[:-1]]
    references.transact([*changes, Update(names[-1], new, old)], message="m", step="test.refs")
    stamps = [(repo.path / ".git" / name).stat().st_ctime_ns for name in names]
    assert stamps == sorted(stamps)


def test_what_other_processes_write_is_seen_at_once(repo: GitRepo, references: References) -> None:
    commits = [repo.git("commit-tree", "-m", f"{n}", "main^{tree}") for n in range(2)]
    for n in range(60):
        name = f"refs/planctl/x{n % 3}"
        repo.git("update-ref", name, commits[n % 2])
        if n % 2:
            repo.git("pack-refs", "--all", "--prune")
        assert references.read(name) == commits[n % 2]
        assert references.list("refs/planctl/")[name] == commits[n % 2]
        if n % 7 == 0:
            repo.git("update-ref", "-d", name)
            assert references.read(name) is None
            assert name not in references.list("refs/planctl/")


def test_a_prefix_lists_only_what_starts_with_it(repo: GitRepo, references: References) -> None:
    for name in ("refs/planctl/a/x", "refs/planctl/ab", "refs/tags/t"):
        repo.git("update-ref", name, "main")
    assert references.list("refs/planctl/a/") == {"refs/planctl/a/x": repo.head()}
    assert references.read("refs/planctl/none") is None


def test_a_revision_is_resolved_where_the_user_stands(repo: GitRepo, references: References) -> None:
    repo.git("tag", "-a", "-m", "t", "v1")
    old = repo.head()
    repo.commit("more", {"x": "1"})
    assert references.resolve("v1") == old
    assert references.resolve("HEAD~1") == old
    assert references.resolve("main") == repo.head()


@pytest.mark.parametrize("revision", ["none", "--all", "-h", "", "main^{tree}", "a\0b", "main..main", "\n"])
def test_what_names_no_commit_is_said_so(references: References, revision: str) -> None:
    with pytest.raises(UnknownRevisionError):
        references.resolve(revision)


def test_the_users_head_is_never_locked(repo: GitRepo, references: References) -> None:
    lock = repo.write(".git/HEAD.lock", "")
    old = repo.head()
    new = repo.git("commit-tree", "-m", "x", "main^{tree}")
    references.transact([Update("refs/heads/main", new, old)], message="m", step="test.refs")
    lock.unlink()
    assert repo.head() == new


def test_a_kill_before_the_step_leaves_everything(repo: GitRepo) -> None:
    code = (
        "from pathlib import Path; from worktrees.git import Git; from worktrees.repository import find\n"
        "from worktrees.references import *; git = Git(find(Path('.'))); git.ensure_desk()\n"
        "References(git).transact([Create('refs/planctl/k', References(git).read('refs/heads/main'))],"
        " message='m', step='test.refs')"
    )
    for side, there in (("before", False), ("after", True)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=repo.path,
            check=False,
            env={**os.environ, "PLANCTL_KILL_AT": f"test.refs:{side}"},
        )
        assert done.returncode == -9
        assert bool(repo.git("for-each-ref", "refs/planctl/k")) is there


def test_s1_7_an_idle_child_keeps_nobody_from_recovery_and_one_that_died_is_replaced(repo: GitRepo) -> None:
    git, other = Git(find(repo.path)), Git(find(repo.path))
    git.ensure_desk()
    with git.keep_writers():
        references, old = References(git), repo.head()
        references.transact([Create("refs/planctl/one", old)], message="planctl: x", step="test.refs")
        with other.exclusive_writes() as alone:
            assert alone
        (child,) = children_of_this_process()
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        references.transact([Create("refs/planctl/two", old)], message="planctl: x", step="test.refs")
        with pytest.raises(ReferenceMovedError):
            references.transact([Create("refs/planctl/two", old)], message="planctl: x", step="test.refs")
        references.transact([Create("refs/planctl/three", old)], message="planctl: x", step="test.refs")
        assert len(children_of_this_process()) == 1
    assert not children_of_this_process()
    assert set(references.list("refs/planctl/")) == {f"refs/planctl/{n}" for n in ("one", "two", "three")}


def children_of_this_process() -> list[int]:
    found = subprocess.run(
        ["pgrep", "-x", "-P", str(os.getpid()), "git"], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


def test_s7_a_child_in_a_transaction_keeps_recovery_away_also_when_its_planctl_is_dead(repo: GitRepo) -> None:
    git, other = Git(find(repo.path)), Git(find(repo.path))
    git.ensure_desk()
    child = git.converse("update-ref", "-z", "--stdin")
    with other.exclusive_writes() as alone:
        assert alone
    with contextlib.ExitStack() as transaction:
        transaction.enter_context(child.writing())
        with other.exclusive_writes() as alone:
            assert not alone
        child._lock.close()  # what the kernel does when planctl is killed
        transaction.pop_all()
    with other.exclusive_writes() as alone:
        assert not alone, "the child has inherited the lock"
    assert child.end() == (0, "")
    with other.exclusive_writes() as alone:
        assert alone
    child.close()


def test_s7_a_child_that_writes_keeps_recovery_away(repo: GitRepo, tmp_path: Path) -> None:
    git, other = Git(find(repo.path)), Git(find(repo.path))
    git.ensure_desk()
    started, go_on = tmp_path / "started", tmp_path / "go"
    os.mkfifo(started)
    os.mkfifo(go_on)
    alias = f"alias.wait=!echo > '{started}'; cat '{go_on}'"
    writer = threading.Thread(target=git.run, args=("-c", alias, "wait"), kwargs={"writes": True})
    writer.start()
    started.read_text()
    with other.exclusive_writes() as alone:
        is_alone = alone
    go_on.write_text("go\n")
    writer.join(60)
    assert not is_alone
    with other.exclusive_writes() as alone:
        assert alone
