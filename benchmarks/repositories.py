"""Synthetic repositories of modest size, made with git alone."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import run

FOLDERS = 25
FILES = 40
LINES = 40


def make_repository(path: Path) -> Path:
    """1,000 files in 25 folders, one commit on ``main``, which is checked out."""
    path.mkdir(parents=True)
    for folder in range(FOLDERS):
        place = path / f"src/part{folder:02}"
        place.mkdir(parents=True)
        for number in range(FILES):
            lines = "".join(f"value_{number}_{line} = {line}\n" for line in range(LINES))
            (place / f"file{number:02}.py").write_text(lines, encoding="utf-8")
    git(path, "init", "-q", "-b", "main")
    for key, value in {"user.name": "Bench", "user.email": "bench@example.invalid", "gc.auto": "0"}.items():
        git(path, "config", key, value)
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "start")
    return path


def git(path: Path, *arguments: str) -> str:
    return run(["git", *arguments], path).strip()


def make_branches(path: Path, count: int) -> list[str]:
    """Branches from ``main``, each with one commit that edits one file and adds another."""
    names = [f"work/{number:02}" for number in range(count)]
    for number, name in enumerate(names):
        git(path, "checkout", "-q", "-b", name, "main")
        edited = path / f"src/part{number % FOLDERS:02}/file{number % FILES:02}.py"
        edited.write_text(edited.read_text(encoding="utf-8") + f"added = {number}\n", encoding="utf-8")
        (path / f"src/part{number % FOLDERS:02}/new{number}.py").write_text("new = True\n", encoding="utf-8")
        git(path, "add", "-A")
        git(path, "commit", "-q", "-m", f"work {number}")
    git(path, "checkout", "-q", "main")
    return names
