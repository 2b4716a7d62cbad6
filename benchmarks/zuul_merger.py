"""Zuul's merger (PyPI ``zuul``) as a rival: installed into an environment of its own inside the cache.

It is never a dependency of planctl. Where it cannot be had, the benchmark says so and goes on without.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Self

from benchmarks.measure import environment

VERSION = "zuul==14.3.0"
DRIVER = Path(__file__).with_name("zuul_driver.py")


class Merger:
    """A process of its own that merges branches in a clone, by ``zuul.merger.merger.Repo.merge``."""

    def __init__(self, python: Path, remote: Path, clone: Path) -> None:
        self._argv = [str(python), str(DRIVER), remote.as_uri(), str(clone)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._argv,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._answer() != "ready":
            raise RuntimeError("Zuul's merger did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def merge(self, names: list[str]) -> float:
        """Merge branches one after the other; seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(names) + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def merger(remote: Path, clone: Path, cache: Path) -> Merger | None:
    """A merger over a clone of ``remote``; None where zuul is not installed and cannot be."""
    python = installed(cache)
    return None if python is None else Merger(python, remote, clone)


@functools.cache
def installed(cache: Path) -> Path | None:
    """The Python of the environment with zuul in it, made once for a cache; None, and said so, if not."""
    place = cache / VERSION
    python = place / "bin/python"
    if not (place / "done").exists():
        quiet = ("install", "--quiet", "--disable-pip-version-check")
        for argv in (
            [sys.executable, "-m", "venv", str(place)],
            [str(python), "-m", "pip", *quiet, VERSION],
        ):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or [""])[-1]
                print(f"Zuul's merger: not installed ({last})", file=sys.stderr, flush=True)
                return None
        (place / "done").touch()
    return python
