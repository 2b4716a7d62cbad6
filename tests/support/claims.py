"""Many processes that claim the same tasks: the worker, and who won what."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

PROGRAM = """
import os, random, sys
from pathlib import Path
from orchestrator.bootstrap import attending
from orchestrator.errors import TaskTakenError
from orchestrator.services.speaking import new_session
from orchestrator.services.tasks import Desk, claim
from orchestrator.sessions.ancestry import Ancestor
from orchestrator.sessions.identity import started
from worktrees.repository import find

repository, key, seed = find(Path(sys.argv[1])), sys.argv[2], sys.argv[3]
with attending(repository) as (store, clock):
    me = Ancestor(os.getpid(), started(os.getpid()), ("worker",))
    session = new_session(clock, [me], key=key)
    store.add_session(session)
    desk = Desk.opened(repository, store, clock, session, {})
    wanted = [f"big:{task.id}" for task in desk.places["big"].plan.tasks]
    random.Random(f"{seed}/{key}").shuffle(wanted)
    print("ready", flush=True)
    sys.stdin.readline()
    for task in wanted:
        try:
            claim(desk, task)
        except TaskTakenError:
            continue
        print(task, flush=True)
    print("done", flush=True)
    sys.stdin.readline()  # alive until all have asked: what a dead one holds is open again
"""


def race(folder: Path, processes: int, seed: int) -> tuple[Counter[str], float]:
    """All processes claim all tasks of the plan ``big``, each in its own order; wins by task, and seconds."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), f"s{number}", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    wins: Counter[str] = Counter()
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    began = time.monotonic()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.stdout is not None
        for line in worker.stdout:
            if line == "done\n":
                break
            wins[line.strip()] += 1
    seconds = time.monotonic() - began
    for worker in workers:
        worker.communicate("end\n")
        assert worker.returncode == 0
    return wins, seconds


def big_plan(tasks: int) -> str:
    """A plan of so many tasks, none of which waits for another."""
    lines = [f"- [ ] {1 + n // 100}.{n % 100} Task {n}" for n in range(tasks)]
    return "---\nplan: big\n---\n# Big\n" + "\n".join(lines) + "\n"
