"""Overlaps of very many plans, beside what it takes only to match their patterns with pathspec.

A made-up tree of 80,000 files: 2,000 modules of 32 files and a folder of documents about each. A plan belongs
to a module that is drawn at random, and names six of its files, one file that is yet to come, a folder, names
in a folder and names anywhere below one; its text has a checkbox, a link and bold words. So plans of the same
module overlap, and no others.
"""

from __future__ import annotations

import random
import resource
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.measure import Result, Side, Target, in_turn, milliseconds, run
from plans.ids import PlanId
from plans.intersect import witness
from plans.model import Manifest, Plan
from plans.overlap import OverlapReport, find_overlaps
from plans.patterns import PatternSet

MODULES, FILES, DOCUMENTS = 2000, 32, 8
PLANS = 10_000
PATTERNS, PAIRS = 50, 100
ROUNDS = 3


def results(scratch: Path, cache: Path) -> Iterator[Result]:
    del scratch, cache
    tree, plans = files(), [plan(number) for number in range(PLANS)]
    ours, half, reference = in_turn(
        (
            Side(f"overlaps of {PLANS:,} plans", lambda: find_overlaps(plans, tree)),
            Side("half of them", lambda: find_overlaps(plans[::2], tree)),
            Side("pathspec", lambda: with_pathspec(plans[0], tree)),
        ),
        ROUNDS,
        warm=False,
    )
    name = f"overlaps of {PLANS:,} plans, {len(tree):,} files"
    yield Result(name, ours / 1000, rounds=ROUNDS, target=Target(5), unit="s")
    matching = f"matching them alone by pathspec ({PLANS:,} times one plan)"
    yield Result(
        name, ours / 1000, matching, reference * PLANS / 1000, ROUNDS, Target(300, faster=True), unit="s"
    )
    yield Result(name, ours, f"of {PLANS // 2:,} plans", half, ROUNDS)
    for apart in (True, False):
        shared = "nothing" if apart else "a file"
        yield Result(
            f"two sets of {PATTERNS} patterns that share {shared}",
            pairs(apart=apart),
            rounds=PAIRS,
            target=Target(5),
        )
    yield Result(f"{name}: most resident", alone(), target=Target(1024), unit="MiB")


def files() -> list[str]:
    code = [
        f"src/m{m:04}/{'core' if f % 2 else 'web'}/f{f:02}.py" for m in range(MODULES) for f in range(FILES)
    ]
    return code + [f"docs/d{d}/m{m:04}-page.md" for m in range(MODULES) for d in range(DOCUMENTS)]


def plan(number: int) -> Plan:
    random_ = random.Random(number)
    module = f"m{random_.randrange(MODULES):04}"
    some = random_.sample(range(FILES), 6)
    texts = [f"src/{module}/{'core' if f % 2 else 'web'}/f{f:02}.py" for f in some]
    texts += [f"src/{module}/new{random_.randrange(99)}.py", f"src/{module}/assets/**"]
    texts += [f"src/{module}/web/f{random_.randrange(4)}*.py", f"docs/**/{module}-*.md"]
    name = f"p{number}"
    manifest = Manifest(PatternSet.parse(texts), PatternSet())
    body = f"## Phase 1\n- [ ] 1.1 **Move the [old parts](docs/d0/{module}-page.md)** of `{texts[0]}`\n"
    return Plan(PlanId(name), name, Path(f"plans/{name}.md"), b"", "", body, manifest=manifest)


def pairs(*, apart: bool) -> float:
    """The median of an answer for two large random sets, in milliseconds."""
    random_ = random.Random(50)
    times = []
    for _ in range(PAIRS):
        one, other = (large(random_, top if apart else "src") for top in ("src", "lib"))
        times.append(milliseconds(partial(witness, one, other)))
    return median(times)


def large(random_: random.Random, top: str) -> PatternSet:
    places, names = ("auth", "core", "web", "*", "**"), ("*.py", "test_*.py", "**", "[a-m]*", "mod", "f?.ts")
    texts = (
        "/".join([top, *random_.choices(places, k=random_.randint(1, 4)), random_.choice(names)])
        for _ in range(PATTERNS)
    )
    return PatternSet.parse(list(texts))


def with_pathspec(one: Plan, tree: list[str]) -> int:
    import pathspec  # noqa: PLC0415 - the reference, which mypy brings with it

    assert one.manifest is not None
    spec = pathspec.PathSpec.from_lines("gitwildmatch", one.manifest.write.texts)
    return sum(1 for _ in spec.match_files(tree))


def alone() -> float:
    """The most that one such look has resident in a process of its own, in MiB."""
    return float(run([sys.executable, "-c", "from benchmarks.overlap import once; print(once())"]))


def once() -> float:
    found: OverlapReport = find_overlaps([plan(number) for number in range(PLANS)], files())
    if not found.overlaps:
        raise RuntimeError("nothing overlaps")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
