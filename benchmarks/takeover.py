"""How soon another has what a killed or stopped process held: a kernel lock, a lease."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.measure import ROOT, Result, Target
from orchestrator.bootstrap import thread_store
from orchestrator.clock import SystemClock
from orchestrator.leases.acquiring import Manner
from orchestrator.leases.backoff import patient
from orchestrator.leases.heartbeat import Pace
from orchestrator.leases.kernel_lock import KernelLock
from orchestrator.sessions.registry import start_session
from worktrees.repository import Repository

ROUNDS = 5
EXPIRY = 1.0
HOLDING = """
import sys
from pathlib import Path
from orchestrator.bootstrap import thread_store
from orchestrator.clock import SystemClock
from orchestrator.leases.heartbeat import Pace
from orchestrator.leases.kernel_lock import KernelLock
from orchestrator.sessions.registry import start_session
from worktrees.repository import find

repository, clock, expiry = find(Path(sys.argv[1])), SystemClock(), float(sys.argv[2])
pace = Pace(every=expiry / 4, expiry=expiry)
kernel = KernelLock(repository.state_dir / "bench.lock", clock, "bench")
with start_session(thread_store(repository), clock, "bench", pace=pace) as session, kernel.held():
    with session.wait_for("bench"):
        print("held", flush=True)
        sys.stdin.readline()
"""


def takeovers(repository: Repository) -> Iterator[Result]:
    """Milliseconds from the signal until the next has it, who asks as one does that waits a minute."""
    clock = SystemClock()
    kernel = KernelLock(repository.state_dir / "bench.lock", clock, "bench")
    manner = Manner(backoff=patient(60), limit=60)
    with start_session(thread_store(repository), clock, "bench", pace=Pace(every=1e6, expiry=1e6)) as session:

        def lock() -> None:
            with kernel.held(60):
                pass

        def lease() -> None:
            session.wait_for("bench", manner=manner).release()

        name = "a {} had by the next after {} of its holder"
        for what, take in (("kernel lock", lock), ("lease, death proven,", lease)):
            taken = median(_after(repository, signal.SIGKILL, take) for _ in range(ROUNDS))
            yield Result(name.format(what, "kill -9"), taken, rounds=ROUNDS, target=Target(1000))
        taken = median(_after(repository, signal.SIGSTOP, lease) for _ in range(ROUNDS))
        name = f"a lease of {EXPIRY:g} s {name.format('', 'kill -STOP').removeprefix('a  ')}"
        yield Result(name, taken, rounds=ROUNDS, target=Target(1000 * (EXPIRY + 1.5)))


def _after(repository: Repository, number: int, take: Callable[[], None]) -> float:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(repository.top), str(EXPIRY if number == signal.SIGSTOP else 60)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    with holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"held\n":
            raise RuntimeError("the holder did not come up")
        began = time.perf_counter()
        os.kill(holder.pid, number)
        take()
        taken = time.perf_counter() - began
        holder.kill()
    return 1000 * taken
