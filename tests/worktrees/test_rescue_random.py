"""Random worktrees: rescued, removed with everything that nothing names, restored: equal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.campaigns import Record
from tests.support.insides import INSIDES, MODULES, everything
from tests.support.manifest import index_of
from tests.support.mess import Mess
from tests.support.repo import GitRepo
from tests.support.scenes import CASES
from worktrees.errors import RescueIncompleteError
from worktrees.git import Git
from worktrees.repository import find
from worktrees.rescue import rescue
from worktrees.restore import restore

STAMP = "01J0000000000000000000000A"


def files(top: Path) -> dict[str, tuple[int, bytes]]:
    """Everything but the worktree's own ``.git`` and what holds no bytes: folders outside of repositories."""
    found = {name: held for name, held in everything(top).items() if name != ".git"}
    real = {n: (top / n).is_symlink() or not (top / n).is_dir() or "/.git" in n for n in found}
    return {name: held for name, held in found.items() if real[name]}


def rescued(git: Git, place: Path, own: Path, stamp: str) -> tuple[str | None, str | None]:
    """Where everything is kept; or else why not."""
    try:
        done = rescue(git, place, "x", ignored=("**",), stamp=stamp, git_dir=own)
    except RescueIncompleteError as error:
        return error.reference, None if error.whole else str(error)
    return (done.reference if done else None), None


def round_trip(repo: GitRepo, tmp_path: Path, seed: int, steps: int) -> None:
    place = tmp_path / f"slot-{seed}"
    repo.git("checkout", "-q", "--detach", "main")
    repo.git("worktree", "add", "-q", "-B", "plan/x", str(place), "main")
    slot = GitRepo(place)
    mess = Mess(slot, seed)
    mess.make(steps)
    base, before, index = slot.head(), files(place), index_of(repo, place)[:2]
    git, own = Git(find(repo.path)), find(place).git_dir
    git.ensure_desk()
    said = "\n".join(mess.done)
    reference, problem = rescued(git, place, own, f"{STAMP}{seed}")
    assert problem is None, f"{problem}\n{said}"
    assert files(place) == before, said
    shutil.rmtree(place)
    repo.git("worktree", "prune")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("branch", "-q", "-D", "plan/x")
    repo.git("gc", "-q", "--prune=now")
    other = tmp_path / f"other-{seed}"
    assert reference is not None, said
    repo.git("worktree", "add", "-q", "--detach", str(other), base)
    restore(git, reference, other)
    there = files(other)
    differing = [name for name in {**there, **before} if there.get(name) != before.get(name)]
    assert differing == [], said
    assert index_of(repo, other)[:2] == index, said  # the rest is git's guess by times, see Mess.time
    repo.git("worktree", "remove", "-f", "-f", str(other))
    for name in ("theirs", "one", "two"):
        repo.git("branch", "-q", "-D", name, ok=False)


@pytest.mark.parametrize("seed", range(5))
def test_p9_a_random_worktree_comes_back(repo: GitRepo, tmp_path: Path, seed: int) -> None:
    round_trip(repo, tmp_path, seed, 25)


@pytest.mark.stress
@pytest.mark.parametrize("first", range(100, 500, 20))
def test_p9_four_hundred_random_worktrees_come_back(
    repo: GitRepo, tmp_path: Path, record_property: Record, first: int
) -> None:
    for seed in range(first, first + 20):
        round_trip(repo, tmp_path, seed, 10 + seed % 40)
    record_property("held", f"random worktrees {first} to {first + 19}: rescued and restored byte for byte")


def test_every_scene_is_in_the_document() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/rescue.md").read_text(encoding="utf-8")
    names = [work.__name__ for work, _ in CASES] + [work.__name__ for work in (*INSIDES, *MODULES)]
    assert [name for name in names if f"`{name}`" not in text] == []
