"""``run-multi`` on a real repository, and what it said."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from tests.support.process import Done, run
from tests.support.repo import GitRepo


def multi(repo: GitRepo, *arguments: str, code: int = 0, **more: Any) -> Done:
    done = run("run-multi", "--json", *arguments, cwd=repo.path, **more)
    assert done.code == code, f"{done.code}\n{done.out}\n{done.err}"
    return done


def ending(done: Done) -> dict[str, list[str]]:
    last = done.events[-1]
    assert last["event"] == "run.finished"
    return {key: last[key] for key in ("landed", "failed", "skipped", "finished") if last[key]}


def of(done: Done, event: str, plan: str) -> list[dict[str, Any]]:
    return [e for e in done.events if e["event"] == event and e.get("plan") == plan]


def fingerprint(folder: Path) -> str:
    """Every name, kind, mode, time of modification and byte below ``folder``."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        found.update(f"{path.relative_to(folder)}\0{about.st_mode}\0{about.st_mtime_ns}\0".encode())
        if path.is_symlink():
            found.update(os.fsencode(path.readlink()))
        elif path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()


def outputs(repo: GitRepo, plan: str) -> Path:
    return repo.path / ".git" / "planctl" / "outputs" / plan
