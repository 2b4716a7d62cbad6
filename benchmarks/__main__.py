"""Ratios of planctl to a plain way of doing the same, measured side by side.

    python -m benchmarks [startup] [provisioning] [landing] [plans]

Makes synthetic repositories in a temporary folder; takes a few minutes. Times are medians.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import landing, plans, provisioning, startup
from benchmarks.measure import Result, environment, run

SECTIONS = {"startup": startup, "provisioning": provisioning, "landing": landing, "plans": plans}


def main() -> int:
    wanted = sys.argv[1:] or list(SECTIONS)
    unknown = [name for name in wanted if name not in SECTIONS]
    if unknown:
        print(f"there is no section {unknown[0]!r}: {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    # what runs in this process sees the same settings as what runs in others
    os.environ.update({k: v for k, v in environment().items() if k.startswith("GIT_")})
    version = run(["git", "--version"]).strip().removeprefix("git version ")
    print(
        f"git {version}, Python {platform.python_version()}, {os.cpu_count()} processors, {platform.system()}"
    )
    print()
    print("| what | ms | beside | ms | ratio | rounds |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="planctl-bench-") as folder:
        for name in wanted:
            for result in SECTIONS[name].results(Path(folder) / name):
                show(result)
    return 0


def show(result: Result) -> None:
    cells = (
        result.name,
        f"{result.ours:.0f}",
        result.reference_name,
        f"{result.reference:.0f}",
        f"{result.ratio:.2f}",
        str(result.rounds),
    )
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
