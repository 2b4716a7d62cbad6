"""What is asked of planctl in an odd repository: it works, or it refuses and no byte has changed."""

from __future__ import annotations

import hashlib
import re
import stat
from typing import TYPE_CHECKING

from tests.support.plans import landings
from tests.support.process import Done, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.repo import GitRepo

TWO: dict[str, dict[str, object]] = {
    "a": {"files": {"write": ["one"]}, "run": "echo a > one"},
    "b": {"files": {"write": ["two"]}, "run": "echo b > two"},
}


def condition(repo: GitRepo) -> tuple[str, str]:
    """Every reference, and what the checkout shows."""
    inside = repo.git("rev-parse", "--is-inside-work-tree", ok=False) == "true"
    shown = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "status.showUntrackedFiles=all")
    status = repo.git(*shown, "status", "--porcelain", "--ignored", "-z") if inside else ""
    return repo.git("for-each-ref", ok=False), status


def require_works(place: GitRepo, *plans: str, target: str = "main") -> Done:
    """Run the plans where ``place`` is; they land, and the checkout shows what it showed."""
    plans = plans or ("a", "b")
    before = condition(place)[1]
    done = run("run-multi", *plans, "--json", cwd=place.path)
    assert done.code == 0, done.out + done.err
    assert sorted(landings(place, f"refs/heads/{target}")) == sorted(plans)
    assert condition(place)[1] == before, "the user's checkout is as it was"
    assert not (place.path / ".git/ran").exists(), "no hook ran"
    return done


def require_refused(root: Path, place: GitRepo, arguments: tuple[str, ...], said: str) -> None:
    """One line says why, exit 2, and nothing below ``root`` has changed but planctl's own folder."""
    before = every_byte(root)
    done = run(*arguments, cwd=place.path)
    assert (done.code, "Traceback" in done.err) == (2, False), done.err
    assert said in done.err + done.out
    assert not re.search(r"unexpected|fault", done.err)
    assert every_byte(root) == before


def every_byte(root: Path) -> dict[str, str]:
    """Path to mode and content of everything below, without planctl's own folder in a git folder."""
    found: dict[str, str] = {}
    rest = [root]
    while rest:
        folder = rest.pop()
        inside = {path.name: path for path in folder.iterdir()}
        if "HEAD" in inside:
            inside.pop("planctl", None)
        for path in inside.values():
            mode = path.lstat().st_mode
            found[str(path)] = f"{stat.filemode(mode)} {_content(path, mode)}"
            if stat.S_ISDIR(mode):
                rest.append(path)
    return found


def _content(path: Path, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(mode) else ""
