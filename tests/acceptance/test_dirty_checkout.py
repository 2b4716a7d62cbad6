"""P25 through the queue: nothing of the user's changes, and their next commit undoes nothing."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.plans import commit_plans
from tests.support.process import Done, run
from tests.support.queues import configure, landed_once, require_sound
from tests.support.repo import GitRepo
from tests.support.runs import multi


@pytest.fixture
def user(repo: GitRepo) -> Iterator[GitRepo]:
    """A user on main with a stash entry; ``work`` changes src/a.py, adds a file and removes one."""
    configure(repo, check="test -e README.md")
    repo.git("checkout", "-q", "-b", "work")
    text = (repo.path / "src/a.py").read_text().replace("a1 = 1\n", "a1 = 100\n")
    repo.git("rm", "-q", "docs/guide.md")
    repo.commit("work", {"src/a.py": text, "new/file.txt": "new\n"})
    repo.git("checkout", "-q", "main")
    repo.write("README.md", "stashed\n")
    repo.git("stash")
    stashed = repo.git("stash", "list", "--format=%H %gs")
    yield repo
    assert repo.git("stash", "list", "--format=%H %gs") == stashed, "the stash list is as it was"
    assert repo.show("stash@{0}", "README.md") == "stashed\n"
    require_sound(repo)


def merge(repo: GitRepo) -> Done:
    return run("merge", "work", "--json", cwd=repo.path)


def entry(done: Done) -> dict[str, object]:
    (found,) = done.data["entries"]
    return dict(found)


def require_landed(repo: GitRepo, done: Done) -> None:
    assert done.code == 0, done
    assert repo.show("main", "src/a.py").startswith("a1 = 100\n")
    assert repo.head("main") == landed_once(repo, str(entry(done)["id"])) == repo.head("HEAD")


def require_nothing_undone(repo: GitRepo) -> None:
    """The user's next ``git commit -am`` holds what the user changed and nothing else."""
    before = repo.head("main")
    mine = {line[3:] for line in repo.git("status", "--porcelain", "-uno").splitlines()}
    repo.git("commit", "-q", "--allow-empty", "-am", "the user's next commit")
    assert {*repo.git("diff", "--name-only", before, "main").splitlines()} == mine
    assert repo.show("main", "src/a.py").startswith("a1 = 100\n")
    assert repo.show("main", "new/file.txt") == "new\n"
    assert "docs/guide.md" not in repo.git("ls-tree", "-r", "--name-only", "main").splitlines()


def test_p25_an_unrelated_edit(user: GitRepo) -> None:
    user.write("src/b.py", "mine\n")
    require_landed(user, merge(user))
    assert user.git("status", "--porcelain") == " M src/b.py"
    assert (user.path / "src/b.py").read_text() == "mine\n"
    assert (user.path / "new/file.txt").read_text() == "new\n"
    assert not (user.path / "docs").exists()
    require_nothing_undone(user)


@pytest.mark.parametrize("line", ["a20 = 20\n", "a1 = 1\n"], ids=["another-line", "the-same-place"])
def test_p25_an_edit_of_a_file_that_lands(user: GitRepo, line: str) -> None:
    text = (user.path / "src/a.py").read_text().replace(line, "mine\n")
    user.write("src/a.py", text)
    done = merge(user)
    assert done.code == 1, done
    blocked = entry(done)
    assert blocked["state"] == "blocked"
    assert blocked["reason"]["paths"] == ["src/a.py"]  # type: ignore[index]
    assert user.git("status", "--porcelain") == " M src/a.py"
    assert (user.path / "src/a.py").read_text() == text
    synced = run("sync", cwd=user.path)
    assert synced.code == 1
    assert "in the way: src/a.py" in synced.out
    assert "git stash push" in synced.out
    assert (user.path / "src/a.py").read_text() == text

    user.git("commit", "-qam", "the user's own")
    assert user.show("main", "src/a.py") == text
    done = run("sync", "--json", cwd=user.path)
    (ended,) = done.data["entries"]
    if line == "a20 = 20\n":
        assert (done.code, ended["state"]) == (0, "landed")
        assert user.show("main", "src/a.py") == text.replace("a1 = 1\n", "a1 = 100\n")
        require_nothing_undone(user)
    else:
        assert (done.code, ended["state"]) == (0, "conflicted")
        assert user.show("main", "src/a.py") == text
    assert user.git("status", "--porcelain") == ""


