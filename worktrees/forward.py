"""A spotless slot brought to another commit by what differs between the two, without a look at all its files.

``checkout -f`` looks at every file, ``ls-files --others`` walks every folder: on 80,000 files each is a tenth
of a second. Where the caller has just looked and nothing but the commit's own files is there, only what
differs has to be touched: a few paths by ``restore`` (50 ms of processor time there), many by a two-tree
``read-tree``, which goes through the whole index and both trees (180 ms).
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.errors import GitFailedError, RescueIncompleteError
from worktrees.listing import read_listing
from worktrees.nested import find_nested
from worktrees.references import References
from worktrees.slot import require_intact, run_in
from worktrees.state import operation_in, status
from worktrees.symbolic import head_of
from worktrees.unsaved import obstacle

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.slot import SlotTree

_FEW: Final = 50
"""Paths for ``restore``, which compares each of them with each entry of the index."""
_RULES: Final = (".gitignore", ".gitattributes", ".gitmodules")
"""Files that say what is to become of other files."""


def is_spotless(git: Git, tree: SlotTree) -> bool:
    """Whether a slot holds its commit's files as they are there, ignored files, and nothing else.

    No untracked name, an empty folder included; no mark that hides an edit, nothing in progress, no setting
    or reference of the slot alone, no repository inside. Then a rescue would find nothing. False where that
    cannot be told.
    """
    metadata = [tree.git_dir / name for name in ("modules", "config.worktree", "info/sparse-checkout")]
    try:
        require_intact(tree)
        if any(path.exists() for path in metadata) or operation_in(tree.git_dir):
            return False
        if tree.path.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
            return False
        listing = read_listing(git, tree.path)
        marked = listing.unmerged or listing.assumed or listing.skipped or listing.gitlinks
        own = any(path.is_file() for path in (tree.git_dir / "refs").rglob("*"))  # loose files always
        if marked or listing.others or own:
            return False
        lost: dict[str, str] = {}
        return not (find_nested(git, tree.path, listing, lost.setdefault) or lost or status(git, tree.path))
    except (GitFailedError, RescueIncompleteError, OSError):
        return False


def bring_forward(git: Git, tree: SlotTree, commit: str) -> bool:
    """Detach a spotless slot at ``commit``; False where that takes more: then it is still to be done.

    It does where files that rule over others change, where a file is in the way of a new one, and where
    there are submodules.
    """
    if (tree.git_dir / "modules").exists() or (tree.path / ".gitmodules").exists():
        return False
    old = head_of(tree.git_dir)
    if old.startswith("ref: "):
        old = References(git).read(old.removeprefix("ref: ").strip()) or ""
    listed = run_in(
        git,
        tree,
        "diff-tree",
        "-r",
        "-z",
        "--no-renames",
        ALL_SUBMODULES,
        "--name-status",
        old,
        commit,
    ).records
    changed = dict(zip(listed[1::2], listed[::2], strict=True))
    if any(path.rpartition("/")[2] in _RULES for path in changed):
        return False
    if any(obstacle(tree, path) for path, letter in changed.items() if letter == "A"):
        return False
    if changed and not _moved(git, tree, (old, commit), list(changed)):
        return False
    with step("forward.head"):
        run_in(git, tree, "update-ref", "--no-deref", "HEAD", commit)
    return True


def _moved(git: Git, tree: SlotTree, commits: tuple[str, str], paths: list[str]) -> bool:
    """Index and files from one commit to the other, which differ in ``paths``; whether git did it."""
    if len(paths) > _FEW:
        with step("forward.files"):
            return run_in(git, tree, "read-tree", "-m", "-u", *commits, ok=()).status == 0
    named = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    given = ("--pathspec-from-file=-", "--pathspec-file-nul")
    restore = ("--literal-pathspecs", "restore", f"--source={commits[1]}", "--staged", "--worktree", *given)
    with step("forward.files"):
        return run_in(git, tree, *restore, stdin=named, ok=()).status == 0
