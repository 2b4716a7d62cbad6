"""Rescue and restore when something goes wrong on the way: disk full, killed, two at once, done twice."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.insides import everything, with_everything
from tests.support.manifest import manifest
from tests.support.repo import GitRepo
from tests.support.scenes import merge_stopped, staged_and_unstaged
from tests.support.slices import mostly, sampled, seldom
from tests.support.standin import before_git
from worktrees.errors import RescueIncompleteError, RescueInterruptedError
from worktrees.git import Git
from worktrees.halfway import half_restored, undo
from worktrees.repository import find
from worktrees.rescue import list_rescues, rescue, show
from worktrees.restore import restore
from worktrees.restoreerrors import HalfRestoredError, RestoreRefusedError

ROOT = Path(__file__).resolve().parents[2]
STAMP = "01J0000000000000000000000A"
_RESCUE = """
import sys
from pathlib import Path
from worktrees.git import Git
from worktrees.repository import find
from worktrees.rescue import rescue
git = Git(find(Path(sys.argv[1])))
git.ensure_desk()
rescue(git, Path(sys.argv[2]), "x", stamp=sys.argv[3])
"""
_RESTORE = """
import sys
from pathlib import Path
from worktrees.git import Git
from worktrees.repository import find
from worktrees.restore import restore
restore(Git(find(Path(sys.argv[1]))), sys.argv[3], Path(sys.argv[2]))
"""


def elsewhere(program: str, *arguments: object, **extra: str) -> int:
    argv = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(
        argv, cwd=ROOT, env={**os.environ, **extra}, capture_output=True, check=False
    ).returncode


@pytest.mark.parametrize("step", sampled(["rescue.scratch", "rescue.copy", "rescue.objects", "rescue.files"]))
def test_p9_a_full_disk_loses_nothing_and_keeps_nothing_by_halves(
    repo: GitRepo, slot: GitRepo, git: Git, step: str
) -> None:
    staged_and_unstaged(slot)
    (slot.path / "src/b.py").write_bytes(b"crlf\r\n")
    slot.git("config", "core.autocrlf", "input")
    before = everything(slot.path)
    code = elsewhere(_RESCUE, repo.path, slot.path, STAMP, PLANCTL_FAIL_AT=f"ENOSPC@{step}:before")
    assert code == 1
    assert list_rescues(git) == ()
    assert everything(slot.path) == before
    assert rescue(git, slot.path, "x", stamp=STAMP) is not None


@pytest.mark.parametrize("step", ["rescue.copy", "rescue.objects", "rescue.reference"])
@pytest.mark.parametrize("side", [*seldom("before"), "after"])
def test_p9_a_killed_rescue_is_simply_done_again(
    repo: GitRepo, slot: GitRepo, git: Git, step: str, side: str
) -> None:
    merge_stopped(slot)
    before = everything(slot.path)
    killed = elsewhere(_RESCUE, repo.path, slot.path, STAMP, PLANCTL_KILL_AT=f"{step}:{side}")
    assert killed == -signal.SIGKILL
    assert everything(slot.path) == before
    done = rescue(git, slot.path, "x", stamp=STAMP[:-1] + "B")
    assert done is not None
    assert {info.commit for info in list_rescues(git)} >= {done.commit}


WRAPPER = """\
number=$(($(cat "$CALLS") + 1))
echo $number > "$CALLS"
if [ $number = "$KILLED" ]; then
    [ -z "$GIT_INDEX_FILE" ] || : > "$GIT_INDEX_FILE.lock"
    kill -9 $$
