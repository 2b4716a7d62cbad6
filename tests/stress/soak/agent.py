"""An agent that planctl did not start: a process that calls planctl, act by act, until it is told to stop.

``python -m tests.stress.soak.agent REPO FOLDER NUMBER GENERATION SEED``. Each act is a line of JSON in
``FOLDER/acts``: who, the words, the seconds it took, the exit code, what was said on stderr, and the answer.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.process import run

PATIENCE = 900.0
"""Seconds that a planctl may take on a busy machine; longer is a fault of it."""
HOLD = """
import json, os, sys, time
held = time.monotonic()
time.sleep(float(sys.argv[3]))
line = {"by": int(sys.argv[1]), "scope": "write", "branch": "", "files": [], "invoked": float(sys.argv[4]),
        "held": held, "left": time.monotonic(), "token": int(os.environ["PLANCTL_LEASE_TOKEN"])}
with open(sys.argv[2], "a") as log:
    log.write(json.dumps(line) + chr(10))
"""
"""The command under ``lock run``: a line for the checker of ``tests/support/grants.py`` if it gets there."""


@dataclass
class Agent:
    repo: Path
    folder: Path
    number: int
    generation: int
    dice: random.Random

    @property
    def id(self) -> str:
        return f"agent-{self.number}-{self.generation}"

    def say(self, *words: str) -> dict[str, Any]:
        """One planctl; its act is noted whole when it has ended, so a killed one has no line."""
        began = time.monotonic()
        done = run(*words, cwd=self.repo, timeout=PATIENCE)
        answer: dict[str, Any] = {}
        if done.out.startswith("{") and "--json" in words:
            answer = json.loads(done.out.splitlines()[-1] if "\n{" in done.out else done.out)
        act = {
            "by": self.id,
            "words": words,
            "seconds": round(time.monotonic() - began, 3),
            "code": done.code,
            "err": done.err,
            "answer": answer,
        }
        with (self.folder / "acts").open("a", encoding="utf-8") as log:
            log.write(json.dumps(act) + "\n")
        return act

    def work(self) -> None:
        """One thing that agents do."""
        acts: dict[Callable[[], object], int] = {
            self.heartbeat: 3,
            self.task: 4,
            self.hold: 3,
            self.reserve: 2,
            self.tell: 1,
            self.submit: 4,
            self.run_plan: 4,
            self.sweep: 1,
            self.look: 1,
        }
        self.dice.choices([*acts], weights=[*acts.values()])[0]()

    def heartbeat(self) -> None:
        self.say("session", "heartbeat", self.id)

    def task(self) -> None:
        claimed = self.say("task", "claim", "--next", "--session", self.id, "--json")
        if claimed["code"] or "id" not in claimed["answer"]:
            return
        key = claimed["answer"]["id"]
        self.say("task", "start", key, "--session", self.id, "--json")
        if self.dice.random() < 0.2:
            self.say("task", "release", key, "--session", self.id, "--json")
        else:
            self.say("task", "complete", key, "--session", self.id, "--result", "done", "--json")

    def hold(self) -> None:
        arguments = [str(self.number), str(self.folder / "grants.jsonl"), str(self.dice.random() * 0.2)]
        asked = str(time.monotonic())
        self.say("lock", "run", "build", "--", sys.executable, "-c", HOLD, *arguments, asked)

    def reserve(self) -> None:
        files = self.dice.choice(["src/**", "src/a.py", "docs/*.md"])
        self.say("lock", "acquire", "--files", files, "--session", self.id, "--timeout", "1")
        self.say("lock", "release", "--all", "--session", self.id)

    def tell(self) -> None:
        self.say("session", "message", "all", "main is red, hold your horses")

    def submit(self) -> None:
        branch = self.dice.choice((self.folder / f"branches-{self.number}").read_text().split())
        self.say("queue", "add", branch, "--json")
        self.say("merge", branch, "--wait", "1")

    def run_plan(self) -> None:
        """A plan of its own from beginning to end; or what a killed ``run-multi`` has begun."""
        if self.dice.random() < 0.5:
            self.say(
                "run-multi", self.dice.choice((self.folder / f"plans-{self.number}").read_text().split())
            )
        else:
            self.say("resume")

    def sweep(self) -> None:
        self.say("watchdog", "--once", "--grace", "1s")

    def look(self) -> None:
        self.say(*self.dice.choice([("status",), ("task", "list"), ("lock", "list"), ("queue", "list")]))


def main() -> None:
    repo, folder = Path(sys.argv[1]), Path(sys.argv[2])
    number, generation, seed = (int(word) for word in sys.argv[3:6])
    agent = Agent(repo, folder, number, generation, random.Random(f"{seed}/{number}/{generation}"))
    agent.say("session", "start", agent.id, "--agent", "soak", "--label", "python")
    while not (folder / "stop").exists():
        agent.work()
    agent.say("session", "end", agent.id)


if __name__ == "__main__":
    os.environ.pop("PLANCTL_SESSION", None)
    main()