@pytest.mark.parametrize("ignored", [False, True])
def test_p25_an_untracked_file_in_the_way(user: GitRepo, ignored: bool) -> None:
    user.write("new/file.txt", "the user's\n")
    if ignored:
        user.write(".git/info/exclude", "new/\n")
    done = merge(user)
    assert (done.code, entry(done)["state"]) == (1, "blocked")
    assert (user.path / "new/file.txt").read_text() == "the user's\n"
    assert run("sync", cwd=user.path).code == 1
    assert (user.path / "new/file.txt").read_text() == "the user's\n"
    (user.path / "new/file.txt").rename(user.path / "kept.txt")
    assert run("sync", cwd=user.path).code == 0
    assert (user.path / "kept.txt").read_text() == "the user's\n"
    assert (user.path / "new/file.txt").read_text() == "new\n"
    require_nothing_undone(user)


def test_p25_a_staged_edit(user: GitRepo) -> None:
    user.write("src/b.py", "staged\n")
    user.git("add", "src/b.py")
    user.write("src/b.py", "staged, and then more\n")
    require_landed(user, merge(user))
    assert user.git("status", "--porcelain") == "MM src/b.py"
    assert user.git("show", ":src/b.py") == "staged"
    user.git("commit", "-qm", "only what is staged")
    assert user.git("diff", "--name-only", "main~1", "main") == "src/b.py"
    assert user.git("status", "--porcelain") == " M src/b.py"
    require_nothing_undone(user)


def test_p25_a_staged_edit_of_a_file_that_lands(user: GitRepo) -> None:
    user.write("src/a.py", "mine\n")
    user.git("add", "src/a.py")
    user.git("rm", "-q", "--cached", "docs/guide.md")
    done = merge(user)
    assert entry(done)["reason"]["paths"] == ["docs/guide.md", "src/a.py"]  # type: ignore[index]
    assert user.git("status", "--porcelain").splitlines() == ["D  docs/guide.md", "M  src/a.py", "?? docs/"]
    assert user.git("show", ":src/a.py") == "mine"


def test_p25_others_pass_a_blocked_entry(user: GitRepo) -> None:
    user.branch("other", {"other.txt": "o\n"})
    user.write("src/a.py", "mine\n")
    done = run("merge", "work", "other", "--json", cwd=user.path)
    assert [e["state"] for e in done.data["entries"]] == ["blocked", "landed"]
    assert (user.path / "other.txt").read_text() == "o\n"
    assert user.git("status", "--porcelain") == " M src/a.py"


def test_p25_the_next_queue_run_lands_what_was_blocked(user: GitRepo) -> None:
    user.write("src/a.py", "mine\n")
    assert merge(user).code == 1
    user.git("checkout", "-q", "--", "src/a.py")
    assert run("queue", "run", "--once", cwd=user.path).code == 0
    require_landed(user, merge(user))
    require_nothing_undone(user)


def test_p25_a_commit_by_the_user_during_a_landing(user: GitRepo) -> None:
    """The user commits while the check runs: both are on main, and nobody undid anybody."""
    started, go_on = user.path.parent / "started", user.path.parent / "go"
    os.mkfifo(started)
    os.mkfifo(go_on)
    check = f"test -e mine.txt || {{ echo > {started}; cat {go_on} > /dev/null; }}"
    user.commit("check", {"planctl.yaml": f"check: {check!r}\n"})

    def commit() -> None:
        started.read_text()
        user.commit("the user's", {"mine.txt": "mine\n"})
        go_on.write_text("go\n")

    beside = threading.Thread(target=commit)
    beside.start()
    done = merge(user)
    beside.join()
    require_landed(user, done)
    assert entry(done)["attempts"] == 2
    assert user.show("main", "mine.txt") == "mine\n"
    assert user.git("status", "--porcelain") == ""
    require_nothing_undone(user)


