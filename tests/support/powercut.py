"""A power cut: every file below some folders goes back to what was last synced of it, or to nothing at all.

Names survive (file systems write them in order); content does not, unless somebody has synced it. What was
synced is recorded by a library that is loaded into every process (``synced.c``), by inode.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

from orchestrator.running import supervision
from orchestrator.running.waiting import wait
from tests.support.repo import GitRepo

SOURCE = Path(__file__).with_name("synced.c")
DEAD_WITHIN = 30
COMPILER = shutil.which("cc") if sys.platform == "linux" else None


class Recorder:
    """What was synced since :meth:`begin`; everything that is there at the beginning counts as synced."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.shadow = folder / "shadow"
        self.library = folder / "synced.so"
        self.shadow.mkdir()
        command = [str(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(self.library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """For every process whose syncs are to be recorded."""
        return {"LD_PRELOAD": str(self.library), "PLANCTL_SHADOW": str(self.shadow)}

    def begin(self, *folders: Path) -> None:
        """Take all files there as synced."""
        for path in _files(*folders):
            shutil.copy(path, self.shadow / str(path.stat().st_ino))

    def cut(self, *folders: Path) -> list[Path]:
        """Take every file back to what was synced of it; returns those that lost something."""
        lost = []
        for path in _files(*folders):
            kept = self.shadow / str(path.stat().st_ino)
            synced = kept.read_bytes() if kept.exists() else b""
            if path.read_bytes() != synced:
                path.chmod(path.stat().st_mode | 0o200)
                path.write_bytes(synced)
                lost.append(path)
        return lost


def kill_all(repo: GitRepo) -> None:
    """Nothing that planctl started in the repository lives on: supervisors first, then what they watched."""
    records = repo.path / ".git/planctl/records"
    for record in records.iterdir() if records.exists() else ():
        handle = supervision.find(record)
        if handle is not None:
            supervision.kill_supervisor(handle)
            wait((handle,), threading.Event(), DEAD_WITHIN)  # the kernel ends what it is at first
            supervision.stop_tree(handle, grace=0)


def _files(*folders: Path) -> list[Path]:
    every = (path for folder in folders for path in folder.rglob("*"))
    return [path for path in every if path.is_file() and not path.is_symlink()]
