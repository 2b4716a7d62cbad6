"""Which entries may skip each other's check: those that have no file in common and read none of the other's.

What a branch changed is known exactly, path by path; what its plan reads is declared, in patterns. A file
that all depend on (``root_files``: lock files, build and CI files) stands for all files. It is a judgement
about files and not about meaning: two entries that are apart may break together, which is why lanes have to
be asked for, and why some of what lands so is checked whole afterwards (invariant S13).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.merging.making import GITS_FAULT, work_of
from plans.patterns import PatternSet
from worktrees.changes import own_changes
from worktrees.errors import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Candidate
    from worktrees.objects import Objects


class _Touched:
    """What an entry changes, with the folders of each path, and what it reads."""

    def __init__(self, paths: Iterable[str], reads: PatternSet, roots: PatternSet) -> None:
        self.paths = frozenset(paths)
        self.is_root = any(map(roots.matches, self.paths))
        self._reads = reads

    @cached_property
    def places(self) -> frozenset[str]:
        """The paths, and every folder above one: a file there would be in the way of it."""
        return self.paths | {above for path in self.paths for above in _above(path)}

    def meets(self, other: _Touched) -> bool:
        """Whether one of the two has to know of the other."""
        if self.is_root or other.is_root or self.paths & other.places or other.paths & self.places:
            return True
        return self._reads_of(other) or other._reads_of(self)

    def _reads_of(self, other: _Touched) -> bool:
        return bool(self._reads) and any(map(self._reads.matches, other.paths))


class Meetings:
    """Answers for the entries of one target, and remembers what each touches: a head does not change."""

    def __init__(self) -> None:
        self._known: dict[str, _Touched] = {}
        self._pairs: dict[tuple[str, str], bool] = {}

    def meet(self, bench: Workbench, a: Entry, b: Entry) -> bool:
        """Whether a check of one of them says nothing of both; so it is where that cannot be told."""
        pair = (a.id, b.id) if a.id < b.id else (b.id, a.id)
        if pair not in self._pairs:
            self._pairs[pair] = self._meet(bench, a, b)
        return self._pairs[pair]

    def _meet(self, bench: Workbench, a: Entry, b: Entry) -> bool:
        if (a.plan and a.plan in b.after) or (b.plan and b.plan in a.after):
            return True
        try:
            return self._touched(bench, a).meets(self._touched(bench, b))
        except GITS_FAULT:
            return True

    def with_push(self, bench: Workbench, old: str, new: str) -> Callable[[Entry], bool]:
        """Tells of an entry whether its check has to know what somebody else brought, ``old`` to ``new``."""
        try:
            paths = [change.path for change in bench.objects.changes(old, new)]
        except GITS_FAULT:
            return lambda _: True
        brought = _touched(bench, paths, PatternSet())
        return lambda entry: self._meets(bench, entry, brought)

    def _meets(self, bench: Workbench, entry: Entry, other: _Touched) -> bool:
        try:
            return self._touched(bench, entry).meets(other)
        except GITS_FAULT:
            return True

    def _touched(self, bench: Workbench, entry: Entry) -> _Touched:
        found = self._known.get(entry.id)
        if found is None:
            paths = own_changes(bench.objects, work_of(entry))
            found = self._known[entry.id] = _touched(bench, paths, PatternSet.parse(entry.reads))
        return found


def same_work(objects: Objects, checked: Candidate, old: str, candidate: Candidate) -> bool:
    """Whether ``candidate`` changes ``old`` in exactly what ``checked`` changed below it, file by file.

    A folder that somebody renamed meanwhile takes new files along: then another tree was checked. Nor is it
    when what was checked has been pruned since.
    """

    def made(before: str, after: str) -> set[tuple[str, int, str]]:
        return {(c.path, c.new_mode, c.new_object) for c in objects.changes(before, after)}

    try:
        before = made(objects.parents(checked.steps[0])[0], checked.commit)
    except MissingObjectError:
        return False
    return before == made(old, candidate.commit)


def _touched(bench: Workbench, paths: Iterable[str], reads: PatternSet) -> _Touched:
    folding = bench.settings.folding
    roots = folding.patterns(bench.settings.project.root_files)
    return _Touched(map(folding.path, paths), folding.patterns(reads), roots)


def _above(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
