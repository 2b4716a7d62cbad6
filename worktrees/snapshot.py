"""From a survey to the objects of a snapshot, and the proof that it holds every byte.

A snapshot is a commit whose tree is what ``git add -A`` would make of the worktree, so that git's own
commands work on it. Its parents are, in this order: the HEAD commit (absent when unborn), a commit of the
index's own tree, and a commit with what trees cannot say: ``notes.json``, ``raw/<path>`` for every file
whose bytes are not those of the tree (clean filters, line endings), ``operation/<file>`` for a merge or
rebase in progress, ``aside.json`` and ``aside/<object>`` for what no tree can hold (see aside.py),
``metadata/<file>`` for settings of the worktree, which are kept and not put back. Whoever restores writes
``raw/<path>`` or else the tree's object, never a filter's output: so it is byte for byte. (Storing
raw bytes in the tree itself was the other design; then every diff and cherry-pick of a rescue in a CRLF or
LFS repository would be noise.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.aside import FOLDER, Aside, Found, store
from worktrees.aside import NAME as ASIDE
from worktrees.capture import gather
from worktrees.errors import GitRefusedError
from worktrees.listing import GITLINK
from worktrees.notes import NAME, Notes
from worktrees.ondisk import OnDisk, look
from worktrees.operation import named_commits
from worktrees.scratch import ScratchIndex, store_files
from worktrees.state import ChangeKind, status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from worktrees.capture import Survey, Wanted
    from worktrees.git import Git

SIDES = {1: "base", 2: "ours", 3: "theirs"}
MERGED = "merged"
CHANGED = "it changed while it was captured"
_ADDED = (0, 1)
"""Statuses of ``git add --ignore-errors`` after which the index was written."""
_IDENTITY = {
    "GIT_AUTHOR_NAME": "planctl",
    "GIT_AUTHOR_EMAIL": "planctl@localhost",
    "GIT_COMMITTER_NAME": "planctl",
    "GIT_COMMITTER_EMAIL": "planctl@localhost",
}
"""A rescue must work where the user has no identity configured."""


def make_snapshot(
    git: Git, found: Survey, message: Callable[[], str], inner: Mapping[str, str], wanted: Wanted
) -> str:
    """Write the snapshot of what was found; return its commit, which nothing references yet.

    ``inner`` maps linked worktrees inside to snapshots of them. What turns out not to be in the snapshot as
    it is on disk is added to ``found.lost``. Raises :class:`GitFailedError`, :class:`OSError`.
    """
    worktree, folder = found.worktree, found.index.path.parent
    base = _revision(git, worktree, "HEAD")
    with step("rescue.objects"):
        index_tree = _index_tree(git, found, folder)
        tree = _worktree_tree(found)
        held = tree_entries(git, tree)
        disk, refused = _proven(git, found, held)
        raw = [p for p, d in disk.items() if d is not None and not d.is_link and held[p][1] != d.object]
        stored = dict(zip(raw, store_files(git, worktree, raw), strict=True))
        for path, oid in stored.items():
            _require(found, path, held=oid == _require_object(disk[path]))
        aside = _aside(git, found, [Found(path, worktree / path) for path in refused], wanted)
        aside.worktrees |= inner
        notes = _notes(git, found, base, disk)
        lines = _extra_lines(git, found, stored)
        beside = extra_tree(git, folder, notes, aside, lines)
        named = named_commits(git, found.git_dir, found.operation_files, found.references)
        start = [base] if base else []
        index_commit = commit_tree(git, index_tree, start, "index of a planctl rescue")
        pins = dict.fromkeys((*named, *inner.values()))
        extra_commit = commit_tree(git, beside, [*pins], "notes of a planctl rescue")
        return commit_tree(git, tree, [*start, index_commit, extra_commit], message())


def _aside(git: Git, found: Survey, refused: Sequence[Found], wanted: Wanted) -> Aside:
    """Keep what no tree holds; a second look says whether it held still."""
    gathered = found.gathered
    aside = Aside(store(git, [*gathered.found, *refused], found.lose), [*gathered.embedded])
    again = gather(git, (found.worktree, found.git_dir), found.roots, found.left, wanted)
    if {*again.found} != {*gathered.found}:
        changed = min({*again.found} ^ {*gathered.found}, key=lambda one: one.path)
        found.lose(changed.path, CHANGED)
    for path, reason in gathered.unreadable.items():
        found.lose(path, reason)
    return aside


def _revision(git: Git, worktree: Path, name: str) -> str | None:
    return git.run("rev-parse", "-q", "--verify", f"{name}^{{commit}}", at=worktree, ok=(0, 1)).text or None


def commit_tree(git: Git, tree: str, parents: Sequence[str], message: str) -> str:
    """Make a commit as planctl, for nobody in particular; return it."""
    flags = [flag for parent in parents for flag in ("-p", parent)]
    data = message.encode("utf-8", "surrogateescape")
    return git.run("commit-tree", tree, *flags, stdin=data, writes=True, extra=_IDENTITY).text


def _index_tree(git: Git, found: Survey, folder: Path) -> str:
    """The index's own tree; unmerged: a tree of folders, one for each side and one for what is merged."""
    staged = ScratchIndex.copy(git, found.worktree, found.source, folder / "staged")
    stages = found.listing.unmerged
    if not stages:
        return _written(staged, found)
    none = "0" * len(stages[0].object)
    staged.set_entries(f"0 {none} 0\t{path}" for path in {stage.path for stage in stages})
    merged = _written(staged, found)
    sides = ScratchIndex(git, found.worktree, folder / "sides")
    sides.set_entries(f"{s.mode} {s.object} 0\t{SIDES[s.stage]}/{s.path}" for s in stages)
    sides.run("read-tree", f"--prefix={MERGED}/", merged)
    return sides.write_tree()


