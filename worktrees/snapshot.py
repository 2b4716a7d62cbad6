"""From a survey to the objects of a snapshot, and the proof that it holds every byte.

A snapshot is a commit whose tree is what ``git add -A`` would make of the worktree, so that git's own
commands work on it. Its parents are, in this order: the HEAD commit (absent when unborn), a commit of the
index's own tree, and a commit with what trees cannot say: ``notes.json``, ``raw/<path>`` for every file
whose bytes are not those of the tree (clean filters, line endings), ``operation/<file>`` for a merge or
rebase in progress. Whoever restores writes ``raw/<path>`` or else the tree's object, never a filter's
output: that is what makes it byte for byte. (Storing raw bytes in the tree itself was the other design;
then every diff and cherry-pick of a rescue in a CRLF or LFS repository would be noise.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.errors import RescueIncompleteError
from worktrees.listing import GITLINK
from worktrees.notes import NAME, Notes
from worktrees.ondisk import OnDisk, look
from worktrees.operation import named_commits
from worktrees.scratch import ScratchIndex, store_files
from worktrees.state import ChangeKind, status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from worktrees.capture import Survey
    from worktrees.git import Git

SIDES = {1: "base", 2: "ours", 3: "theirs"}
MERGED = "merged"
_IDENTITY = {
    "GIT_AUTHOR_NAME": "planctl",
    "GIT_AUTHOR_EMAIL": "planctl@localhost",
    "GIT_COMMITTER_NAME": "planctl",
    "GIT_COMMITTER_EMAIL": "planctl@localhost",
}
"""A rescue must work where the user has no identity configured."""


def make_snapshot(git: Git, found: Survey, message: str) -> str:
    """Write the snapshot of what was found; return its commit, which nothing references yet.

    Raises :class:`RescueIncompleteError` when the proof fails, :class:`GitFailedError`, :class:`OSError`.
    """
    worktree, folder = found.worktree, found.index.path.parent
    base = _revision(git, worktree, "HEAD")
    with step("rescue.objects"):
        index_tree = _index_tree(git, found, folder)
        tree = _worktree_tree(found)
        held = tree_entries(git, tree)
        disk = _proven(git, found, held)
        raw = [p for p, d in disk.items() if d is not None and not d.is_link and held[p][1] != d.object]
        stored = dict(zip(raw, store_files(git, worktree, raw), strict=True))
        for path, oid in stored.items():
            _require(found, path, held=oid == _require_object(disk[path]))
        notes = _notes(git, found, base, disk)
        extra_tree = _extra_tree(git, found, folder, stored, notes)
        named = named_commits(git, found.git_dir, found.operation_files, found.references)
        start = [base] if base else []
        index_commit = _commit(git, index_tree, start, "index of a planctl rescue")
        extra_commit = _commit(git, extra_tree, named, "notes of a planctl rescue")
        return _commit(git, tree, [*start, index_commit, extra_commit], message)


def _revision(git: Git, worktree: Path, name: str) -> str | None:
    return git.run("rev-parse", "-q", "--verify", f"{name}^{{commit}}", at=worktree, ok=(0, 1)).text or None


def _commit(git: Git, tree: str, parents: Sequence[str], message: str) -> str:
    flags = [flag for parent in parents for flag in ("-p", parent)]
    data = message.encode("utf-8", "surrogateescape")
    return git.run("commit-tree", tree, *flags, stdin=data, writes=True, extra=_IDENTITY).text


def _index_tree(git: Git, found: Survey, folder: Path) -> str:
    """The index's own tree; unmerged: a tree of folders, one for each side and one for what is merged."""
    staged = ScratchIndex.copy(git, found.worktree, found.git_dir / "index", folder / "staged")
    stages = found.listing.unmerged
    if not stages:
        return staged.write_tree()
    none = "0" * len(stages[0].object)
    staged.set_entries(f"0 {none} 0\t{path}" for path in {stage.path for stage in stages})
    merged = staged.write_tree()
    sides = ScratchIndex(git, found.worktree, folder / "sides")
    sides.set_entries(f"{s.mode} {s.object} 0\t{SIDES[s.stage]}/{s.path}" for s in stages)
    sides.run("read-tree", f"--prefix={MERGED}/", merged)
    return sides.write_tree()


