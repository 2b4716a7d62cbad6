"""Synthetic repositories, made by ``git fast-import`` in seconds and kept in a cache folder to be copied.

A tree of ``folders`` folders, four deep, with ``files`` files each: text of forty lines, some folders with a
``.gitignore``, attributes at the top, some history. Branches of one commit edit one file and add another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import environment, run

LINES = 40
HISTORY = 100
WHO = "Bench <bench@example.invalid>"


@dataclass(frozen=True)
class Shape:
    """How large a repository is: ``folders`` of ``files`` files, and how many branches there are."""

    name: str
    folders: int
    files: int
    branches: int

    @property
    def size(self) -> int:
        return self.folders * self.files


SMALL = Shape("small", 10, 20, 200)
LARGE = Shape("large", 2000, 40, 200)


def copy_of(shape: Shape, cache: Path, place: Path, *, checkout: str | None = "main") -> Path:
    """A fresh repository of that shape at ``place``, with ``checkout`` checked out, or nothing at all."""
    source = _made(shape, cache)
    place.mkdir(parents=True)
    shutil.copytree(source, place / ".git")
    git(place, "config", "core.bare", "false")
    git(place, "symbolic-ref", "HEAD", f"refs/heads/{checkout or 'elsewhere'}")
    if checkout:
        git(place, "reset", "-q", "--hard")
    return place


def _made(shape: Shape, cache: Path) -> Path:
    """The cached bare repository, made when it is not there; a making that was killed leaves nothing."""
    name = f"{shape.name}-{shape.folders}-{shape.files}-{shape.branches}-{HISTORY}.git"
    place = cache / name
    if place.is_dir():
        return place
    making = cache / f"{name}.{os.getpid()}"
    making.mkdir(parents=True)
    git(making, "init", "-q", "--bare", "-b", "main")
    for key, value in {
        "user.name": "Bench",
        "user.email": "bench@example.invalid",
        "gc.auto": "0",
        "maintenance.auto": "false",
    }.items():
        git(making, "config", key, value)
    with subprocess.Popen(
        ["git", "fast-import", "--quiet", "--done"], cwd=making, env=environment(), stdin=subprocess.PIPE
    ) as importer:
        assert importer.stdin is not None
        for piece in _stream(shape):
            importer.stdin.write(piece)
        importer.stdin.close()
    if importer.returncode:
        raise RuntimeError(f"git fast-import ended with {importer.returncode}")
    git(making, "pack-refs", "--all")
    making.rename(place)
    return place


def folder(number: int) -> str:
    return f"src/area{number // 100:02}/part{number // 10 % 10}/module{number % 10}"


def _stream(shape: Shape) -> Iterator[bytes]:
    yield _commit("refs/heads/main", "start", 0)
    yield _file(".gitattributes", "*.png binary\n*.sh text eol=lf\n")
    yield _file(".gitignore", "build/\n*.pyc\n")
    for place in range(shape.folders):
        if place % 100 == 0:
            yield _file(f"{folder(place)}/.gitignore", "generated/\n")
        for number in range(shape.files):
            yield _file(f"{folder(place)}/file{number:02}.py", _text(place, number))
    for number in range(HISTORY):
        yield _commit("refs/heads/main", f"change {number}", number + 1)
        yield _file(f"docs/note{number % 7}.md", f"note {number}\n")
    yield _branch("refs/heads/elsewhere", "elsewhere", HISTORY + 1)
    yield _file("elsewhere.txt", "elsewhere\n")
    for number in range(shape.branches):
        yield _branch(f"refs/heads/{branch(number)}", f"work {number}", HISTORY + 1)
        place = number * 7 % shape.folders
        file = number // shape.folders % shape.files
        yield _file(f"{folder(place)}/file{file:02}.py", _text(place, file) + f"added = {number}\n")
        yield _file(f"{folder(place)}/new{number}.py", f"new = {number}\n")
    yield b"done\n"


def branch(number: int) -> str:
    return f"work/{number:03}"


def _text(place: int, number: int) -> str:
    return "".join(f"value_{line}_of_{number} = {place * line + number}\n" for line in range(LINES))


def _commit(reference: str, message: str, seconds: int) -> bytes:
    data = message.encode()
    at = 1_700_000_000 + seconds
    return b"commit %s\ncommitter %s %d +0000\ndata %d\n%s\n" % (
        reference.encode(), WHO.encode(), at, len(data), data,
    )  # fmt: skip


def _branch(reference: str, message: str, seconds: int) -> bytes:
    return _commit(reference, message, seconds) + b"from refs/heads/main\n"


def _file(path: str, text: str) -> bytes:
    data = text.encode()
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def git(path: Path, *arguments: str) -> str:
    return run(["git", *arguments], path).strip()