def test_p25_a_commit_whose_editor_was_open_during_a_landing_undoes_nothing(user: GitRepo) -> None:
    """Git has read the branch before the editor opens: it refuses then, and the edit is still there."""
    user.write("src/b.py", "mine\n")
    opened, close = user.path.parent / "opened", user.path.parent / "close"
    os.mkfifo(opened)
    os.mkfifo(close)
    editor = user.path.parent / "editor.sh"
    editor.write_text(f'#!/bin/sh\necho > {opened}\ncat {close} > /dev/null\necho message > "$1"\n')
    editor.chmod(0o755)
    user.git("add", "src/b.py")
    committing = subprocess.Popen(
        ["git", "commit", "-q"], cwd=user.path, env={**os.environ, "GIT_EDITOR": str(editor)}, stderr=-1
    )
    opened.read_text()
    done = merge(user)
    close.write_text("close\n")
    committing.wait()
    committing.stderr.close()  # type: ignore[union-attr]
    if done.code == 0:
        assert committing.returncode != 0
        require_landed(user, done)
        assert user.git("status", "--porcelain") == "M  src/b.py"
    else:
        assert entry(done)["state"] == "blocked"
        assert run("sync", cwd=user.path).code == 0
    require_nothing_undone(user)


@pytest.mark.stress
def test_p25_a_landing_during_a_rebase_of_main(user: GitRepo) -> None:
    user.branch("upstream", {"src/b.py": "upstream\n"})
    mine = user.commit("mine", {"src/b.py": "mine\n"})
    user.git("rebase", "upstream", ok=False)
    done = merge(user)
    assert entry(done)["state"] == "blocked"
    assert "rebasing" in str(entry(done)["reason"])
    assert user.head("main") == mine
    user.write("src/b.py", "both\n")
    user.git("add", "src/b.py")
    user.git("-c", "core.editor=true", "rebase", "--continue")
    assert run("sync", cwd=user.path).code == 0
    assert user.show("main", "src/b.py") == "both\n"
    require_nothing_undone(user)


def test_p25_a_landing_while_a_rebase_of_another_branch_is_open(user: GitRepo) -> None:
    """Another branch is being rebased in the checkout: main is nobody's checkout, and just moves."""
    user.branch("upstream", {"src/b.py": "upstream\n"})
    user.git("checkout", "-q", "-b", "topic")
    user.commit("mine", {"src/b.py": "mine\n"})
    user.git("rebase", "upstream", ok=False)
    before = user.git("status", "--porcelain")
    assert merge(user).code == 0
    assert user.git("status", "--porcelain") == before
    user.write("src/b.py", "both\n")
    user.git("add", "src/b.py")
    user.git("-c", "core.editor=true", "rebase", "--continue")
    assert user.show("topic", "src/b.py") == "both\n"


@pytest.mark.parametrize("operation", ["merge", "cherry-pick", "revert"])
def test_an_operation_in_progress_on_main_blocks(user: GitRepo, operation: str) -> None:
    user.branch("clash", {"src/b.py": "clash\n"})
    user.commit("mine", {"src/b.py": "mine\n"})
    user.commit("more", {"src/b.py": "more\n"})
    user.git(operation, "clash" if operation != "revert" else "HEAD~1", ok=False)
    before = user.git("status", "--porcelain=v2")
    done = merge(user)
    assert entry(done)["state"] == "blocked", done
    assert operation in str(entry(done)["reason"])
    assert user.git("status", "--porcelain=v2") == before


# -- checkout: wait, checkout: detach, sync ------------------------------------------------------------


def test_checkout_wait_blocks_until_the_user_syncs(user: GitRepo) -> None:
    user.commit("settings", {"planctl.yaml": "checkout: wait\n"})
    done = merge(user)
    assert (done.code, entry(done)["state"]) == (1, "blocked")
    assert run("queue", "run", "--once", cwd=user.path).code == 0
    assert "checkout: wait" in run("queue", "explain", "work", cwd=user.path).out
    done = run("sync", "--json", cwd=user.path)
    assert (done.code, done.data["place"]) == (0, "on-target")
    require_nothing_undone(user)


def test_checkout_wait_lands_once_nobody_stands_on_the_target(user: GitRepo) -> None:
    user.commit("settings", {"planctl.yaml": "checkout: wait\n"})
    assert merge(user).code == 1
    user.git("checkout", "-q", "-b", "elsewhere")
    assert merge(user).code == 0
    assert user.git("status", "--porcelain") == ""