def _worktree_tree(found: Survey) -> str:
    """Everything on disk, as git would commit it."""
    # A mixed file under core.safecrlf would be refused; its bytes are kept raw.
    add = ("-c", "core.safecrlf=false", "add", "--sparse", "--ignore-errors")
    found.index.run(*add, "-A")
    if found.ignored:
        data = "".join(f"{path}\0" for path in found.ignored).encode("utf-8", "surrogateescape")
        found.index.run(*add, "-f", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=data, literal=True)
    return found.index.write_tree()


def tree_entries(git: Git, tree: str) -> dict[str, tuple[str, str]]:
    """Path to (mode, object) of every file in ``tree``."""
    records = git.run("ls-tree", "-r", "-z", "--full-tree", tree).records
    split = (record.split("\t", 1) for record in records)
    return {path: (meta.split(" ")[0], meta.split(" ")[2]) for meta, path in split}


def _proven(git: Git, found: Survey, entries: Mapping[str, tuple[str, str]]) -> dict[str, OnDisk | None]:
    """Look at the disk again, not through git, and compare; return what every kept path holds."""
    own = found.git_dir / "index"
    unhidden = ScratchIndex.copy(git, found.worktree, own, found.index.path.with_name("proof"))
    unhidden.unhide(found.listing)
    now = {change.path for change in status(git, found.worktree, unhidden.path)}
    disk: dict[str, OnDisk | None] = {}
    left_out_paths = frozenset(found.listing.skipped)  # by a sparse checkout: in the index alone
    for path in sorted({*now, *found.paths}):
        entry = entries.get(path)
        if entry is not None and entry[0] == GITLINK:
            _require(found, path, held=_revision(git, found.worktree / path, "HEAD") == entry[1])
            continue
        disk[path] = on_disk = look(found.worktree, path)
        left_out = on_disk is None and path in left_out_paths
        _require(found, path, held=left_out or _agrees(on_disk, entry))
    return disk


def _agrees(disk: OnDisk | None, entry: tuple[str, str] | None) -> bool:
    if disk is None or entry is None:
        return disk is None and entry is None
    if disk.is_link:
        return entry == (disk.mode, disk.object)
    return entry[0] in {"100644", "100755"}  # the bytes are compared where they are stored, see raw


def _require(found: Survey, path: str, *, held: bool) -> None:
    if not held:
        raise RescueIncompleteError(found.worktree, f"{path} is not in the snapshot as it is on disk")


def _require_object(disk: OnDisk | None) -> str:
    assert disk is not None
    return disk.object


def _notes(git: Git, found: Survey, base: str | None, disk: dict[str, OnDisk | None]) -> Notes:
    head = git.run("symbolic-ref", "-q", "HEAD", at=found.worktree, ok=(0, 1)).text
    files = {path: d.permissions for path, d in disk.items() if d is not None and not d.is_link}
    return Notes(
        base=base,
        head=head or None,
        operation=found.operation,
        paths=tuple(sorted({*disk, *found.paths})),
        permissions=files,
        intended=tuple(c.path for c in found.changes if c.xy == ".A" and c.kind is ChangeKind.TRACKED),
        assumed=found.listing.assumed,
        skipped=found.listing.hidden(found.worktree),
        unmerged=bool(found.listing.unmerged),
        references=found.references,
    )


def _extra_tree(git: Git, found: Survey, folder: Path, raw: dict[str, str], notes: Notes) -> str:
    extra = ScratchIndex(git, found.worktree, folder / "extra")
    operation = zip(
        found.operation_files, store_files(git, found.git_dir, found.operation_files), strict=True
    )
    text = git.run("hash-object", "-w", "--stdin", stdin=notes.encoded(), writes=True).text
    extra.set_entries(
        [
            f"100644 {text} 0\t{NAME}",
            *(f"100644 {oid} 0\traw/{path}" for path, oid in raw.items()),
            *(f"100644 {oid} 0\toperation/{path}" for path, oid in operation),
        ]
    )
    return extra.write_tree()
