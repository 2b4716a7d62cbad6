"""The library that kills a process at the N-th change of a file, built once; see ``killshim.c``."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROLES = ("planctl", "supervisor", "git", "all")
_SIZE = 64
_FIRED = 4


@cache
def library(folder: Path) -> Path | None:
    """Build it into ``folder``; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    made = folder / "killshim.so"
    source = Path(__file__).with_name("killshim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


@dataclass(frozen=True)
class Shim:
    """One run under the library; ``counts`` can be read during and after it."""

    library: Path
    file: Path

    def environment(self, role: str, at: int) -> Mapping[str, str]:
        """What a process is started with; ``at`` 0 only counts. ``all`` also ends all the others."""
        self.file.write_bytes(bytes(_SIZE))
        found = {
            "LD_PRELOAD": str(self.library),
            "KILLSHIM_FILE": str(self.file),
            "KILLSHIM_ROLE": role,
            "KILLSHIM_AT": str(at),
        }
        return found | ({"KILLSHIM_ALL": "1"} if role == "all" else {})

    @property
    def counts(self) -> dict[str, int]:
        """How many moments each role has had."""
        return dict(zip(ROLES, self._values(), strict=False))

    @property
    def fired(self) -> bool:
        return bool(self._values()[_FIRED])

    def _values(self) -> tuple[int, ...]:
        return struct.unpack("8Q", self.file.read_bytes())
