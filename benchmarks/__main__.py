"""Ratios of planctl to a plain way of doing the same, measured side by side.

    python -m benchmarks [--cache FOLDER] [SECTION…]

Makes synthetic repositories, in a temporary folder or in FOLDER, where the next run finds them again (and
Zuul's merger, installed into an environment of its own). Times are medians. Prints the table that stands in
docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks import (
    accuracy,
    checks,
    drift,
    figures,
    forecast,
    landing,
    memory,
    overlap,
    planner,
    plans,
    policies,
    provisioning,
    queuelist,
    sessions,
    startup,
)
from benchmarks.measure import HEAD, environment, run

SECTIONS = {
    "startup": startup,
    "provisioning": provisioning,
    "landing": landing,
    "checks": checks,
    "plans": plans,
    "memory": memory,
    "overlap": overlap,
    "drift": drift,
    "forecast": forecast,
    "accuracy": accuracy,
    "planner": planner,
    "policies": policies,
    "queue": queuelist,
    "sessions": sessions,
    "figures": figures,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, help="where to keep what is made for the measurements")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    wanted = parser.parse_args()
    if unknown := [name for name in wanted.sections if name not in SECTIONS]:
        parser.error(f"there is no section {unknown[0]!r}: {', '.join(SECTIONS)}")
    # what runs in this process sees the same settings as what runs in others
    os.environ.update({k: v for k, v in environment().items() if k.startswith("GIT_")})
    with tempfile.TemporaryDirectory(prefix="planctl-bench-") as folder:
        cache = (wanted.cache or Path(folder, "cache")).absolute()
        cache.mkdir(parents=True, exist_ok=True)
        measure(wanted.sections or list(SECTIONS), Path(folder), cache)


def measure(sections: list[str], scratch: Path, cache: Path) -> None:
    version = run(["git", "--version"]).strip().removeprefix("git version ")
    where = f"{os.cpu_count()} processors, {platform.system()}"
    print(f"git {version}, Python {platform.python_version()}, {where}\n")
    show(HEAD)
    show(tuple("---" for _ in HEAD))
    short = []
    start = time.perf_counter()
    for name in sections:
        for result in SECTIONS[name].results(scratch / name, cache):
            show(result.cells())
            short += [result.name] if result.holds is False else []
        shutil.rmtree(scratch / name, ignore_errors=True)
    print(f"\n{time.perf_counter() - start:.0f} s. Falls short: {'; '.join(short) or 'nothing'}.")


def show(cells: tuple[str, ...]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
