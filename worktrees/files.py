"""Names and contents of committed and tracked files, asked of git; nothing is written, nothing checked out.

Paths are text with ``surrogateescape``: a name need not be UTF-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.changedpaths import GITLINK
from worktrees.errors import UnknownRevisionError
from worktrees.git import valid_reference

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git

_REGULAR: Final = (b"100644", b"100755")
_SYMLINK: Final = "120000"


@dataclass(frozen=True, slots=True)
class Names:
    """Every path of a tree, sorted; a submodule is one path, and ``files`` has those and links, too."""

    files: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    symlinks: tuple[str, ...] = ()


def tracked_names(git: Git, top: Path) -> Names:
    """What is in the index of the worktree at ``top``."""
    return _names(git.run("ls-files", "--stage", "-z", at=top).records)


def names_at(git: Git, revision: str) -> Names:
    """What is in the tree of ``revision``; raises :class:`UnknownRevisionError`."""
    return _names(git.run("ls-tree", "-r", "-z", "--full-tree", commit_of(git, revision)).records)


def _names(records: list[str]) -> Names:
    """Of records ``MODE … TAB PATH``; a path that is being merged has several."""
    modes = {path: entry[:6] for entry, _, path in (record.partition("\t") for record in records)}
    files = tuple(sorted(modes))
    submodules, symlinks = (
        tuple(path for path in files if modes[path] == mode) for mode in (GITLINK, _SYMLINK)
    )
    return Names(files, submodules, symlinks)


def commit_of(git: Git, revision: str) -> str:
    """The full id of the commit that ``revision`` names; raises :class:`UnknownRevisionError`."""
    if not revision or "\0" in revision:
        raise UnknownRevisionError(revision)
    asked = f"{revision}^{{commit}}"
    found = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", asked, ok=())
    if found.status != 0 or not found.text:
        raise UnknownRevisionError(revision)
    return found.text


def tip_of(git: Git, reference: str) -> str | None:
    """The commit that a reference, by its full name, points at; None when there is no such reference."""
    valid_reference(reference)
    return git.run("rev-parse", "--verify", "--quiet", reference, ok=(0, 1)).text or None


def committed_file(git: Git, commit: str, path: str) -> bytes | None:
    """The content of the regular file at ``path`` in ``commit``; None when there is none (a link is none)."""
    listed = git.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path).output
    for record in listed.split(b"\0"):
        meta, _, name = record.partition(b"\t")
        if name == path.encode("utf-8", "surrogateescape") and meta.split(b" ")[0] in _REGULAR:
            return git.run("cat-file", "blob", meta.split(b" ")[2].decode("ascii")).output
    return None
