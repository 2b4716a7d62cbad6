"""planctl's pre-commit hook in the repository's own hooks folder, and nowhere else.

A hook of the user's is never written to, moved or wrapped; nor is a folder that ``core.hooksPath`` names
(husky's is tracked, a global one is shared by all repositories). So taking the hook out is deleting one file
whose bytes, by the hash in its second line, are those that planctl wrote; a changed one is the user's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import sys
from typing import TYPE_CHECKING, Final

from plans.effects import create_atomic, step, write_atomic
from worktrees.errors import HookInTheWayError
from worktrees.pointer import FILE, FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.repository import Repository

REFUSED: Final = 7
"""The entry's exit status for a commit that is refused: nothing that is broken ends so."""
_ENTRY: Final = "import gc; gc.disable(); from orchestrator.cli.precommit import end; end()"
"""Without the collector 10 ms of 120 are saved: all that is loaded stays until the end."""
_MADE: Final = b"# The folder was made for it.\n"
_MARK: Final = b"#!/bin/sh\n# planctl: sha256 of what follows: "
_SCRIPT: Final = f"""\
# Compares what is committed in a plan's worktree with what plans declared; elsewhere it does nothing.
# When planctl is missing or broken it says so and lets the commit through.
[ -f {FOLDER}/{FILE} ] || exit 0
python={{python}}
said=$(git diff --cached --name-only --no-renames --no-ext-diff -z |
    "$python" -P -c '{_ENTRY}' 2>/dev/null)
case $? in
0) [ -z "$said" ] || printf '%s\\n' "$said" >&2 ;;
{REFUSED}) printf '%s\\n' "$said" >&2; exit 1 ;;
*) echo 'planctl could not be asked; this commit was not compared with its plan' >&2 ;;
esac
exit 0
"""


def hook_script(*, made_folder: bool = False) -> bytes:
    """The hook, which asks the planctl that wrote it."""
    body = _SCRIPT.format(python=shlex.quote(sys.executable)).encode("utf-8", "surrogateescape")
    body = (_MADE if made_folder else b"") + body
    return _MARK + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def hook_path(repository: Repository) -> Path:
    """The only place that planctl writes a hook to."""
    return repository.common_dir / "hooks" / "pre-commit"


def install_hook(git: Git) -> Path:
    """Write the hook and return its path; again where planctl's stands already.

    Raises :class:`HookInTheWayError` when a hook of the user's is there, or git looks for hooks elsewhere.
    """
    path = hook_path(git.repository)
    stand = git.repository.top or git.repository.common_dir
    said = git.run("rev-parse", "--git-path", "hooks", at=stand, hooks=True).output.rstrip(b"\n")
    looked_for = stand / os.fsdecode(said)
    if looked_for.resolve() != path.parent:
        raise HookInTheWayError(looked_for, "is where core.hooksPath has git look for hooks")
    made_folder = not path.parent.is_dir()
    with step("hooks.install"):
        path.parent.mkdir(exist_ok=True)
        if not create_atomic(path, hook_script(made_folder=made_folder)):
            content = _own(path)
            if content is None:
                raise HookInTheWayError(path, "is there already")
            write_atomic(path, hook_script(made_folder=_MADE in content))
        path.chmod(0o755)
    return path


def uninstall_hook(repository: Repository) -> bool:
    """Take planctl's hook away, and its folder if it was made for it; whether there was one."""
    path = hook_path(repository)
    content = _own(path)
    if content is None:
        return False
    with step("hooks.uninstall"):
        path.unlink()
        if _MADE in content:
            with contextlib.suppress(OSError):  # somebody's hooks are in it by now
                path.parent.rmdir()
    return True


def altered_hook(repository: Repository) -> Path | None:
    """planctl's hook if somebody has changed it: it is theirs now, and stays."""
    path = hook_path(repository)
    content = _read(path)
    return path if content.startswith(_MARK) and _own(path) is None else None


def _own(path: Path) -> bytes | None:
    """The content if it is as planctl wrote it."""
    content = _read(path)
    if not content.startswith(_MARK):
        return None
    wanted, _, body = content.removeprefix(_MARK).partition(b"\n")
    return content if hashlib.sha256(body).hexdigest().encode() == wanted else None


def _read(path: Path) -> bytes:
    if path.is_symlink():  # the user's, wherever it leads
        return b""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return b""
