"""An agent that planctl did not start: a process that calls planctl, act by act, until it is told to stop.

``python -m tests.stress.soak.agent REPO FOLDER NUMBER GENERATION SEED``. Each act is a line of JSON in
``FOLDER/acts``: who, the words, the exit code, what was said on stderr, and the answer.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.process import COMMAND

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
    sent: int = 0

    @property
    def id(self) -> str:
        return f"agent-{self.number}-{self.generation}"

    def say(self, *words: str) -> dict[str, Any]:
        """One planctl; its act is noted whole when it has ended, so a killed one has no line."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.repo,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        answer: dict[str, Any] = {}
        if done.stdout.startswith("{") and "--json" in words:
            answer = json.loads(done.stdout.splitlines()[-1] if "\n{" in done.stdout else done.stdout)
        act = {"by": self.id, "words": words, "code": done.returncode, "err": done.stderr, "answer": answer}
        with (self.folder / "acts").open("a", encoding="utf-8") as log:
            log.write(json.dumps(act) + "\n")
        return act

    def work(self) -> None:
        """One thing that agents do."""
        acts = [self.heartbeat, self.task, self.hold, self.reserve, self.tell, self.submit, self.look]
        self.dice.choices(acts, weights=[3, 4, 3, 2, 1, 4, 1])[0]()

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
        branches = (self.folder / f"branches-{self.number}").read_text().split()
        branch = branches[self.sent % len(branches)]
        self.sent += 1
        self.say("queue", "add", branch, "--json")
        self.say("merge", branch, "--wait", "1")

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