def test_checkout_detach_leaves_the_checkout_as_it_stands_and_sync_brings_it_back(user: GitRepo) -> None:
    old = user.commit("settings", {"planctl.yaml": "checkout: detach\n"})
    user.write("src/a.py", (user.path / "src/a.py").read_text() + "mine\n")
    user.write("src/b.py", "mine\n")
    assert merge(user).code == 0
    assert user.git("symbolic-ref", "-q", "HEAD", ok=False) == ""
    assert user.head() == old
    assert user.git("status", "--porcelain").splitlines() == [" M src/a.py", " M src/b.py"]
    assert (user.path / "docs/guide.md").exists()

    done = run("sync", "--json", cwd=user.path)
    assert (done.code, done.data["place"], done.data["in_the_way"]) == (1, "detached", ["src/a.py"])
    assert user.git("status", "--porcelain").splitlines() == [" M src/a.py", " M src/b.py"]
    user.git("checkout", "-q", "--", "src/a.py")
    done = run("sync", "--json", cwd=user.path)
    assert (done.code, done.data["place"], done.data["head"]) == (0, "on-target", "main")
    assert user.git("status", "--porcelain") == " M src/b.py"
    require_nothing_undone(user)


def test_sync_leaves_commits_made_on_a_detached_head_where_they_are(user: GitRepo) -> None:
    user.commit("settings", {"planctl.yaml": "checkout: detach\n"})
    assert merge(user).code == 0
    mine = user.commit("on no branch", {"mine.txt": "mine\n"})
    done = run("sync", cwd=user.path)
    assert done.code == 1
    assert "git switch -c" in done.out
    assert user.head() == mine
    user.git("switch", "-q", "-c", "kept")
    done = run("sync", "--json", cwd=user.path)
    assert (done.code, done.data["place"], done.data["head"]) == (0, "elsewhere", "kept")


def test_sync_in_a_bare_repository_says_so(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    done = run("sync", cwd=tmp_path / "bare.git")
    assert done.code == 2
    assert "no checkout" in done.err


def test_p5_a_bare_repository_lands_without_a_checkout(repo: GitRepo, tmp_path: Path) -> None:
    repo.branch("work", {"new.txt": "n\n"})
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    done = run("merge", "work", cwd=tmp_path / "bare.git")
    assert done.code == 0, done
    assert repo.git("show", "main:new.txt", at=tmp_path / "bare.git") == "n"


def test_every_checkout_of_the_target_follows(user: GitRepo, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    user.git("worktree", "add", "-q", "--force", str(linked), "main")
    (linked / "src/b.py").write_text("mine\n")
    require_landed(user, merge(user))
    assert user.git("status", "--porcelain") == ""
    assert user.git("status", "--porcelain", at=linked) == " M src/b.py"
    assert (linked / "new/file.txt").read_text() == "new\n"


def test_one_of_two_checkouts_in_the_way_leaves_both_as_they_are(user: GitRepo, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    user.git("worktree", "add", "-q", "--force", str(linked), "main")
    (linked / "src/a.py").write_text("mine\n")
    assert merge(user).code == 1
    assert user.git("status", "--porcelain") == ""
    assert user.git("status", "--porcelain", at=linked) == " M src/a.py"
    assert (linked / "src/a.py").read_text() == "mine\n"


def test_p25_a_checkout_that_git_cannot_read_blocks_and_nothing_hangs(repo: GitRepo) -> None:
    """Both plans end, what they made waits in the queue with git's words; an index made anew lets it land."""
    plans: dict[str, dict[str, object]] = {
        p: {"files": {"write": [p]}, "run": f"echo {p} > {p}"} for p in ("a", "b")
    }
    commit_plans(repo, plans)
    start = repo.head("main")
    repo.write(".git/index", "garbage")
    done = multi(repo, "a", "b", "--keep-going", code=1)
    assert {e["plan"] for e in done.events if e["event"] == "plan.finished"} == {"a", "b"}
    assert repo.head("main") == start
    entries = run("queue", "list", "--json", cwd=repo.path).data["entries"]
    assert [e["state"] for e in entries] == ["blocked", "blocked"]
    assert {e["reason"]["code"] for e in entries} == {"checkout"}
    assert all("index" in e["reason"]["detail"] for e in entries)
    assert not list((repo.path / ".git").glob("*.lock"))

    (repo.path / ".git/index").unlink()
    repo.git("reset", "-q")
    assert run("sync", cwd=repo.path).code == 0
    assert (repo.show("main", "a"), repo.show("main", "b")) == ("a\n", "b\n")
    assert repo.git("status", "--porcelain") == ""
