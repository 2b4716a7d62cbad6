"""HEAD around a restore: when a worktree is still the one that it was made in, and what HEAD is put back to.

A name and a commit do not tell a worktree: another of the same name may stand at the same commit, and a
person may have switched to a branch there. So the journal keeps the text of HEAD, the one that the restore
wants, and a sign of the git folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plans.effects import step, sync_files, sync_folder
from worktrees.symbolic import read_text

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.restorejournal import Journal


def head_text(git_dir: Path) -> str:
    """What HEAD says, without the line's end; a link as the text that it stands for."""
    head = git_dir / "HEAD"
    return f"ref: {head.readlink()}" if head.is_symlink() else read_text(head) or ""


def sign_of(git_dir: Path) -> int:
    """Another for each linked worktree: git writes this file once, when it adds one; 0 for the main one."""
    file = git_dir / "commondir"
    return file.stat().st_mtime_ns if file.is_file() else 0


def why_not(git: Git, journal: Journal, into: Path) -> str:
    """Why the worktree is not the restore's any more; empty where it is."""
    git_dir = Path(journal.git_dir)
    if not git_dir.is_dir() or not into.is_dir() or sign_of(git_dir) != journal.sign:
        return "the worktree is gone"
    text, former = head_text(git_dir), journal.commits[0]
    if text == journal.head:
        return "" if _commit(git, into, "HEAD") == former else "HEAD stands on another commit by now"
    if text not in (journal.wanted, former):
        return "HEAD stands somewhere else by now"
    if former is None and _commit(git, into, _branch(journal)) is not None:
        return f"{_branch(journal)} has been made since"
    return ""


def put_head_back(git: Git, journal: Journal, into: Path, folder: Path) -> str:
    """In one rename: without a HEAD this would be no repository. :func:`why_not` was asked before.

    Onto its branch only if that still stands where it did, else detached: files and index are those of the
    commit before. Returns that branch then, else nothing.
    """
    git_dir, former, branch = Path(journal.git_dir), journal.commits[0], _branch(journal)
    text = head_text(git_dir)
    if text == journal.head:
        return ""
    has_moved = bool(branch) and _commit(git, into, branch) != former
    new = str(former) if has_moved or text != journal.wanted else journal.head
    if new != text:
        draft = folder / "HEAD.new"
        with step("restore.head_back"):
            draft.write_text(f"{new}\n", encoding="utf-8", errors="surrogateescape")
            sync_files(draft)
            draft.replace(git_dir / "HEAD")
            sync_folder(git_dir)
    return branch if has_moved else ""


def _branch(journal: Journal) -> str:
    return journal.head.removeprefix("ref:").strip() if journal.head.startswith("ref:") else ""


def _commit(git: Git, into: Path, name: str) -> str | None:
    words = ("rev-parse", "-q", "--verify", "--end-of-options", name)
    return git.run(*words, at=into, ok=(0, 1)).text or None
