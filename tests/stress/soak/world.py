"""The repository of the soak, the processes that work in it, and what is known of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.plans import plan_text
from tests.support.powercut import COMPILER
from tests.support.repo import GitRepo

ROOT = Path(__file__).resolve().parents[3]
SHIFTED = Path(__file__).with_name("shifted.c")
CHECK = "check: test ! -e bad\nleases: {session: 5m}\n"


@dataclass
class World:
    """``disk`` is a small file system that holds the repository, where one could be mounted."""

    repo: GitRepo
    folder: Path
    disk: Path | None
    seed: int
    working: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    generations: dict[int, int] = field(default_factory=dict)
    start: str = ""

    def prepare(self, agents: int, branches: int, tasks: int) -> None:
        """Plans, a plan of tasks, and the branches that the agents will submit."""
        boxes = "".join(f"- [ ] 1.{n} Do the {n}th thing\n" for n in range(1, tasks + 1))
        text = plan_text("chores", labels=["python"], files={"write": ["chores/**"]})
        self.start = self.repo.commit(
            "plans", {"planctl.yaml": CHECK, "plans/chores.md": f"{text}\n## Phase 1: All\n{boxes}"}
        )
        for agent in range(agents):
            names = [f"work/{agent}-{n}" for n in range(branches)]
            for name in names:
                self.repo.branch(name, {f"done/{name}": f"{name}\n"})
            (self.folder / f"branches-{agent}").write_text(" ".join(names))

    @property
    def environment(self) -> dict[str, str]:
        """For all processes: the wall clock that jumps, where it can be built."""
        if COMPILER is None:
            return dict(os.environ)
        library = self.folder / "shifted.so"
        if not library.exists():
            build = [COMPILER, "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIFTED), "-ldl"]
            subprocess.run(build, check=True)
        return {**os.environ, "LD_PRELOAD": str(library), "PLANCTL_SHIFT": str(self.folder / "shift")}

    def shift(self, seconds: int) -> bool:
        """Set the wall clock so far off; whether there is a way to."""
        draft = self.folder / "shift.new"
        draft.write_text(str(seconds))
        draft.replace(self.folder / "shift")
        return COMPILER is not None

    def tend(self, agents: int) -> None:
        """Start each agent that does not work, as a new session."""
        for number in range(agents):
            process = self.working.get(number)
            if process is None or process.poll() is not None:
                generation = self.generations[number] = self.generations.get(number, 0) + 1
                words = (str(self.repo.path), str(self.folder), str(number), str(generation), str(self.seed))
                self.working[number] = subprocess.Popen(
                    [sys.executable, "-m", "tests.stress.soak.agent", *words],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                )

    def agents(self) -> list[psutil.Process]:
        return [psutil.Process(p.pid) for p in self.working.values() if p.poll() is None]

    def planctls(self) -> list[psutil.Process]:
        """The planctl processes that agents have called and that still run."""
        found = []
        for agent in self.agents():
            try:
                found += [p for p in agent.children() if "orchestrator.cli" in p.cmdline()]
            except psutil.NoSuchProcess:
                continue
        return found

    def acts(self) -> list[dict[str, Any]]:
        """What the agents have noted; a line that a full disk or a kill has cut is no act."""
        path = self.folder / "acts"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
