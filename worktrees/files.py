"""Names and contents of committed and tracked files, asked of git; nothing is written, nothing checked out.

Paths are text with ``surrogateescape``: a name need not be UTF-8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worktrees.errors import UnknownRevisionError
from worktrees.git import branch_reference

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git

_REGULAR: Final = (b"100644", b"100755")


def tracked_files(git: Git, top: Path) -> list[str]:
    """Every path in the index of the worktree at ``top``, sorted, submodules as one path each."""
    return sorted(set(git.run("ls-files", "-z", at=top).records))


def files_at(git: Git, revision: str) -> list[str]:
    """Every path in the tree of ``revision``; raises :class:`UnknownRevisionError`."""
    commit = commit_of(git, revision)
    return git.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).records


def commit_of(git: Git, revision: str) -> str:
    """The full id of the commit that ``revision`` names; raises :class:`UnknownRevisionError`."""
    if not revision or "\0" in revision:
        raise UnknownRevisionError(revision)
    asked = f"{revision}^{{commit}}"
    found = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", asked, ok=())
    if found.status != 0 or not found.text:
        raise UnknownRevisionError(revision)
    return found.text


def tip_of(git: Git, branch: str) -> str | None:
    """The commit at the tip of a local branch, or None when there is no such branch."""
    reference = branch_reference(branch)
    return git.run("rev-parse", "--verify", "--quiet", reference, ok=(0, 1)).text or None


def committed_file(git: Git, commit: str, path: str) -> bytes | None:
    """The content of the regular file at ``path`` in ``commit``; None when there is none (a link is none)."""
    listed = git.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path).output
    for record in listed.split(b"\0"):
        meta, _, name = record.partition(b"\t")
        if name == path.encode("utf-8", "surrogateescape") and meta.split(b" ")[0] in _REGULAR:
            return git.run("cat-file", "blob", meta.split(b" ")[2].decode("ascii")).output
    return None