fi
"""


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.stress)])
@pytest.mark.usefixtures("repo")
def test_p9_whichever_git_is_killed_the_rescue_says_nothing_about_the_work(
    slot: GitRepo, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """An OOM killer takes one git child, which may leave its index locked: tried again, all is kept."""
    merge_stopped(slot)
    calls = tmp_path / "calls"
    before_git(tmp_path / "bin", WRAPPER, monkeypatch)
    monkeypatch.setenv("CALLS", str(calls))
    for killed in itertools.count(2, every):
        calls.write_text("0")
        monkeypatch.setenv("KILLED", str(killed))
        try:
            done = rescue(git, slot.path, "x", stamp=STAMP)
        except RescueInterruptedError:
            continue
        break
    monkeypatch.setenv("KILLED", "none")
    assert done is not None
    assert killed > 10
    assert [info.commit for info in list_rescues(git)] == [done.commit]


MOMENTS = ("restore.files:after", "restore.links:before", "restore.index:before", "restore.operation:before")


@pytest.mark.parametrize("moment", mostly(MOMENTS, MOMENTS[1:3]))
def test_p9_s1_8_a_killed_restore_is_taken_back_and_done_again(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path, moment: str
) -> None:
    merge_stopped(slot)
    with_everything(slot)
    base, before, index = slot.head(), everything(slot.path), manifest(repo, slot.path)
    with pytest.raises(RescueIncompleteError) as caught:
        rescue(git, slot.path, "x", stamp=STAMP)
    reference = caught.value.reference
    assert reference is not None
    other = GitRepo(tmp_path / "other")
    repo.git("worktree", "add", "-q", "--detach", str(other.path), base)
    clean = everything(other.path), manifest(repo, other.path)
    killed = elsewhere(_RESTORE, repo.path, other.path, reference, PLANCTL_KILL_AT=moment)
    assert killed == -signal.SIGKILL
    with pytest.raises(HalfRestoredError):
        restore(git, reference, other.path)
    (half,) = half_restored(git.repository)
    undo(git, half, STAMP)
    assert (everything(other.path), manifest(repo, other.path)) == clean
    restore(git, reference, other.path)
    names = before.keys() - {".git"}
    assert {name: everything(other.path)[name] for name in names} == {name: before[name] for name in names}
    assert manifest(repo, other.path)[1] == index[1]
    with pytest.raises(RestoreRefusedError):
        restore(git, reference, other.path)


def test_p9_two_rescues_of_one_worktree_at_once(repo: GitRepo, slot: GitRepo, git: Git) -> None:
    staged_and_unstaged(slot)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: rescue(git, slot.path, "x", stamp=f"{STAMP}{n}"), range(4)))
    trees = {repo.git("rev-parse", f"{one.commit}^{{tree}}") for one in done if one is not None}
    assert len(trees) == 1
    found = {info.reference: info.commit for info in list_rescues(git)}
    assert {one.reference for one in done if one is not None} == found.keys()


def test_p9_a_worktree_of_a_bare_repository(repo: GitRepo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))
    git = Git(find(bare))
    git.ensure_desk()
    for name in ("one", "two"):
        repo.git("worktree", "add", "-q", "--detach", str(tmp_path / name), "main", at=bare)
    one = GitRepo(tmp_path / "one")
    staged_and_unstaged(one)
    before = manifest(one, one.path)
    done = rescue(git, one.path, "x", stamp=STAMP)
    assert done is not None
    restore(git, done.reference, tmp_path / "two")
    assert manifest(one, tmp_path / "two") == before


def test_p9_a_submodule_that_was_never_filled_is_no_work(
    repo: GitRepo, slot: GitRepo, git: Git, tmp_path: Path
) -> None:
    library = GitRepo.copy_of(repo.path, tmp_path / "library")
    slot.git("submodule", "add", "-q", str(library.path), "lib")
    slot.git("commit", "-qm", "add lib")
    slot.git("submodule", "deinit", "-q", "-f", "lib")
    shutil.rmtree(find(slot.path).git_dir / "modules")
    assert rescue(git, slot.path, "x", stamp=STAMP) is None
    slot.write("src/a.py", "edited\n")
    before = manifest(repo, slot.path)
    done = rescue(git, slot.path, "x", stamp=STAMP)
    assert done is not None
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"), slot.head())
    restore(git, done.reference, tmp_path / "other")
    assert manifest(repo, tmp_path / "other") == before


def test_p9_pipes_sockets_and_empty_folders_hold_nothing_and_hinder_nothing(
    slot: GitRepo, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot.git("init", "-q", "inner")
    slot.write("inner/f", "x\n")
    monkeypatch.chdir(slot.path)  # a socket's path may not be long
    for folder in ("", "inner/"):
        os.mkfifo(f"{folder}pipe")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{folder}socket")
        Path(f"{folder}empty").mkdir()
    with pytest.raises(RescueIncompleteError) as caught:
        rescue(git, slot.path, "x", stamp=STAMP)
    assert caught.value.whole


def test_p9_settings_of_the_worktree_are_kept_to_be_looked_at(repo: GitRepo, slot: GitRepo, git: Git) -> None:
    slot.git("config", "extensions.worktreeConfig", "true")
    slot.git("config", "--worktree", "user.name", "Somebody else")
    slot.git("sparse-checkout", "set", "docs")
    slot.write("docs/guide.md", "edited\n")
    done = rescue(git, slot.path, "x", stamp=STAMP)
    assert done is not None
    assert "config.worktree, info/sparse-checkout" in show(git, done.reference)
    kept = repo.git("show", f"{done.commit}^3:metadata/config.worktree")
    assert "Somebody else" in kept
