"""Would they merge: many pairs at once, with two git processes however many pairs there are.

1. The common ancestor of each pair, in process.
2. What each side changed since: one ``git diff-tree --stdin`` for all. Pairs that are apart are clean.
3. One ``git merge-tree --stdin`` for the pairs left, standing in the target's attributes (as ``merge.py``).
   With hot files, one ``git cat-file`` before it tells which may be united, and there is one merge-tree for
   each choice of them.

Where the batch ends early, pairs without an answer are not compared; none is clean for want of one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from worktrees.apart import Touched, are_apart
from worktrees.attributes import folder_for
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.errors import GitFailedError, said
from worktrees.hot import NONE, Hot
from worktrees.hotmerge import hot_contents, may_unite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from worktrees.livetree import LiveTree
    from worktrees.objects import Objects
    from worktrees.quarantine import Quarantine

    Pair: TypeAlias = tuple[LiveTree, LiveTree]

_WITH_STDIN: Final = (2, 39)
_MERGE: Final = (
    "merge-tree",
    "--write-tree",
    "--stdin",
    "--no-messages",
    "--allow-unrelated-histories",
    "-z",
)
_DIFF: Final = (
    "diff-tree",
    "--stdin",
    "-r",
    "-z",
    "--name-status",
    "--no-renames",
    ALL_SUBMODULES,
)


class Outcome(StrEnum):
    """What is known of a pair."""

    CLEAN = "clean"
    CONFLICT = "conflict"
    NOT_COMPARED = "not-compared"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``paths`` are those in conflict, ``why`` a pair was not compared."""

    outcome: Outcome
    paths: tuple[str, ...] = ()
    why: str = ""


_CLEAN: Final = Comparison(Outcome.CLEAN)


def compare_pairs(
    room: Quarantine,
    objects: Objects,
    pairs: Sequence[Pair],
    attributes_of: str,
    hot: Hot = NONE,
) -> list[Comparison]:
    """Whether each pair would merge, in the order of ``pairs``, under the attributes of a commit.

    ``hot`` are the hot files; those that are made
    from others are in conflict nowhere that both have them.
    """
    try:
        return _compared(room, objects, pairs, attributes_of, hot)
    except GitFailedError as error:  # killed, or an object is missing: nothing is known of any pair
        return [Comparison(Outcome.NOT_COMPARED, why=str(error))] * len(pairs)


def _compared(
    room: Quarantine, objects: Objects, pairs: Sequence[Pair], attributes_of: str, hot: Hot
) -> list[Comparison]:
    found = [_by_paths(*asked) for asked in _with_changes(room, objects, pairs)]
    left = [number for number, known in enumerate(found) if known is None]
    answers: dict[int, Comparison] = {}
    for growing, numbers in _by_growth(room, objects, {n: pairs[n] for n in left}, hot.union).items():
        folder = folder_for(objects, attributes_of, growing)
        merged = _merged(room, folder, [pairs[number] for number in numbers], hot.made)
        answers |= zip(numbers, merged, strict=True)
    return [known or answers[number] for number, known in enumerate(found)]


def _by_paths(bases: tuple[str, ...] | None, sides: tuple[Touched, Touched] | None) -> Comparison | None:
    if bases == ():
        return Comparison(Outcome.NOT_COMPARED, why="they have no history in common")
    return _CLEAN if sides is not None and are_apart(*sides) else None


def _with_changes(
    room: Quarantine, objects: Objects, pairs: Sequence[Pair]
) -> Iterator[tuple[tuple[str, ...] | None, tuple[Touched, Touched] | None]]:
    """Best common ancestors (None: far away), and what both changed since the only one."""
    bases = [objects.near_bases(one.head, other.head) for one, other in pairs]
    roots = [objects.tree_of(found[0]) if found else None for found in bases]
    wanted = {(root, side.tree) for root, pair in zip(roots, pairs, strict=True) if root for side in pair}
    changes = _changes(room, sorted(wanted))
    touched = {key: Touched.of(changes.get(key, {})) for key in wanted}
    for found, root, (one, other) in zip(bases, roots, pairs, strict=True):
        yield found, (touched[root, one.tree], touched[root, other.tree]) if root else None


