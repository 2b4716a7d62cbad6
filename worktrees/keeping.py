"""Files outside of any worktree, kept as a commit."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.scratch import scratch_folder, store_files
from worktrees.state import index_variables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worktrees.git import Git


def commit_of_folder(git: Git, folder: Path, paths: Sequence[str], message: str) -> str:
    """A commit without parents of ``paths`` (files and links below ``folder``); the bytes that are on disk.

    Dated by the newest file: the same files give the same commit. Nothing refers to it yet. Raises
    :class:`OSError`, :class:`GitFailedError`.
    """
    about = {path: os.lstat(folder / path) for path in paths}
    files = [path for path in paths if stat.S_ISREG(about[path].st_mode)]
    with step("keeping.files"):
        objects = dict(zip(files, store_files(git, folder, files), strict=True))
        for path in paths:
            if stat.S_ISLNK(about[path].st_mode):
                target = os.fsencode(os.readlink(folder / path))  # noqa: PTH115 - bytes, whatever they are
                words = ("hash-object", "-w", "--stdin")
                objects[path] = git.run(*words, stdin=target, writes=True).text
    lines = [f"{_mode(about[path])} {object_} 0\t{path}" for path, object_ in objects.items()]
    with scratch_folder(git) as scratch, step("keeping.commit"):
        extra = index_variables(scratch / "index")
        data = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
        git.run("update-index", "-z", "--index-info", stdin=data, extra=extra, writes=True)
        tree = git.run("write-tree", extra=extra, writes=True).text
        newest = int(max(found.st_mtime for found in about.values()))
        dated = {f"GIT_{who}_DATE": f"@{newest} +0000" for who in ("AUTHOR", "COMMITTER")}
        return git.run("commit-tree", tree, "-m", message, extra=dated, writes=True).text


def _mode(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "120000"
    return "100755" if found.st_mode & 0o111 else "100644"
