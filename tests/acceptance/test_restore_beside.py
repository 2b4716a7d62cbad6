"""S1.8: others at work beside a restore: landings, the pool, a person; and what it is taken back to then."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.services import rescues
from orchestrator.slots import keeper
from orchestrator.states import SlotState
from orchestrator.workbench import Workbench
from tests.acceptance.test_restore import STAMP, rescued
from tests.support.cli import planctl
from tests.support.plans import commit_plans
from tests.support.powercut import COMPILER, Recorder
from tests.support.process import run
from tests.support.repo import GitRepo
from worktrees import restore as restoring
from worktrees.errors import RescueIncompleteError
from worktrees.git import Git
from worktrees.repository import find
from worktrees.rescue import rescue
from worktrees.restorejournal import Journal, not_restoring
from worktrees.restorejournal import restoring as hold
from worktrees.restorelook import Intention
from worktrees.restoretarget import Touching

DETACHED = ("rescue", "restore", "p", "--into", ".", "--detach")


@pytest.fixture
def back(repo: GitRepo) -> GitRepo:
    rescued(repo)
    repo.git("worktree", "add", "-q", "--detach", "../back")
    return GitRepo(repo.path.with_name("back"))


def killed(repo: GitRepo, moment: str, *words: str) -> None:
    assert run(*words, cwd=repo.path, env={"PLANCTL_KILL_AT": moment}).code == -signal.SIGKILL


def land(repo: GitRepo) -> str:
    """Have a branch landed; returns what the queue says."""
    repo.git("branch", "-f", "feature", "main")
    repo.git("worktree", "add", "-q", "../feat", "feature")
    GitRepo(repo.path.with_name("feat")).commit("landed work", {"landed.txt": "landed\n"})
    assert planctl("queue", "add", "feature", repo=repo.path).code == 0
    return run("queue", "run", "--once", cwd=repo.path).out


def head(repo: GitRepo) -> str:
    return (repo.path / ".git/HEAD").read_text(encoding="utf-8").strip()


@pytest.mark.stress
@pytest.mark.parametrize("again", ["doctor --fix", "resume"])
def test_s1_8_a_landing_after_a_kill_is_not_staged_in_reverse(repo: GitRepo, again: str) -> None:
    rescued(repo)
    repo.commit("elsewhere", {"README.md": "# elsewhere\n"})
    before = repo.head()
    killed(repo, "restore.index:after", *DETACHED)
    assert "landed" in land(repo)
    said = planctl(*again.split(), repo=repo.path)
    assert said.code == 0, said
    assert (head(repo), repo.git("status", "--porcelain")) == (before, "")
    if again == "resume":
        assert "HEAD is detached where it was, since refs/heads/main has moved on" in said.stderr


def test_s1_8_head_goes_back_onto_its_branch_only_where_that_still_stands_there(repo: GitRepo) -> None:
    rescued(repo)
    repo.commit("elsewhere", {"README.md": "# elsewhere\n"})
    before = repo.head()
    killed(repo, "restore.detach:after", *DETACHED)
    moved = repo.git("commit-tree", "-p", "main", "-m", "moved", "main^{tree}")
    repo.git("update-ref", "refs/heads/main", moved)
    said = planctl("resume", repo=repo.path)
    assert "since refs/heads/main has moved on" in said.stderr
    assert (head(repo), repo.git("status", "--porcelain")) == (before, "")
    repo.git("update-ref", "refs/heads/main", before)
    repo.git("switch", "-q", "main")
    killed(repo, "restore.detach:after", *DETACHED)
    assert "has moved on" not in planctl("resume", repo=repo.path).stderr
    assert (head(repo), repo.git("status", "--porcelain")) == ("ref: refs/heads/main", "")


def test_s1_8_a_branch_that_moves_during_a_restore_that_fails_is_said(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescued(repo)
    repo.commit("elsewhere", {"README.md": "# elsewhere\n"})
    before = repo.head()

    def full(*_: Any) -> None:
        moved = repo.git("commit-tree", "-p", "main", "-m", "moved", "main^{tree}")
        repo.git("update-ref", "refs/heads/main", moved)
        raise OSError("no space")

    monkeypatch.setattr(restoring, "restore_operation", full)
    said = planctl(*DETACHED[:-2], str(repo.path), "--detach", repo=repo.path)
    assert (said.code, "since refs/heads/main has moved on" in said.stderr) == (1, True), said
    assert (head(repo), repo.git("status", "--porcelain")) == (before, "")


def beginning(monkeypatch: pytest.MonkeyPatch, meanwhile: Any) -> None:
    """Have ``meanwhile`` done once the journal of a restore is there."""
    begin = restoring.begin

    def slowly(*arguments: Any) -> Journal:
        journal = begin(*arguments)
        meanwhile()
        return journal

    monkeypatch.setattr(restoring, "begin", slowly)


@pytest.mark.stress
def test_s1_8_a_landing_waits_for_a_restore_into_the_checkout_it_would_bring_along(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescued(repo)
    queue: list[str] = []
    beginning(monkeypatch, lambda: queue.append(land(repo)))

    def full(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(restoring, "restore_operation", full)
    before = repo.head()
    assert planctl("rescue", "restore", "p", "--into", str(repo.path), repo=repo.path).code != 0
    assert "another planctl is bringing it along" in queue[0]
    assert (repo.head(), repo.git("status", "--porcelain")) == (before, "")


def test_s1_8_nothing_is_restored_into_a_checkout_that_a_landing_brings_along(
    repo: GitRepo, back: GitRepo
) -> None:
    folder = repo.path / ".git/planctl/follow/back"
    folder.mkdir(parents=True)
    with (folder / "lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = planctl("rescue", "restore", "p", "--into", str(back.path), repo=repo.path)
    assert (said.code, "another planctl is bringing it along" in said.stderr) == (1, True)
    assert "let that end" in said.stderr
    assert back.git("status", "--porcelain") == ""


def test_s1_8_the_checkout_is_held_while_it_is_restored_into(
    repo: GitRepo, back: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def try_it() -> None:
        with (repo.path / ".git/planctl/follow/back/lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)

    beginning(monkeypatch, try_it)
    assert planctl("rescue", "restore", "p", "--into", str(back.path), repo=repo.path).code == 0
    assert held == [True]


def test_s1_8_a_head_that_moved_keeps_its_index(
    repo: GitRepo, back: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def person(*_: Any) -> None:
        back.git("commit", "-qm", "a person's, meanwhile", "--allow-empty")
        raise OSError("no space")

    monkeypatch.setattr(restoring, "restore_operation", person)
    said = planctl("rescue", "restore", "p", "--into", str(back.path), repo=repo.path)
    assert (said.code, "HEAD stands somewhere else" in said.stderr) == (1, True), said
    assert back.git("diff", "--cached", "--name-only") == ""
    assert planctl("doctor", "--fix", repo=repo.path).code == 0
    assert back.git("diff", "--cached", "--name-only") == ""


def test_s1_8_what_was_written_and_then_edited_is_rescued_before_it_is_taken_back(
    repo: GitRepo, back: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Touching.__call__

    def person(self: Touching, path: str) -> None:
        if path == "staged.txt":
            back.write("src/a.py", "a person's new work\n")  # written already
            back.write("staged.txt", "a person's new work too\n")
        call(self, path)

    monkeypatch.setattr(Touching, "__call__", person)
    said = planctl("rescue", "restore", "p", "--into", str(back.path), repo=repo.path)
    (kept,) = re.findall(r"kept at (refs/planctl/rescue/half-restored/\w+)", said.stderr)
    assert (said.code, repo.git("show", f"{kept}:src/a.py")) == (1, "a person's new work")
    assert back.git("status", "--porcelain") == "?? staged.txt"


def test_s1_8_an_edit_of_what_git_moved_is_rescued_too(
    repo: GitRepo, back: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit("elsewhere", {"README.md": "# elsewhere\n"})
    back.git("checkout", "-q", "--detach", "main")

    def person(*_: Any) -> None:
        back.write("README.md", "a person's\n")
        raise OSError("no space")

    monkeypatch.setattr(restoring, "restore_operation", person)
    said = planctl("rescue", "restore", "p", "--into", str(back.path), "--detach", repo=repo.path)
    (kept,) = re.findall(r"kept at (refs/planctl/rescue/half-restored/\w+)", said.stderr)
    assert repo.git("show", f"{kept}:README.md") == "a person's"
    assert (back.head(), back.git("status", "--porcelain")) == (repo.head(), "")


def test_s1_8_another_worktree_of_that_name_is_left_alone(repo: GitRepo, back: GitRepo) -> None:
    killed(repo, "restore.index:after", "rescue", "restore", "p", "--into", str(back.path))
    repo.git("worktree", "remove", "--force", str(back.path))
    repo.git("worktree", "add", "-q", "--detach", "../elsewhere/back")
    other = GitRepo(repo.path.parent / "elsewhere/back")
    other.write("src/a.py", "days of work\n")
    said = planctl("resume", repo=repo.path)
    assert "the worktree is gone" in said.stderr
    assert (other.path / "src/a.py").read_text(encoding="utf-8") == "days of work\n"


def test_s1_8_a_switch_to_a_branch_at_the_same_commit_is_left(repo: GitRepo) -> None:
    rescued(repo)
    repo.git("branch", "old")
    repo.commit("elsewhere", {"README.md": "# elsewhere\n"})
    killed(repo, "restore.files:after:1", *DETACHED)
    repo.git("switch", "-q", "-f", "old")
    said = planctl("resume", repo=repo.path)
    assert "HEAD stands somewhere else by now" in said.stderr
    assert head(repo) == "ref: refs/heads/old"


def inside(repo: GitRepo) -> GitRepo:
    """The rescue of a worktree with another one of the same repository in it; where to bring it back."""
    slot = GitRepo(repo.path.with_name("slot"))
    repo.git("worktree", "add", "-q", "--detach", str(slot.path))
    slot.git("worktree", "add", "-q", "--detach", "inner")
    GitRepo(slot.path / "inner").write("src/a.py", "inner work\n")
    slot.write("src/a.py", "outer work\n")
    git = Git(find(repo.path))
    git.ensure_desk()
    with pytest.raises(RescueIncompleteError):
        rescue(git, slot.path, "p", stamp=STAMP)
    for path in ("inner", ""):
        repo.git("worktree", "remove", "--force", "--force", str(slot.path / path))
    repo.git("worktree", "add", "-q", "--detach", "../back")
    return GitRepo(repo.path.with_name("back"))


def test_s1_8_an_inner_worktree_that_was_cut_short_goes_with_its_outer(repo: GitRepo) -> None:
    back = inside(repo)
    words = ("rescue", "restore", "p", "--into", str(back.path))
    killed(repo, "restore.index:after:2", *words)
    assert len([*(repo.path / ".git/planctl/restores").glob("*/journal.json")]) == 2
    said = planctl(*words, repo=repo.path)
    assert said.code == 0, said
    assert (back.path / "inner/src/a.py").read_text(encoding="utf-8") == "inner work\n"
    assert not (repo.path / ".git/planctl/restores").exists()


@pytest.mark.skipif(COMPILER is None, reason="a library that records what is synced needs a compiler")
def test_s1_8_an_edit_in_an_inner_worktree_is_rescued_before_it_is_unmade(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = inside(repo)

    def edit_and_fail(found: Intention) -> None:
        if found.target.into == place.path.resolve():
            (place.path / "inner/new.txt").write_text("a person's\n")
            raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(restoring, "sync_restored", edit_and_fail)
    assert planctl("rescue", "restore", "p", "--into", str(place.path), repo=repo.path).code != 0
    kept = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue/half-restored").split()
    objects = repo.git(
        "rev-list", "--objects", *kept
    ).splitlines()  # the inner snapshot is the outer's parent
    (made,) = {line.partition(" ")[0] for line in objects if line.endswith(" new.txt")}
    assert repo.git("cat-file", "blob", made) == "a person's"


@pytest.mark.parametrize("kind", ["moved", "inner"])
def test_s1_8_a_power_cut_after_the_end_loses_nothing(repo: GitRepo, tmp_path: Path, kind: str) -> None:
    if kind == "inner":
        back = inside(repo)
    else:
        rescued(repo)
        repo.commit("elsewhere", {"README.md": "# elsewhere\n"})
        repo.git("worktree", "add", "-q", "--detach", "../back")
        back = GitRepo(repo.path.with_name("back"))
    recorder = Recorder(tmp_path / "recorder")
    recorder.begin(repo.path, back.path)
    words = ("rescue", "restore", "p", "--into", "../back", "--detach")
    assert run(*words, cwd=repo.path, env=recorder.environment).code == 0
    lost = recorder.cut(repo.path, back.path)
    assert [path for path in lost if path.is_relative_to(back.path)] == []
    assert len(back.git("status", "--porcelain").splitlines()) == (2 if kind == "inner" else 4)


@pytest.mark.parametrize("taking", [("worktree", "remove", "slot-01"), ("run-multi", "plans/a.md")])
def test_s1_8_the_pool_takes_no_worktree_back_while_something_is_restored(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch, taking: tuple[str, ...]
) -> None:
    commit_plans(repo, {"a": {"run": "exit 3", "retries": 0}}, "pool:\n  max: 1\n")
    rescued(repo)
    assert run("run-multi", "plans/a.md", cwd=repo.path).code == 1
    (slot,) = Path(f"{repo.path}.worktrees").glob("slot-*")
    seen = []

    def nobody_gives_back() -> None:
        with (repo.path / ".git/planctl/restores.lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                seen.append("waits")

    beginning(monkeypatch, nobody_gives_back)
    assert planctl("rescue", "restore", "p", "--into", str(slot), repo=repo.path).code == 0
    assert seen == ["waits"]
    save = keeper.SlotKeeper.save

    def saving(self: keeper.SlotKeeper, *arguments: Any) -> str | None:
        with (repo.path / ".git/planctl/restores.lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                seen.append("no restore")
        return save(self, *arguments)

    monkeypatch.setattr(keeper.SlotKeeper, "save", saving)
    planctl(*taking, repo=repo.path)
    assert seen[:2] == ["waits", "no restore"]


def test_s1_8_a_slot_that_the_pool_took_back_meanwhile_is_refused(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_plans(repo, {"a": {"run": "exit 3", "retries": 0}})
    rescued(repo)
    assert run("run-multi", "plans/a.md", cwd=repo.path).code == 1
    (slot,) = Path(f"{repo.path}.worktrees").glob("slot-*")
    required = rescues.require_taken_back

    def slowly(bench: Workbench, *arguments: Any) -> Any:
        done = required(bench, *arguments)
        (record,) = bench.store.slots()
        bench.store.move_slot(record, SlotState.RESCUING)
        return done

    monkeypatch.setattr(rescues, "require_taken_back", slowly)
    said = planctl("rescue", "restore", "p", "--into", str(slot), repo=repo.path)
    assert (said.code, f"{slot.name} is rescuing" in said.stderr) == (2, True), said
    assert GitRepo(slot).git("status", "--porcelain") == ""


class ToldError(Exception):
    """There is no need to wait in fact."""


def test_s1_8_whoever_waits_says_for_whom(repo: GitRepo) -> None:
    repository, told = find(repo.path), []

    def tell(line: str) -> None:
        told.append(line)
        raise ToldError

    for other in (hold, not_restoring):
        with other(repository), pytest.raises(ToldError), hold(repository, tell):
            pass
    assert told == [f"another restore (process {os.getpid()})", "worktrees that are given back"]


def test_s1_8_no_choice_is_advised_where_none_would_help(repo: GitRepo, back: GitRepo) -> None:
    back.git("init", "-q", "src/a.py.d")
    words = ("rescue", "restore", "p", "--into", str(back.path))
    assert "--on-change overwrite" in planctl(*words, repo=repo.path).stderr
    back.git("rm", "-q", "--cached", "src/a.py")
    (back.path / "src/a.py").unlink()
    back.git("init", "-q", "src/a.py")
    said = planctl(*words, "--on-change", "overwrite", repo=repo.path)
    assert (said.code, "--on-change" in said.stderr, "move it away" in said.stderr) == (1, False, True), said


def test_s1_8_edits_outside_and_inside_of_a_restore_that_fails_are_kept_apart(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = inside(repo)

    def no_space(found: Intention) -> None:
        if found.target.into != back.path.resolve():
            (back.path / "inner/src/a.py").write_text("a person's inner\n")
            (back.path / "src/a.py").write_text("a person's outer\n")
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("worktrees.restore.sync_restored", no_space)
    said = planctl("rescue", "restore", "p", "--into", str(back.path), repo=repo.path)
    kept = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue/half-restored").split()
    texts = {repo.git("show", f"{one}:src/a.py") for one in kept}
    assert texts == {"a person's inner", "a person's outer"}
    assert ("is taken back" in said.stderr, "planctl rescue list" in said.stderr) == (True, True), said
    assert not (repo.path / ".git/planctl/restores").exists()
