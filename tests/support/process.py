"""planctl as a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "orchestrator.cli")


@dataclass(frozen=True)
class Done:
    """What a finished process said."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def start(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start planctl; stdin is empty, stdout and stderr are pipes."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 90) -> Done:
    """Run planctl to its end."""
    process = start(*arguments, cwd=cwd, env=env)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"planctl {arguments} hangs\n{out[-3000:]}\n{err[-3000:]}") from None
    return Done(process.returncode, out, err)
