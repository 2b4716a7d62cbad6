"""Sparse slots, by git's own ``sparse-checkout``, set before the first checkout.

git keeps a worktree's sparse settings in ``config.worktree`` and enables ``extensions.worktreeConfig`` for
it, moving ``core.bare`` and ``core.worktree`` as needed. planctl leaves that to git and does it only where
``sparse:`` asks for it. The alternative, ``-c core.sparseCheckout`` on planctl's own calls, is undone by the
first ``git checkout`` or ``git reset`` of the plan.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.metadata_lock import metadata_lock
from worktrees.slot import run_in
from worktrees.worktreeconfig import note_config

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.slot import SlotTree

_GLOB: Final = re.compile(r"[*?\[\]\\!]")
_FLAGGED: Final = re.compile(rb"(?:^|\0)([a-zS]) ([^\0]+)")


def set_sparse(
    git: Git, tree: SlotTree, patterns: tuple[str, ...], descriptors: tuple[int, ...] = ()
) -> None:
    """Restrict the slot to ``patterns``; plain folders mean cone mode. Raises :class:`GitFailedError`."""
    if not patterns:
        return
    mode = "--no-cone" if any(_GLOB.search(p) for p in patterns) else "--cone"
    lines = "".join(f"{p}\n" for p in patterns).encode("utf-8", "surrogateescape")
    with metadata_lock(git.repository) as lock, step("sparse.set"):
        note_config(git)  # the first one writes the common configuration
        run_in(
            git, tree, "sparse-checkout", "set", mode, "--stdin", stdin=lines,
            descriptors=(*lock, *descriptors),
        )  # fmt: skip


def reset_settings(git: Git, tree: SlotTree, patterns: tuple[str, ...]) -> None:
    """Undo what a plan set for its worktree alone: ``config.worktree``, sparse patterns, index flags.

    Flags first: a file that is marked assume-unchanged or skip-worktree is passed over by ``checkout -f``.
    """
    _clear_flags(git, tree, sparse=bool(patterns))
    with step("sparse.reset"):
        (tree.git_dir / "config.worktree").unlink(missing_ok=True)
        if not patterns:
            (tree.git_dir / "info" / "sparse-checkout").unlink(missing_ok=True)
    set_sparse(git, tree, patterns)


def _clear_flags(git: Git, tree: SlotTree, *, sparse: bool) -> None:
    listed = run_in(git, tree, "ls-files", "-v", "-z").output
    flagged = _FLAGGED.findall(listed)
    assumed = [path for tag, path in flagged if tag != b"S"]
    skipped = [path for tag, path in flagged if tag in b"Ss" and not sparse]
    for option, paths in (("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)):
        if paths:
            with step("sparse.clear_flags"):
                run_in(git, tree, "update-index", option, "-z", "--stdin", stdin=b"\0".join(paths) + b"\0")