def _written(index: ScratchIndex, found: Survey) -> str:
    """The tree of an index; entries whose content the repository has lost are left out, and said."""
    try:
        return index.write_tree()
    except GitRefusedError:
        lines = index.run("ls-files", "-s", "-z").records
        entries = [(line.split("\t", 1)[1], line.split(" ")) for line in lines]
        asked = "".join(f"{words[1]}\n" for _, words in entries).encode("ascii")
        answers = index.git.run("cat-file", "--batch-check", stdin=asked).text.splitlines()
        gone = [
            path
            for (path, (mode, *_)), answer in zip(entries, answers, strict=True)
            if answer.endswith(" missing") and mode != GITLINK
        ]
        for path in gone:
            found.lose(path, "the repository has lost what was staged of it")
        index.set_entries(f"0 {'0' * 40} 0\t{path}" for path in gone)
        return index.write_tree()


def _worktree_tree(found: Survey) -> str:
    """Everything on disk, as git would commit it, without what is kept aside."""
    # A mixed file under core.safecrlf would be refused; its bytes are kept raw.
    add = ("-c", "core.safecrlf=false", "add", "--sparse", "--ignore-errors")
    whole = [root for root in found.roots if found.tracks_nothing_in(root)]
    found.index.set_entries(f"0 {'0' * 40} 0\t{path}" for path in whole)  # of a file that was there before
    done = found.index.run(*add, "-A", "--", ".", *(f":(exclude,top,literal){p}" for p in whole), ok=())
    if done.status not in _ADDED:
        _add_each(found.index, (*add, "-A"), [c.path for c in found.changes if not found.is_aside(c.path)])
    _add_each(found.index, (*add, "-f"), found.ignored)
    return _written(found.index, found)