def _changes(
    room: Quarantine, trees: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Path to git's letter for each pair of trees.

    Each pair is announced by a line "TREE TREE", which the first letter after it is glued to.
    """
    if not trees:
        return {}
    asked = "".join(f"{old} {new}\n" for old, new in trees).encode("ascii")
    fields = room.run(*_DIFF, stdin=asked).output.decode("utf-8", "surrogateescape").split("\0")
    found: dict[tuple[str, str], dict[str, str]] = {}
    current: dict[str, str] = {}
    for letter, path in zip(fields[::2], fields[1::2], strict=False):
        *lines, kind = letter.split("\n")
        if lines:
            old, new = lines[-1].split(" ")
            current = found.setdefault((old, new), {})
        current[path] = kind
    return found


def _by_growth(
    room: Quarantine, objects: Objects, pairs: Mapping[int, Pair], hot: Collection[str]
) -> Mapping[frozenset[str], list[int]]:
    """The numbers of pairs, by the hot files that may be united in them."""
    if not pairs or not hot:
        return {frozenset(): [*pairs]} if pairs else {}
    paths = sorted(hot)
    trees = {number: (_root(objects, pair), *(side.tree for side in pair)) for number, pair in pairs.items()}
    wanted = {tree for three in trees.values() if three[0] for tree in three}
    contents = hot_contents(room, sorted(wanted), paths)
    found: dict[frozenset[str], list[int]] = {}
    for number, three in trees.items():
        growing = [p for p in paths if three[0] and may_unite(*(contents.get((tree, p)) for tree in three))]
        found.setdefault(frozenset(growing), []).append(number)
    return found


def _root(objects: Objects, pair: Pair) -> str:
    """The tree of the only common ancestor, empty where there are several."""
    bases = objects.merge_bases(pair[0].head, pair[1].head)
    return objects.tree_of(bases[0]) if len(bases) == 1 else ""


def _merged(room: Quarantine, folder: Path, pairs: Sequence[Pair], made: Collection[str]) -> list[Comparison]:
    if room.git.version < _WITH_STDIN:
        return [Comparison(Outcome.NOT_COMPARED, why="it takes git 2.39 or newer")] * len(pairs)
    asked = "".join(f"{one.commit} {other.commit}\n" for one, other in pairs).encode("ascii")
    done = room.run(*_MERGE, stdin=asked, ok=(), work_tree=folder)
    records = zip(_records(done.output), pairs, strict=False)
    answers = [_comparison(record, pair, made) for record, pair in records]
    missing = Comparison(Outcome.NOT_COMPARED, why=f"git merge-tree: {said(done.messages)}")
    return answers + [missing] * (len(pairs) - len(answers))


def _records(output: bytes) -> Iterator[list[str]]:
    """Per merge: "1" for clean or "0", the tree, rows "mode object stage<TAB>path", and an empty field."""
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    start = 0
    for position, field in enumerate(fields[:-1]):  # after the last NUL comes nothing, or half an answer
        if not field:
            yield fields[start:position]
            start = position + 1


def _comparison(record: list[str], pair: Pair, made: Collection[str]) -> Comparison:
    if record[0] == "1":
        return _CLEAN
    stages: dict[str, set[str]] = {}
    for row in record[2:]:
        head, _, path = row.partition("\t")
        stages.setdefault(_own_name(path, pair), set()).add(head[-1])
    paths = {path for path, found in stages.items() if path not in made or not found >= {"2", "3"}}
    return Comparison(Outcome.CONFLICT, tuple(sorted(paths))) if paths or not stages else _CLEAN


def _own_name(path: str, pair: Pair) -> str:
    """A file that has to make room for a folder is called ``path~COMMIT`` by git."""
    return re.sub(rf"~(?:{pair[0].commit}|{pair[1].commit})(_\d+)?$", "", path)
