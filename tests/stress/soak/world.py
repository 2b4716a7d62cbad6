"""The repository of the soak, the processes that work in it, and what is known of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.plans import plan_text
from tests.support.powercut import COMPILER
from tests.support.process import COMMAND
from tests.support.repo import GitRepo

ROOT = Path(__file__).resolve().parents[3]
SHIFTED = Path(__file__).with_name("shifted.c")
WATCHDOGS = 2
WATCH = ("watchdog", "--every", "2s", "--grace", "1s")
COMMIT = """commit refs/heads/{name}
committer Ada <ada@example.invalid> 1700000000 +0000
data 4
work
from {start}
M 100644 inline done/{name}
data <<END
{name}
END

"""
CHECK = "check: test ! -e bad\nleases: {session: 5m}\n"


@dataclass
class World:
    """``disk`` is a small file system that holds the repository, where one could be mounted."""

    repo: GitRepo
    folder: Path
    disk: Path | None
    seed: int
    working: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    watching: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    watched: list[dict[str, Any]] = field(default_factory=list)
    generations: Counter[str] = field(default_factory=Counter)
    start: str = ""

    def prepare(self, agents: int, branches: int, tasks: int, plans: int) -> None:
        """A plan of tasks, plans that agents will run, and the branches that they will submit."""
        boxes = "".join(f"- [ ] 1.{n} Do the {n}th thing\n" for n in range(1, tasks + 1))
        text = plan_text("chores", labels=["python"], files={"write": ["chores/**"]})
        files: dict[str, str | bytes] = {
            "planctl.yaml": CHECK,
            "plans/chores.md": f"{text}\n## Phase 1: All\n{boxes}",
        }
        for agent in range(agents):
            own = [f"own-{agent}-{n}" for n in range(plans)]
            files |= {f"plans/{plan}.md": own_plan(plan) for plan in own}
            (self.folder / f"plans-{agent}").write_text(" ".join(own))
        self.start = self.repo.commit("plans", files)
        work = {agent: [f"work/{agent}-{n}" for n in range(branches)] for agent in range(agents)}
        for agent, names in work.items():
            (self.folder / f"branches-{agent}").write_text(" ".join(names))
        stream = [COMMIT.format(name=name, start=self.start) for names in work.values() for name in names]
        self.repo.git("fast-import", "--quiet", stdin="".join(stream))

    @property
    def environment(self) -> dict[str, str]:
        """For all processes, each a fresh interpreter: the wall clock that jumps, where it can be built."""
        known = {**os.environ, "PLANCTL_TESTS_EXEC": "1", "TMPDIR": str(self.folder)}
        if COMPILER is None:
            return known
        library = self.folder / "shifted.so"
        if not library.exists():
            build = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIFTED), "-ldl"]
            subprocess.run(build, check=True)
        return {**known, "LD_PRELOAD": str(library), "PLANCTL_SHIFT": str(self.folder / "shift")}

    def shift(self, seconds: int) -> bool:
        """Set the wall clock so far off; whether there is a way to."""
        draft = self.folder / "shift.new"
        draft.write_text(str(seconds))
        draft.replace(self.folder / "shift")
        return COMPILER is not None

    def tend(self, agents: int) -> None:
        """Start each agent that does not work, as a new session, and each watchdog."""
        for number in range(agents):
            if _has_ended(self.working.get(number)):
                generation = self._next(f"agent {number}")
                words = (str(self.repo.path), str(self.folder), str(number), str(generation), str(self.seed))
                self.working[number] = self._start(
                    ("-m", "tests.stress.soak.agent", *words), ROOT, subprocess.DEVNULL
                )
        for number in range(WATCHDOGS):
            if _has_ended(self.watching.get(number)):
                self._note_watchdog(number)
                self._next(f"watchdog {number}")
                with self._said_by(number).open("wb") as said:
                    self.watching[number] = self._start((*COMMAND[1:], *WATCH), self.repo.path, said)

    def end(self, patience: float) -> None:
        """Agents end what they are doing, for so many seconds; then the watchdogs are asked to."""
        (self.folder / "stop").touch()
        for process in self.working.values():
            assert process.wait(patience) in (0, -signal.SIGKILL)
        for number in [*self.watching]:
            self.watching[number].terminate()
            self.watching[number].wait(patience)
            self._note_watchdog(number)

    def kill_all(self) -> None:
        """Whoever still works after a failure."""
        for process in (*self.agents(), *self.watchdogs()):
            with suppress(psutil.NoSuchProcess):
                for one in (process, *process.children(recursive=True)):
                    one.kill()

    def _next(self, who: str) -> int:
        self.generations[who] += 1
        return self.generations[who]

    def _start(self, words: tuple[str, ...], cwd: Path, stderr: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )

    def _said_by(self, number: int) -> Path:
        return self.folder / f"watchdog-{number}"

    def _note_watchdog(self, number: int) -> None:
        process = self.watching.pop(number, None)
        if process is not None:
            said = self._said_by(number).read_text("utf-8", "replace")
            self.watched.append(
                {"by": f"watchdog {number}", "words": WATCH, "code": process.wait(), "err": said}
            )

    def agents(self) -> list[psutil.Process]:
        return [psutil.Process(p.pid) for p in self.working.values() if p.poll() is None]

    def watchdogs(self) -> list[psutil.Process]:
        """Those that stay."""
        return [psutil.Process(p.pid) for p in self.watching.values() if p.poll() is None]

    def planctls(self) -> list[psutil.Process]:
        """The planctl processes that agents have called and that still run."""
        found = []
        for agent in self.agents():
            try:
                found += [p for p in agent.children() if p.cwd() == str(self.repo.path)]
            except psutil.NoSuchProcess:
                continue
        return found

    def count(self) -> int:
        """How many acts have ended so far."""
        return len(self._lines())

    def acts(self) -> list[dict[str, Any]]:
        """What the agents have noted, each line in one piece, and how each watchdog ended."""
        return [*map(json.loads, self._lines()), *self.watched]

    def _lines(self) -> list[str]:
        path = self.folder / "acts"
        return path.read_text("utf-8").splitlines() if path.exists() else []


def own_plan(plan: str) -> str:
    """Reservations of ``docs/*.md`` are in its way."""
    return plan_text(plan, files={"write": [f"docs/{plan}.md"]}, run=f"echo {plan} > docs/{plan}.md")


def _has_ended(process: subprocess.Popen[bytes] | None) -> bool:
    return process is None or process.poll() is not None
