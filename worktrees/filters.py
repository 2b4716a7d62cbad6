"""Filters that git needs for a checkout and that cannot be run, found before anything starts.

git ends a checkout in which a file needs a ``filter.NAME.process``, or a filter that is ``required``, whose
program is not there (git-lfs that is not installed). Only what is plain is found: a command whose first word
is the name of a program.
"""

from __future__ import annotations

import re
import shlex
import shutil
from typing import TYPE_CHECKING, Final

from worktrees.attributes import folder_for
from worktrees.coreconfig import is_true
from worktrees.errors import FilterMissingError

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.objects import Objects
    from worktrees.settings import Settings

_PLAIN: Final = re.compile(r"[\w.+-]+|/[\w.+/-]+")
_SHELL: Final = frozenset({"if", "for", "while", "case", "test", "echo", "printf", "exec", "eval", "cd", "."})


def require_filters(git: Git, objects: Objects, commit: str) -> None:
    """Raise :class:`FilterMissingError` when files of ``commit`` cannot be checked out for want of a program.

    No process is started where every program that some filter requires is there.
    """
    missing = {
        name: program for name, program in _needed(objects.settings).items() if not _is_there(git, program)
    }
    if not missing:
        return
    git.ensure_desk()
    paths = "".join(f"{path}\0" for path in objects.paths(commit)).encode("utf-8", "surrogateescape")
    folder = folder_for(objects, commit)
    answer = git.run("check-attr", "-z", "--stdin", "filter", stdin=paths, work_tree=folder).records
    for path, name in zip(answer[::3], answer[2::3], strict=True):
        if name in missing:
            raise FilterMissingError(name, missing[name], path)


def _needed(settings: Settings) -> dict[str, str]:
    """Name to command of each filter that ends a checkout where it fails, as git would run it.

    A ``process`` that cannot be started is the end of git, required or not.
    """
    process, smudge = settings.named("filter", "process"), settings.named("filter", "smudge")
    required = (name for name, value in settings.named("filter", "required").items() if is_true(value))
    return {name: smudge.get(name, "") for name in required} | process


def _is_there(git: Git, command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        return True  # the shell's business
    if not words:
        return False
    if words[0] in _SHELL or not _PLAIN.fullmatch(words[0]):
        return True
    return bool(shutil.which(words[0]) or shutil.which(words[0], path=git.run("--exec-path").text))