def _add_each(index: ScratchIndex, add: Sequence[str], paths: Sequence[str]) -> None:
    """Add what can be added, by halves; what git refuses is seen in the proof."""
    waiting = [paths] if paths else []
    while waiting:
        some = waiting.pop()
        data = "".join(f"{path}\0" for path in some).encode("utf-8", "surrogateescape")
        words = (*add, "--pathspec-from-file=-", "--pathspec-file-nul")
        done = index.run(*words, stdin=data, literal=True, ok=())
        if done.status not in _ADDED and len(some) > 1:
            waiting += [some[: len(some) // 2], some[len(some) // 2 :]]


def tree_entries(git: Git, tree: str) -> dict[str, tuple[str, str]]:
    """Path to (mode, object) of every file in ``tree``."""
    records = git.run("ls-tree", "-r", "-z", "--full-tree", tree).records
    split = (record.split("\t", 1) for record in records)
    return {path: (meta.split(" ")[0], meta.split(" ")[2]) for meta, path in split}


def _proven(
    git: Git, found: Survey, entries: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, OnDisk | None], list[str]]:
    """Look at the disk again, not through git, and compare.

    Returns what every kept path holds, and the paths that git refused to take.
    """
    unhidden = ScratchIndex.copy(git, found.worktree, found.source, found.index.path.with_name("proof"))
    unhidden.unhide(found.listing)
    now = {change.path for change in status(git, found.worktree, unhidden.path) if change.path[-1:] != "/"}
    disk: dict[str, OnDisk | None] = {}
    refused: list[str] = []
    left_out_paths = frozenset(found.listing.skipped)  # by a sparse checkout: in the index alone
    known = frozenset(found.paths)
    for path in sorted(p for p in {*now, *known} if not found.is_aside(p)):
        entry = entries.get(path)
        if entry is not None and entry[0] == GITLINK:
            _require(found, path, held=_revision(git, found.worktree / path, "HEAD") == entry[1])
            continue
        try:
            on_disk = look(found.worktree, path)
        except OSError as error:
            found.lose(path, str(error))
            continue
        if (on_disk is None and path in left_out_paths) or _agrees(on_disk, entry):
            disk[path] = on_disk
        elif entry is None and path in known:
            refused.append(path)
        else:
            found.lose(path, CHANGED)
    return disk, refused


def _agrees(disk: OnDisk | None, entry: tuple[str, str] | None) -> bool:
    if disk is None or entry is None:
        return disk is None and entry is None
    if disk.is_link:
        return entry == (disk.mode, disk.object)
    return entry[0] in {"100644", "100755"}  # the bytes are compared where they are stored, see raw


def _require(found: Survey, path: str, *, held: bool) -> None:
    if not held:
        found.lose(path, CHANGED)


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
        paths=tuple(sorted({*disk, *found.tracked_paths} - {*found.lost})),
        permissions=files,
        intended=tuple(c.path for c in found.changes if c.xy[1] == "A" and c.kind is ChangeKind.TRACKED),
        assumed=found.listing.assumed,
        skipped=found.listing.hidden(found.worktree),
        unmerged=bool(found.listing.unmerged),
        references=found.references,
        lost=found.lost,
        nested={nested.path: str(nested.kind) for nested in found.nested},
    )


def _extra_lines(git: Git, found: Survey, raw: dict[str, str]) -> list[str]:
    lines = [f"100644 {oid} 0\traw/{path}" for path, oid in raw.items()]
    for place, names in (("operation", found.operation_files), ("metadata", found.metadata)):
        oids = store_files(git, found.git_dir, names)
        lines += [f"100644 {oid} 0\t{place}/{name}" for name, oid in zip(names, oids, strict=True)]
    return lines


def extra_tree(git: Git, folder: Path, notes: Notes, aside: Aside, lines: Sequence[str]) -> str:
    """Write the tree of what trees cannot say; ``lines`` are further entries, as in an index."""
    extra = ScratchIndex(git, git.repository.common_dir, folder / "extra")
    entries = [*lines, _blob_line(git, NAME, notes.encoded())]
    if aside.kept or aside.worktrees:
        entries.append(_blob_line(git, ASIDE, aside.encoded()))
    objects = dict.fromkeys(kept.object for kept in aside.kept if kept.object is not None)
    extra.set_entries([*entries, *(f"100644 {oid} 0\t{FOLDER}/{oid}" for oid in objects)])
    return extra.write_tree()


def _blob_line(git: Git, name: str, data: bytes) -> str:
    oid = git.run("hash-object", "-w", "--stdin", stdin=data, writes=True).text
    return f"100644 {oid} 0\t{name}"
