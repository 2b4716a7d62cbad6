"""A slot used again; the order of the steps is what keeps work from being lost.

1. the caller ends every process of the slot, and **rescues**. The rescue comes before operations in progress
   are ended, not after: it stores the unmerged index with all its stages, which ending a merge throws away
2. ``quiesce``: refuses while a commit is only in this slot; ends merge, rebase, cherry-pick, revert, am and
   bisect by taking their files away (``--abort`` would check out, run hooks, or push an autostash onto the
   user's stash); takes locks of dead git children away
3. ``recycle``: settings of the worktree reset, tracked files brought to the new commit, HEAD detached
4. what no rescue has, because the old commit ignored it, is handed to ``before_clean``: before the checkout
   what that would write over, after it what the new ``.gitignore`` no longer ignores; then
   untracked files deleted under the **new** ``.gitignore``; ignored caches stay unless asked otherwise;
   a nested repository is never deleted: it is refused before anything is touched, and again afterwards
5. references of the worktree alone deleted, submodules, copies and links brought up to date

``tidy`` does 2 to 4 when a slot is released and leaves a stamp; where the caller has seen that nothing but
the commit's own files is there, by bringing forward what differs (``forward.py``). A stamped slot needs only
the checkout when it is taken again, or only what differs, and step 4 only if a ``.gitignore`` differs: that
is what makes a warm slot fast. The stamp is taken off first: a slot whose reuse was killed is done in full.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.bring import bring
from worktrees.errors import GitFailedError, ProvisioningError, RescueIncompleteError
from worktrees.forward import bring_forward
from worktrees.parked import require_parked
from worktrees.pointer import clear_pointer
from worktrees.provision import checkout
from worktrees.removal import delete_tree
from worktrees.slot import require_intact, run_in
from worktrees.slotlocks import remove_branch_lock
from worktrees.sparse import reset_settings
from worktrees.submodules import drop_vanished, update_submodules
from worktrees.symbolic import head_of
from worktrees.unsaved import overwritten, untracked

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from worktrees.git import Git
    from worktrees.slot import SlotOptions, SlotTree

_STAMP: Final = "planctl-tidy"
_IN_PROGRESS: Final = (
    "MERGE_HEAD", "MERGE_MODE", "MERGE_MSG", "MERGE_RR", "MERGE_AUTOSTASH", "SQUASH_MSG", "AUTO_MERGE",
    "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "ORIG_HEAD", "FETCH_HEAD",
    "BISECT_LOG", "BISECT_START", "BISECT_TERMS", "BISECT_NAMES", "BISECT_EXPECTED_REV", "BISECT_RUN",
    "BISECT_ANCESTORS_OK", "BISECT_FIRST_PARENT", "BISECT_HEAD", "NOTES_MERGE_PARTIAL", "NOTES_MERGE_REF",
    "rebase-merge", "rebase-apply", "sequencer", "NOTES_MERGE_WORKTREE",
    "index.lock", "HEAD.lock", "config.worktree.lock", "MERGE_RR.lock",
)  # fmt: skip


def quiesce(git: Git, tree: SlotTree) -> None:
    """End whatever git operation is in progress, touching neither HEAD nor index nor files.

    The caller has rescued the slot and none of its processes lives. Raises :class:`RescueIncompleteError`
    when the slot is damaged, or holds a commit that no reference outside it reaches. Harmless to repeat.
    """
    require_intact(tree)
    require_parked(git, tree)
    remove_branch_lock(git, tree.git_dir)  # before the lock on HEAD, which is what proves it
    for name in _IN_PROGRESS:
        delete_tree(tree.git_dir / name)


def tidy(git: Git, tree: SlotTree, commit: str, options: SlotOptions, *, spotless: bool = False) -> None:
    """At release, after the rescue: leave the slot clean at ``commit``, ready to be taken fast.

    The nearer ``commit`` is to the next base, the better: the target's tip is a good choice. ``spotless``:
    the caller has just seen that it is (:func:`worktrees.forward.is_spotless`). Raises
    :class:`RescueIncompleteError` (quarantine it) or :class:`ProvisioningError` (it is broken).
    """
    try:
        plain = options.reuse_caches and not options.sparse
        if not (spotless and plain and _brought_back(git, tree, commit)):
            _settle(git, tree, commit, options)
        with step("reuse.stamp"):
            (tree.git_dir / _STAMP).write_text(f"{commit}\n", encoding="ascii")
    except (GitFailedError, OSError) as error:
        raise _broken(tree, error) from error


def _brought_back(git: Git, tree: SlotTree, commit: str) -> bool:
    quiesce(git, tree)
    clear_pointer(tree.path)
    return bring_forward(git, tree, commit)


def recycle(git: Git, tree: SlotTree, commit: str, options: SlotOptions, *, spotless: bool = False) -> None:
    """Steps 2 to 5 for a slot that was rescued or is tidy: detached at ``commit``, clean, complete.

    ``spotless``: the caller has just seen that nothing was changed or added since :func:`tidy`. Raises
    :class:`RescueIncompleteError` (quarantine it) or :class:`ProvisioningError` (it is broken).
    """
    try:
        sparse = bool(options.sparse) or (tree.git_dir / "config.worktree").exists()
        if _take_stamp(tree) and options.reuse_caches and not sparse:
            _advance(git, tree, commit, options, spotless=spotless)
        else:
            _settle(git, tree, commit, options)
        if options.submodules:
            update_submodules(git, tree)
        bring(git, tree, copy=options.copy, link=options.link)
    except (GitFailedError, OSError) as error:
        raise _broken(tree, error) from error


def recycle_for_check(
    git: Git, tree: SlotTree, commit: str, keep: Sequence[str], options: SlotOptions
) -> None:
    """Make a check slot exactly ``commit``: full, never sparse, nothing else in it but what ``keep`` names.

    ``keep`` are gitignore patterns (``check_keep``). A stale build folder has made a red tree green, so
    ignored files and nested repositories go, too: nobody works in a check slot. Raises
    :class:`ProvisioningError`, or :class:`RescueIncompleteError` for a damaged slot.
    """
    require_intact(tree)
    try:
        for name in _IN_PROGRESS:
            delete_tree(tree.git_dir / name)
        reset_settings(git, tree, ())
        drop_vanished(git, tree, commit)
        checkout(git, tree, commit)
        with step("reuse.clean"):
            run_in(git, tree, "clean", "-q", "-ffdx", *(f"--exclude={pattern}" for pattern in keep))
        delete_tree(tree.git_dir / "refs")
        if options.submodules:
            update_submodules(git, tree, clean=True)
        bring(git, tree, copy=options.copy, link=options.link)
    except (GitFailedError, OSError) as error:
        raise _broken(tree, error) from error


def _settle(git: Git, tree: SlotTree, commit: str, options: SlotOptions) -> None:
    quiesce(git, tree)
    clear_pointer(tree.path)
    reset_settings(git, tree, options.sparse)
    _open_folders(tree)
    rescued = require_no_nested(git, tree)
    _save_overwritten(git, tree, commit, options)
    drop_vanished(git, tree, commit)
    checkout(git, tree, commit)
    _save_exposed(git, tree, rescued, options)
    _sweep(git, tree, "-fd" if options.reuse_caches else "-fdx")
    with step("reuse.references"):
        delete_tree(tree.git_dir / "refs")  # those of the worktree alone; all parked, see quiesce


def _open_folders(tree: SlotTree) -> None:
    """Let folders be read and written that a command had closed: git keeps no modes of folders."""
    _open_folder(str(tree.path))
    for root, folders, _ in os.walk(tree.path):
        for name in folders:
            _open_folder(f"{root}/{name}")  # before it is walked into


def _open_folder(path: str) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
        with step("reuse.open"):
            os.chmod(path, stat.S_IMODE(mode) | stat.S_IRWXU)  # noqa: PTH101 - a walk over text


def _advance(git: Git, tree: SlotTree, commit: str, options: SlotOptions, *, spotless: bool) -> None:
    """From a tidy slot: the checkout, and the sweep only where other files are ignored than before."""
    require_intact(tree)
    if spotless and bring_forward(git, tree, commit):
        return
    old = head_of(tree.git_dir)
    _save_overwritten(git, tree, commit, options)
    drop_vanished(git, tree, commit)
    checkout(git, tree, commit)
    if (
        old != commit
        and git.run("diff", "--quiet", old, commit, "--", ":(glob)**/.gitignore", ok=(0, 1)).status
    ):
        _save_exposed(git, tree, (), options)
        _sweep(git, tree, "-fd")


def _save_overwritten(git: Git, tree: SlotTree, commit: str, options: SlotOptions) -> None:
    """Have ignored files kept that the checkout of ``commit`` would write over."""
    lost = overwritten(git, tree, commit) if options.before_clean else ()
    if options.before_clean and lost:
        options.before_clean(tree, lost)


def _save_exposed(git: Git, tree: SlotTree, rescued: Collection[str], options: SlotOptions) -> None:
    """Have files kept that are untracked now and were ignored when the slot was rescued."""
    if options.before_clean and not set(untracked(git, tree)) <= set(rescued):
        options.before_clean(tree, ())


def _sweep(git: Git, tree: SlotTree, force: str) -> None:
    """Delete untracked files. One ``-f`` on purpose: git then passes over nested repositories."""
    with step("reuse.clean"):
        run_in(git, tree, "clean", "-q", force)
    require_no_nested(git, tree)


def require_no_nested(git: Git, tree: SlotTree) -> tuple[str, ...]:
    """Raise :class:`RescueIncompleteError` if a repository lies in the slot that is not ignored.

    Returns the untracked files, which are not.
    """
    found = untracked(git, tree)
    for name in found:
        if name.endswith("/"):  # so git lists what it does not descend into: a repository
            raise RescueIncompleteError(tree.path, f"it holds the nested repository {name!r}")
    return found


def _take_stamp(tree: SlotTree) -> bool:
    """Whether the slot is still as ``tidy`` left it; the stamp is taken off."""
    stamp = tree.git_dir / _STAMP
    try:
        commit = stamp.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return False
    with step("reuse.unstamp"):
        stamp.unlink()
    return commit == head_of(tree.git_dir)


def _broken(tree: SlotTree, error: Exception) -> ProvisioningError:
    return ProvisioningError(tree.path, " ".join(str(error).split()))
