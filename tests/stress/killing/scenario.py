"""What a scenario is: how to set up, what to run, how a person goes on after a kill, what holds then."""

from __future__ import annotations

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.states import RunState
from tests.support.gates import store_of
from tests.support.leftovers import leftovers
from tests.support.process import Done, end_of, run, start
from tests.support.repo import GitRepo

_PATIENCE = 10.0
_LOOKS = 9


@dataclass
class World:
    """One repository in which planctl is killed, and what was said in it."""

    repo: GitRepo
    facts: dict[str, str]
    said: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    """Lock files that doctor named and left alone, not being provably planctl's, and a person removed."""

    def planctl(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> Done:
        """Run planctl, undisturbed; another exit code than ``ok`` fails the test."""
        done = self.end_of(start(*arguments, cwd=self.repo.path))
        self.tell(f"planctl {' '.join(arguments)}", done)
        assert done.code in ok, f"planctl {arguments} ended with {done.code}"
        return done

    def end_of(self, process: subprocess.Popen[str]) -> Done:
        """Wait for its end; a person who sees it wait for a lock looks whose that is, and removes it."""
        for _ in range(_LOOKS):
            try:
                out, err = process.communicate(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                self.remove_named_locks(older_than=_PATIENCE / 2)
            else:
                return Done(process.returncode, out, err)
        return end_of(process, timeout=1)

    def remove_named_locks(self, *, older_than: float = -1.0) -> None:
        """What a person does who has read doctor's report, and knows that no git command is at work.

        While planctl is, that takes a lock as old as so many seconds.
        """
        if not any((self.repo.path / ".git").rglob("*.lock")):
            return
        report = run("doctor", "--json", cwd=self.repo.path)
        self.tell("planctl doctor --json", report)
        for issue in report.data["issues"]:
            lock = self.repo.path / ".git" / issue["subject"]
            if issue["code"] in ("target-locked", "lock-foreign") and age(lock) > older_than:
                lock.unlink()
                self.by_hand.append(issue["subject"])

    def tell(self, what: str, done: Done) -> None:
        """Remember what was said, for the report of a failure."""
        self.said.append(f"$ {what} -> {done.code}\n{done.out[-2000:]}{done.err[-2000:]}")


def age(file: Path) -> float:
    """Seconds since it was written; nothing at all once it is gone."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return -2.0


class Scenario(ABC):
    """Made once as a template, then run again and again, with a kill somewhere each time."""

    name: str
    beside: tuple[str, ...] | None = None
    """Another planctl, undisturbed, at the same time."""

    @abstractmethod
    def build(self, repo: GitRepo) -> dict[str, str]:
        """Make everything that is there before; returns facts for later comparison."""

    @property
    @abstractmethod
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """What is run, one after another, until one is killed."""

    @abstractmethod
    def go_on(self, world: World) -> None:
        """What a person does afterwards, until all is done: ``resume``, or the same command."""

    @abstractmethod
    def require(self, world: World) -> None:
        """Everything was done exactly once, and nothing was lost."""

    def require_rest(self, world: World) -> None:
        """Nothing is left over, after ``doctor --fix``."""
        world.remove_named_locks()
        world.planctl("doctor", "--fix")
        found = leftovers(world.repo)
        assert found == [], "left over:\n" + "\n".join(found)


def resume_all(world: World) -> None:
    """``resume`` until there is nothing to go on with."""
    for _ in range(5):
        with store_of(world.repo) as store:
            if all(r.state is RunState.FINISHED for r in store.runs()):
                return
        world.planctl("resume", ok=(0, 1))
        world.remove_named_locks()
    raise AssertionError("still not finished after five times resume")


def state_of(repo: GitRepo, plan: str) -> str:
    """The state of the newest attempt of a plan; empty: it has none."""
    if not (repo.path / ".git/planctl/state.db").exists():
        return ""
    with store_of(repo) as store:
        return next((str(a.state) for a in store.latest_attempts() if a.plan == plan), "")


def has_store(repo: GitRepo) -> bool:
    return Path(repo.path, ".git/planctl/state.db").exists()


def go_on_until(world: World, where: Mapping[str, str], *options: str) -> None:
    """What a person does until every plan is ``where`` it belongs: resume, start what never was, retry."""
    for _ in range(4):
        if has_store(world.repo):
            resume_all(world)
        states = {plan: state_of(world.repo, plan) for plan in where}
        if new := [plan for plan, state in states.items() if not state]:
            world.planctl("run-multi", *new, *options, ok=(0, 1))
        elif wrong := [plan for plan, state in states.items() if state != where[plan]]:
            world.remove_named_locks()
            world.planctl("retry", *wrong, ok=(0, 1))
        else:
            return
    raise AssertionError(f"after all that it stands at {states}")
