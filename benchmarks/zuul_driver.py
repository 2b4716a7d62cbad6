"""Runs in the environment that zuul is installed in: merges branches with Zuul's merger, as told on stdin.

    python zuul_driver.py REMOTE LOCAL

Clones REMOTE, checks main out, says "ready"; then for each line of branch names merges them one after the
other and answers with the seconds it took.
"""

from __future__ import annotations

import logging
import sys
import time

from zuul.merger.merger import Repo  # type: ignore[import-not-found,unused-ignore]  # in an environment of its own

logging.disable(logging.CRITICAL)


def main() -> None:
    remote, local = sys.argv[1:]
    repo = Repo(remote, local, "bench@example.invalid", "Bench", "1000", "30")
    repo.reset()
    repo.checkout("main")
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for name in line.split():
            repo.merge(f"refs/heads/{name}")
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
