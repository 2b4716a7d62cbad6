"""Slots are made and used again: warm ones in which a person has worked since, and new ones beside them."""

from __future__ import annotations

from pathlib import Path

from tests.stress.killing.scenario import Scenario, World, go_on_until
from tests.support.plans import commit_plans, landings
from tests.support.process import run
from tests.support.repo import GitRepo

FIRST: dict[str, dict[str, object]] = {
    name: {"files": {"write": [f"{name}.txt"]}, "run": f"echo {name} > {name}.txt"} for name in ("u", "v")
}
NEXT: dict[str, dict[str, object]] = {
    name: {"files": {"write": [f"{name}.txt"]}, "run": f"test ! -e late.txt && echo {name} > {name}.txt"}
    for name in ("x", "y", "z")
}
SETTINGS = "copy: [.env]\nlink: [cache]\n"


class Slots(Scenario):
    name = "slots"
    commands = (("run-multi", *NEXT, "-j", "3"),)

    def build(self, repo: GitRepo) -> dict[str, str]:
        commit_plans(repo, {**FIRST, **NEXT}, SETTINGS)
        repo.commit("ignore", {".gitignore": ".env\ncache\n"})
        repo.write(".env", "secret\n")
        repo.write("cache/big", "big\n")
        done = run("run-multi", *FIRST, "-j", "2", cwd=repo.path)
        assert done.code == 0, done.err
        for number in (1, 2):
            slot = GitRepo(_pool(repo) / f"slot-{number:02d}")
            slot.write("late.txt", f"late work in {number}\n")
            slot.write("src/a.py", f"a late edit in {number}\n")
        return {}

    def go_on(self, world: World) -> None:
        go_on_until(world, dict.fromkeys(NEXT, "landed"), "-j", "3")

    def require(self, world: World) -> None:
        repo = world.repo
        assert sorted(landings(repo)) == sorted([*FIRST, *NEXT]), landings(repo)
        assert repo.git("status", "--porcelain") == ""
        for number in (1, 2):
            texts = (f"late work in {number}\n", f"a late edit in {number}\n")
            assert _kept(repo, "late.txt", texts[0]), f"the file made late in slot {number} is gone"
            assert _kept(repo, "src/a.py", texts[1]), f"the late edit in slot {number} is gone"
        for name in NEXT:
            assert repo.show("main", f"{name}.txt") == f"{name}\n"
        repo.git("fsck", "--strict", "--no-dangling")


def _pool(repo: GitRepo) -> Path:
    return repo.path.with_name(f"{repo.path.name}.worktrees")


def _kept(repo: GitRepo, path: str, text: str) -> bool:
    """Whether the work is still in a slot, or in a snapshot."""
    slots = [slot / path for slot in _pool(repo).glob("slot-*")]
    if any(file.is_file() and file.read_text() == text for file in slots):
        return True
    names = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").split()
    return any(repo.git("show", f"{name}:{path}", ok=False) + "\n" == text for name in names)
