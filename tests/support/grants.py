"""Histories of grants, written by real processes, and the checker that says what is wrong with one.

A worker writes ``invoked`` before it asks, ``held`` when it has been granted, ``left`` before it gives back.
All times are of CLOCK_MONOTONIC, which all processes of a machine share, so that what one process saw as held
from ``held`` to ``left`` was held for that long at least.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

WORKER = """
import json, os, random, sys, time
from pathlib import Path
from orchestrator.clock import SystemClock
from orchestrator.leases.acquiring import Manner, acquire
from orchestrator.leases.backoff import Backoff
from orchestrator.leases.ledger import end
from orchestrator.leases.lease import Wanted
from orchestrator.store.scopes import Scope
from orchestrator.store.sqlite.opening import open_sqlite

folder, number, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
drawn, clock = random.Random(f"{seed}/{number}"), SystemClock()
store = open_sqlite(folder / "state.db", clock, verify=False).store
manner = Manner(backoff=Backoff(first=0.002, attempts=0, most=0.02))
with (folder / f"{number}.jsonl").open("w") as log:
    for _ in range(rounds):
        scope = drawn.choice([Scope.WRITE, Scope.WRITE, Scope.READ])
        branch = drawn.choice(["main", "dev"])
        files = drawn.choice([(), (), ("src/**",), ("src/a.py",), ("docs/*.md", "!docs/x.md")])
        wanted = Wanted("work", f"s{number}", scope=scope, branch=branch, patterns=files)
        line = {"by": number, "scope": scope, "branch": branch, "files": files, "invoked": time.monotonic()}
        lease = acquire(store, clock, wanted, manner)
        line |= {"held": time.monotonic(), "token": lease.token}
        time.sleep(drawn.random() * 0.002)
        line["left"] = time.monotonic()
        assert end(store, clock, lease)
        print(json.dumps(line), file=log, flush=True)
"""


@dataclass(frozen=True)
class Grant:
    by: int
    scope: str
    branch: str
    files: tuple[str, ...]
    token: int
    invoked: float
    held: float
    left: float


def read_grants(folder: Path) -> list[Grant]:
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    return [Grant(**{**json.loads(line), "files": tuple(json.loads(line)["files"])}) for line in lines]


def faults_of(grants: list[Grant], meets: Any) -> list[str]:
    """What must not be: two at once that exclude each other, a token given twice, tokens out of order.

    ``meets`` says of two lists of patterns whether they can name one file.
    """
    faults = []
    for one, other in combinations(sorted(grants, key=lambda g: g.token), 2):
        if one.token == other.token:
            faults.append(f"token {one.token} was given to {one.by} and to {other.by}")
        if other.held < one.invoked:
            faults.append(f"token {other.token} was given before {one.token} was asked for")
        if one.by != other.by and _exclude(one, other, meets) and _at_once(one, other):
            faults.append(f"{one.by} and {other.by} held at once: tokens {one.token} and {other.token}")
    return faults


def _at_once(one: Grant, other: Grant) -> bool:
    return one.held < other.left and other.held < one.left


def _exclude(one: Grant, other: Grant, meets: Any) -> bool:
    if "none" in {one.scope, other.scope}:
        return False
    if one.scope == other.scope == "read" and one.branch == other.branch:
        return False
    return not one.files or not other.files or meets(one.files, other.files)
