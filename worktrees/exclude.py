"""planctl's lines in the repository's ``info/exclude``: one marked block, everything else the user's.

``info/exclude`` is shared by all worktrees. A per-slot ``core.excludesFile`` was the other design: it needs
``extensions.worktreeConfig`` in the user's configuration (some tools refuse such a repository, and
``core.bare`` and ``core.worktree`` would have to move), and it would hide the user's own global excludes
from the plan. The block names nothing that is not ignored in the main checkout already (see ``bring``), so
sharing it changes nothing there.

The block says what else was made for it (the file, its folder, the end of a last line that had none), so that
:func:`forget_excludes` leaves everything as it was, byte for byte.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from plans.effects import step, write_atomic
from worktrees.metadata_lock import metadata_lock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from worktrees.repository import Repository

POINTER_FOLDER: Final = "/.planctl/"
_BEGIN: Final = b"# planctl: begin (written by planctl; other lines are yours)"
_END: Final = b"# planctl: end"
_MADE: Final = b"# planctl: made "
_FOLDER, _FILE, _LINE_END = b"the folder", b"the file", b"the end of the line above"


def exclude(repository: Repository, patterns: Collection[str] = ()) -> None:
    """Make sure that the block holds the pointer folder and ``patterns``; lines are only ever added.

    Idempotent and atomic; raises :class:`OSError`.
    """
    wanted = {_encoded(p) for p in (POINTER_FOLDER, *patterns)}
    if wanted <= set(_split(_read(repository))[1]):
        return
    with metadata_lock(repository):
        while True:
            content = _read(repository)
            before, block, after = _split(content)
            made = [] if block else [_MADE + what for what in _to_be_made(repository, content)]
            lines = b"".join(x + b"\n" for x in [*made, *block, *sorted(wanted - set(block))])
            new = before + _BEGIN + b"\n" + lines + _END + b"\n" + after
            if _read(repository) == content:  # else somebody wrote it meanwhile: anew, from what stands there
                _write(repository, new)
                return


def excluded(repository: Repository) -> tuple[str, ...]:
    """The patterns in planctl's block."""
    lines = _split(_read(repository))[1]
    return tuple(x.decode("utf-8", "surrogateescape") for x in lines if not x.startswith(_MADE))


def forget_excludes(repository: Repository) -> None:
    """Take planctl's block out again, for ``uninstall``; the user's lines stay byte for byte."""
    with metadata_lock(repository):
        content = _read(repository)
        if _BEGIN not in content:
            return
        before, block, after = _split(content)
        made = {line.removeprefix(_MADE) for line in block if line.startswith(_MADE)}
        if _LINE_END in made and not after:
            before = before.removesuffix(b"\n")
        if before + after or _FILE not in made:
            _write(repository, before + after)
            return
        with step("exclude.forget"):
            _path(repository).unlink()
        if _FOLDER in made:
            with step("exclude.folder"), contextlib.suppress(OSError):  # something else is in it by now
                _path(repository).parent.rmdir()


def _to_be_made(repository: Repository, content: bytes) -> Iterator[bytes]:
    """What has to be there for the block that is not."""
    path = _path(repository)
    if not path.parent.is_dir():
        yield _FOLDER
    if not path.exists():
        yield _FILE
    if content and not content.endswith(b"\n"):
        yield _LINE_END


def literal_pattern(path: str) -> str | None:
    """The pattern that matches exactly this path from the top, or None where gitignore cannot say it."""
    if "\n" in path or "\r" in path:
        return None
    escaped = "".join(f"\\{c}" if c in "\\*?[" else c for c in path)
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    return f"/{escaped}"


def _path(repository: Repository) -> Path:
    # Resolved: people keep info/exclude as a symbolic link into their dotfiles, and it must stay one.
    return (repository.common_dir / "info" / "exclude").resolve()


def _read(repository: Repository) -> bytes:
    try:
        return _path(repository).read_bytes()
    except FileNotFoundError:
        return b""


def _split(content: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The user's bytes before, the lines of the block, the user's bytes after."""
    start = content.find(_BEGIN)
    end = content.find(_END, start)
    if start < 0 or end < 0:
        before = content if not content or content.endswith(b"\n") else content + b"\n"
        return before, [], b""
    block = content[start + len(_BEGIN) : end].splitlines()
    return content[:start], [line for line in block if line], content[end + len(_END) :].removeprefix(b"\n")


def _write(repository: Repository, content: bytes) -> None:
    path = _path(repository)
    with step("exclude.write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)  # durable: the user's lines are in it


def _encoded(pattern: str) -> bytes:
    return pattern.encode("utf-8", "surrogateescape")
