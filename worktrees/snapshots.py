"""Read a snapshot back: its parts, and what it would change. See snapshot.py for how it is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.aside import NAME as ASIDE
from worktrees.aside import Aside
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.errors import GitFailedError
from worktrees.notes import NAME, Notes
from worktrees.restoreerrors import UnknownRescueError
from worktrees.snapshot import MERGED, SIDES, tree_entries

if TYPE_CHECKING:
    from worktrees.git import Git

_PARTS = 2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot, opened.

    ``index_tree`` is the tree of what was staged and merged, ``stages`` maps (stage, path) to (mode, object)
    of what was not. ``raw``, ``operation`` and ``metadata`` map paths to objects.
    """

    reference: str
    commit: str
    base_tree: str
    index_tree: str
    stages: dict[tuple[int, str], tuple[str, str]]
    raw: dict[str, str]
    operation: dict[str, str]
    metadata: dict[str, str]
    notes: Notes
    aside: Aside


def open_snapshot(git: Git, reference: str) -> Snapshot:
    """Return the snapshot that ``reference`` (a full reference name or a commit id) names.

    Raises :class:`UnknownRescueError` for anything that rescue did not make.
    """
    try:
        words = ("rev-parse", "--verify", "-q", "--end-of-options", f"{reference}^{{commit}}")
        commit = git.run(*words).text
        parents = git.run("rev-parse", f"{commit}^@").text.splitlines()
        if len(parents) < _PARTS:
            raise UnknownRescueError(reference, "it is an ordinary commit")
        return _opened(git, reference, commit, parents)
    except GitFailedError as error:
        raise UnknownRescueError(reference, "it names no snapshot") from error
    except ValueError as error:
        raise UnknownRescueError(reference, str(error)) from error


def _opened(git: Git, reference: str, commit: str, parents: list[str]) -> Snapshot:
    index, extra = parents[-2:]
    notes = Notes.decoded(git.run("cat-file", "blob", f"{extra}:{NAME}").output)
    parts = {path: oid for path, (_, oid) in tree_entries(git, extra).items()}
    base = f"{notes.base}^{{tree}}" if notes.base else None
    return Snapshot(
        reference=reference,
        commit=commit,
        base_tree=git.run("rev-parse", "--verify", base).text if base else _empty_tree(git),
        index_tree=_merged(git, index) if notes.unmerged else f"{index}^{{tree}}",
        stages=_stages(git, index) if notes.unmerged else {},
        raw=_below(parts, "raw/"),
        operation=_below(parts, "operation/"),
        metadata=_below(parts, "metadata/"),
        notes=notes,
        aside=Aside.decoded(git.run("cat-file", "blob", parts[ASIDE]).output) if ASIDE in parts else Aside(),
    )


def _merged(git: Git, index: str) -> str:
    """What was merged may be nothing at all; then its folder is not in the tree."""
    found = git.run("rev-parse", "-q", "--verify", f"{index}:{MERGED}", ok=(0, 1, 128))
    return found.text if found.status == 0 else _empty_tree(git)


def _empty_tree(git: Git) -> str:
    with step("rescue.empty-tree"):
        return git.run("mktree", stdin=b"", writes=True).text


def _below(parts: dict[str, str], folder: str) -> dict[str, str]:
    return {path.removeprefix(folder): oid for path, oid in parts.items() if path.startswith(folder)}


def _stages(git: Git, index: str) -> dict[tuple[int, str], tuple[str, str]]:
    numbers = {side: number for number, side in SIDES.items()}
    split = ((path.partition("/"), entry) for path, entry in tree_entries(git, index).items())
    return {(numbers[side], path): entry for (side, _, path), entry in split if side in numbers}


@dataclass(frozen=True, slots=True)
class TreeChange:
    """One path that differs between two trees; mode ``000000`` means absent on that side."""

    path: str
    old_mode: str
    mode: str
    old: str
    object: str


def tree_changes(git: Git, old: str, new: str) -> tuple[TreeChange, ...]:
    """Every path that differs between two trees or commits, in git's order, without renames."""
    records = git.run(
        "diff-tree", "-r", "-z", "--no-renames", ALL_SUBMODULES, "--no-abbrev", old, new
    ).records
    return tuple(
        TreeChange(path, *meta.removeprefix(":").split(" ")[:4])
        for meta, path in zip(records[::2], records[1::2], strict=True)
    )


def show(git: Git, reference: str) -> str:
    """Return for people what a rescue holds: where it stood, git's diffstat, and what no diff shows."""
    snapshot = open_snapshot(git, reference)
    notes = snapshot.notes
    arguments = ("--no-ext-diff", "--no-textconv", "--stat", "--summary", "--no-renames", "--no-color")
    stat = git.run("diff", *arguments, snapshot.base_tree, snapshot.commit).text
    staged = [change.path for change in tree_changes(git, snapshot.base_tree, snapshot.index_tree)]
    unmerged = sorted({path for _, path in snapshot.stages})
    facts = {
        "base": [notes.base or "no commit yet"],
        "branch": [notes.head.removeprefix("refs/heads/") if notes.head else "detached"],
        "in progress": [notes.operation] if notes.operation else [],
        "staged": staged,
        "unmerged": unmerged,
        "assume-unchanged": notes.assumed,
        "references of its own": sorted(notes.references),
        "bytes kept beside git's form": sorted(snapshot.raw),
        "kept beside git": [_counted(snapshot.aside, path) for path in _tops(snapshot)],
        "settings, not put back": sorted(snapshot.metadata),
    }
    lines = [f"{name}: {', '.join(map(_printable, values))}" for name, values in facts.items() if values]
    lines += [f"{_printable(path)} is {_printable(kind)}" for path, kind in notes.nested.items()]
    lines += [f"LOST: {_printable(path)}: {_printable(reason)}" for path, reason in notes.lost.items()]
    return "\n".join([f"{snapshot.reference} {snapshot.commit}", *lines, "", stat]).rstrip() + "\n"


def _tops(snapshot: Snapshot) -> list[str]:
    """The outermost paths of what is kept aside."""
    folders = {kept.path for kept in snapshot.aside.kept if kept.is_folder}
    paths = [*(kept.path for kept in snapshot.aside.kept), *snapshot.aside.worktrees]
    return sorted(path for path in dict.fromkeys(paths) if path.rpartition("/")[0] not in folders)


def _counted(aside: Aside, path: str) -> str:
    inside = sum(not kept.is_folder for kept in aside.kept if kept.path.startswith(f"{path}/"))
    return f"{path}/ ({inside} files)" if inside else path


def _printable(name: str) -> str:
    """File names are outside text: no control sequence may reach a terminal."""
    return name if name.isprintable() else ascii(name)
