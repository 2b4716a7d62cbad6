"""A copy of the sources, a guard taken out of it, and what its tests say then."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.mutation.guards import Edit, Guard, take_out

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("plans", "worktrees", "orchestrator", "tests", "docs", "examples", "pyproject.toml")
LIMIT = 900
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
_PASSED, _SOME_FAILED = 0, 1


@dataclass(frozen=True)
class Result:
    """``caught`` by the test ``by``; ``said`` is all that pytest said."""

    code: int
    seconds: float
    said: str

    @property
    def caught(self) -> bool:
        return self.code == _SOME_FAILED

    @property
    def survived(self) -> bool:
        return self.code == _PASSED

    @property
    def by(self) -> str:
        found = _FAILED.search(self.said)
        return found.group(1) if found else ""


class Sources:
    """A copy of the sources that guards are taken out of, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "sources"
        self.root.mkdir(parents=True)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / name, self.root / name)
        self._stamp = int(max((self.root / name).stat().st_mtime for name in COPIED))

    def without(self, guard: Guard) -> Result:
        """What the guard's tests say without it; the sources are whole again afterwards."""
        whole = {edit.path: (self.root / edit.path).read_text(encoding="utf-8") for edit in guard.edits}
        take_out(self.root, guard.edits)
        self._outdate(guard.edits)
        try:
            return self.say(guard.tests)
        finally:
            for path, text in whole.items():
                (self.root / path).write_text(text, encoding="utf-8")
            self._outdate(guard.edits)

    def _outdate(self, edits: Iterable[Edit]) -> None:
        """Python tells by the second whether what it has compiled is still good."""
        self._stamp += 2
        for edit in edits:
            os.utime(self.root / edit.path, (self._stamp, self._stamp))

    def say(self, tests: Iterable[str]) -> Result:
        """Run tests on the sources as they are."""
        begun = monotonic()
        with tempfile.TemporaryDirectory(prefix="guards-", dir=self.root.parent) as temporary:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-q", "-x", "-m", "not stress", "--tb=short"),
                    *("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"),
                    *("--basetemp", f"{temporary}/tests", *tests),
                ],
                cwd=self.root,
                env={**os.environ, "PYTHONPATH": str(self.root)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LIMIT,
                check=False,
            )
        return Result(done.returncode, monotonic() - begun, done.stdout + done.stderr)
