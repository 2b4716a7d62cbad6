"""A scenario is run, a process of it is killed, a person goes on, and everything is looked at.

Where to kill is a :class:`Kill`: before or after a named step of planctl (in whichever process meets it), or
before one of the calls by which planctl, a supervisor or a git child changes a file, counted over the whole
run; ``all`` ends every process of the run at that moment, commands of plans included. The same numbers give
the same kill, as far as processes that run side by side meet in the same order.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.stress.killing.scenario import Scenario, World
from tests.stress.killing.shim import ROLES, Shim, library
from tests.support.process import end_started, start
from tests.support.repo import GitRepo

LOG = os.environ.get("PLANCTL_STRESS_LOG")
"""A file that gets each failure at once; read here, before a test's own environment is made."""
WEIGHTS: Mapping[str, int] = {"planctl": 4, "git": 3, "all": 2, "supervisor": 1}


@dataclass(frozen=True)
class Kill:
    """``how``: ``step``, or the role whose calls count. ``at``: the step's moment, or the call's number."""

    how: str
    at: str

    def __str__(self) -> str:
        return f"{self.how}={self.at}"


@dataclass
class Bench:
    """A place in which one scenario is played again and again, always in the same folder.

    The same, because worktrees and the store name each other by absolute paths.
    """

    scenario: Scenario
    folder: Path
    template: Path
    facts: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    by_hand: int = 0
    """Of the last kill: lock files that a person had to remove."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.facts = self.scenario.build(GitRepo.copy_of(self.template, self._live / "repo"))
        shutil.copytree(self._live, self._saved, symlinks=True)

    @property
    def _live(self) -> Path:
        return self.folder / "live"

    @property
    def _killed(self) -> Path:
        """Made by the process that was killed at a step."""
        return self.folder / "killed"

    @property
    def _saved(self) -> Path:
        return self.folder / "saved"

    def fresh(self) -> World:
        """The world as it was before anything ran."""
        shutil.rmtree(self._live)
        shutil.copytree(self._saved, self._live, symlinks=True)
        return World(GitRepo(self._live / "repo"), self.facts)

    def steps(self) -> list[str]:
        """Each moment at a named step of an undisturbed run, in order: ``name:before:1``."""
        trace = self.folder / "steps"
        trace.unlink(missing_ok=True)
        world = self.fresh()
        self._run(world, {"PLANCTL_STEP_TRACE": str(trace)})
        self._require_all(world)
        return list(dict.fromkeys(trace.read_text().split()))

    def count(self) -> dict[str, int]:
        """How many calls that change files each role makes in an undisturbed run."""
        if not self.counts:
            world, shim = self.fresh(), self._shim()
            self._run(world, shim.environment("all", 0))
            self.counts = shim.counts
            self._require_all(world)
        return self.counts

    def _shim(self) -> Shim:
        built = library(self.folder)
        assert built is not None
        return Shim(built, self.folder / "counters")

    def play(self, kill: Kill) -> bool:
        """Kill once, go on, look; returns whether anything was killed. A failure tells all that was said."""
        world = self.fresh()
        try:
            fired = self._run(world, self._environment(kill), strict=False)
            self.scenario.go_on(world)
            self._require_all(world)
        except AssertionError as error:
            said = "\n".join(world.said)
            raise AssertionError(f"{self.scenario.name}:{kill}\n{error}\n{said[-6000:]}") from error
        finally:
            self.by_hand = len(world.by_hand)
            end_started()
        return fired

    def _environment(self, kill: Kill) -> Mapping[str, str]:
        if kill.how == "step":
            self._killed.unlink(missing_ok=True)
            return {"PLANCTL_KILL_AT": kill.at, "PLANCTL_KILL_ONCE": str(self._killed)}
        return self._shim().environment(kill.how, int(kill.at))

    def _run(self, world: World, env: Mapping[str, str], *, strict: bool = True) -> bool:
        """The scenario's commands, one after another; returns whether a process was killed."""
        beside = start(*self.scenario.beside, cwd=world.repo.path) if self.scenario.beside else None
        killed = False
        for command in self.scenario.commands:
            done = world.end_of(start(*command, cwd=world.repo.path, env=dict(env)))
            world.tell(" ".join(command), done)
            killed = self._killed.exists() if "PLANCTL_KILL_AT" in env else self._fired(env, done.code)
            assert killed or not strict or done.code in (0, 1), world.said[-1]
            if killed:
                break
        if beside is not None:
            done = world.end_of(beside)
            world.tell("beside it", done)
            assert done.code == 0, "the planctl beside it was not undisturbed"
        return killed

    def _fired(self, env: Mapping[str, str], code: int) -> bool:
        return code == -signal.SIGKILL or ("KILLSHIM_FILE" in env and self._shim().fired)

    def _require_all(self, world: World) -> None:
        self.scenario.require_rest(world)
        self.scenario.require(world)


def random_kills(counts: Mapping[str, int], chosen: random.Random, number: int) -> Iterator[Kill]:
    """Seeded kills, in every role that has calls."""
    roles = [role for role in ROLES if counts[role]]
    for _ in range(number):
        role = chosen.choices(roles, [WEIGHTS[role] for role in roles])[0]
        yield Kill(role, str(chosen.randint(1, counts[role])))


def step_kills(steps: list[str], chosen: random.Random) -> list[Kill]:
    """Before and after the first moment of every step, and at one later moment of those that come again."""
    times = Counter(step.rpartition(":")[0] for step in steps)
    first = [Kill("step", f"{step}:1") for step in times]
    return first + [Kill("step", f"{s}:{chosen.randint(2, n)}") for s, n in times.items() if n > 1]


@dataclass
class Tally:
    """What came of a number of kills; failures are kept, and the next kill is made all the same."""

    bench: Bench
    made: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    failures: list[str] = field(default_factory=list)
    by_hand: int = 0

    def play(self, kill: Kill) -> None:
        try:
            fired = self.bench.play(kill)
        except AssertionError as error:
            self.failures.append(str(error))
            fired = True
            if LOG:
                with Path(LOG).open("a", encoding="utf-8") as out:
                    out.write(f"{error}\n{'=' * 80}\n")
        self.made[kill.how] += fired
        self.missed += not fired
        self.by_hand += self.bench.by_hand

    def require_none_failed(self) -> None:
        assert not self.failures, f"{len(self.failures)} failed\n" + "\n\n".join(self.failures)
