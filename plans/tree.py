"""The files of a revision, sorted, so that a pattern set looks only where its literal prefixes lead."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plans.patterns import PatternSet


class FileTree:
    """Paths of files. Numbers of files are places in :attr:`paths`, so that they sort as the paths do."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths: Sequence[str] = sorted(set(paths))

    def matching(self, patterns: PatternSet) -> frozenset[int]:
        """The numbers of the files that the set has: one look at each file under one of its prefixes."""
        prefixes = {pattern.literal_prefix for pattern in patterns.patterns if not pattern.negated}
        ranges = [(start, end) for start, end in self._ranges(prefixes) if start < end]
        if not ranges:
            return frozenset()
        matches = patterns.matcher()
        return frozenset(
            number for start, end in ranges for number in range(start, end) if matches(self.paths[number])
        )

    def has_file(self, path: str) -> bool:
        """Whether there is a file of that very path."""
        start = bisect_left(self.paths, path)
        return start < len(self.paths) and self.paths[start] == path

    def only_file_ending_in(self, path: str) -> str | None:
        """The one file whose path ends in ``path``, in whole components; None for none or several."""
        found = [p for p in self._by_name.get(path.rpartition("/")[2], ()) if f"/{p}".endswith(f"/{path}")]
        return found[0] if len(found) == 1 else None

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
                result.append(self._starting_with(prefix))
        return result

    def _starting_with(self, prefix: str) -> tuple[int, int]:
        def head(path: str) -> str:
            return path[: len(prefix)]

        start = bisect_left(self.paths, prefix)
        return start, bisect_right(self.paths, prefix, lo=start, key=head)


def matching_files(patterns: PatternSet, tree: Iterable[str]) -> tuple[str, ...]:
    """The files of ``tree`` that the set has, sorted."""
    files = FileTree(tree)
    return tuple(files.paths[number] for number in sorted(files.matching(patterns)))
