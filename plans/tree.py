"""The files of a revision, sorted, so that a pattern set looks only where its literal prefixes lead."""

from __future__ import annotations

import sys
from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING, Final

from plans.folding import EXACT
from plans.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plans.folding import Folding
    from plans.patterns import PatternSet
    from plans.plain import Plain

_LAST_LETTER: Final = chr(sys.maxunicode)


class FileTree:
    """Paths of files. Numbers of files are places in :attr:`paths`, so that they sort as the paths do.

    With a ``folding``, :attr:`paths` are folded ones, for patterns that are folded as well.
    """

    def __init__(self, paths: Iterable[str], folding: Folding = EXACT) -> None:
        self._written = {folding.path(path): path for path in paths} if folding else {}
        self.paths: Sequence[str] = sorted(self._written or set(paths))

    def written(self, path: str) -> str:
        """The name that an existing file has, for its folded path; any other path as it is."""
        return self._written.get(path, path)

    def matching(self, patterns: PatternSet) -> frozenset[int]:
        """The numbers of the files that the set has; only those are looked at that one pattern may take."""
        found: set[int] = set()
        for pattern in patterns.patterns:
            kind = None if pattern.negated else plain(pattern.glob)
            if kind is None:
                return self._matched(patterns)
            found |= self._taken(kind)
        return frozenset(found)

    def _taken(self, kind: Plain) -> set[int]:
        """The files of one plain pattern."""
        start, end = _starting_with(self.paths, kind.head)
        taken: set[int] = set()
        if kind.below:
            taken.update(range(start, end))
        elif start < end:
            taken.update(
                number for number in self._named(kind, start, end) if kind.matches(self.paths[number])
            )
        if kind.literal and self.has_file(kind.head[:-1]):
            taken.add(bisect_left(self.paths, kind.head[:-1]))
        if not kind.below:
            taken.update(range(*_starting_with(self.paths, f"{kind.text}/")))
        return taken

    def _named(self, kind: Plain, start: int, end: int) -> Iterable[int]:
        """Files that may have a name of this kind: those of the folder, or by name where these are fewer."""
        if not kind.deep:
            return range(*_starting_with(self.paths, kind.head + kind.before))
        choices: list[Sequence[int]] = [range(start, end)]
        if kind.before:
            choices.append(self._by_beginning.starting_with(kind.before))
        if kind.after:
            choices.append(self._by_end.starting_with(kind.after[::-1]))
        return min(choices, key=len)

    def _matched(self, patterns: PatternSet) -> frozenset[int]:
        """The same by regular expressions: one look at each file under one of the prefixes."""
        prefixes = {pattern.literal_prefix for pattern in patterns.patterns if not pattern.negated}
        ranges = [(start, end) for start, end in self._ranges(prefixes) if start < end]
        if not ranges:
            return frozenset()
        matches = patterns.matcher()
        return frozenset(
            number for start, end in ranges for number in range(start, end) if matches(self.paths[number])
        )

    @cached_property
    def _by_beginning(self) -> _Names:
        return _Names(path.rpartition("/")[2] for path in self.paths)

    @cached_property
    def _by_end(self) -> _Names:
        return _Names(path.rpartition("/")[2][::-1] for path in self.paths)

    def has_file(self, path: str) -> bool:
        """Whether there is a file of that very path."""
        start = bisect_left(self.paths, path)
        return start < len(self.paths) and self.paths[start] == path

    def only_file_ending_in(self, path: str) -> str | None:
        """The one file whose path ends in ``path``, in whole components; None for none or several."""
        found = (p for p in self._by_name.get(path.rpartition("/")[2], ()) if f"/{p}".endswith(f"/{path}"))
        first = next(found, None)
        return first if next(found, None) is None else None

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for path in self.paths:
            names.setdefault(path.rpartition("/")[2], []).append(path)
        return names

    def has_folder(self, folder: str) -> bool:
        """Whether a file lies below ``folder``, which has no ``/`` at its end."""
        start = bisect_left(self.paths, f"{folder}/")
        return start < len(self.paths) and self.paths[start].startswith(f"{folder}/")

    def _ranges(self, prefixes: set[str]) -> list[tuple[int, int]]:
        """Where the paths with these prefixes are, without overlaps."""
        result: list[tuple[int, int]] = []
        covering: str | None = None
        for prefix in sorted(prefixes):
            if covering is None or not prefix.startswith(covering):
                covering = prefix
                result.append(_starting_with(self.paths, prefix))
        return result


class _Names:
    """Numbers of files, in the order of their names."""

    def __init__(self, names: Iterable[str]) -> None:
        ordered = sorted((name, number) for number, name in enumerate(names))
        self._names = [name for name, _ in ordered]
        self._numbers = [number for _, number in ordered]

    def starting_with(self, prefix: str) -> Sequence[int]:
        start, end = _starting_with(self._names, prefix)
        return self._numbers[start:end]


def _starting_with(texts: Sequence[str], prefix: str) -> tuple[int, int]:
    """Where those that begin with ``prefix`` stand in sorted texts: before the next text that does not."""
    start, stem = bisect_left(texts, prefix), prefix.rstrip(_LAST_LETTER)
    if not stem:
        return start, len(texts)
    return start, bisect_left(texts, stem[:-1] + chr(ord(stem[-1]) + 1), lo=start)


def matching_files(patterns: PatternSet, tree: Iterable[str]) -> tuple[str, ...]:
    """The files of ``tree`` that the set has, sorted."""
    files = FileTree(tree)
    return tuple(files.paths[number] for number in sorted(files.matching(patterns)))
