"""What work changed, and whether a landing stays within it (invariant S3: nothing undone)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worktrees.trees import Status

if TYPE_CHECKING:
    from worktrees.candidate import Work
    from worktrees.objects import Objects


@dataclass(frozen=True, slots=True)
class ScopeReport:
    """``outside``: paths that a landing changes although the work did not, sorted; empty is well."""

    outside: tuple[str, ...]


def own_changes(objects: Objects, work: Work) -> tuple[str, ...]:
    """Return the paths that differ between the work's base and its head, sorted."""
    return tuple(sorted(change.path for change in objects.changes(work.base, work.head)))


def landing_scope(objects: Objects, old: str, new: str, work: Work) -> ScopeReport:
    """Compare the landing ``old`` → ``new`` of the target with what the work changed.

    Allowed are the work's paths P and R(P): where the target renamed a file or folder since the work's
    base, the work's paths under their new names; and the other way round, where the work renamed a folder,
    what others put there meanwhile, moved along and otherwise as it was. By tree ids; renames are looked for
    only when needed.
    """
    own = set(own_changes(objects, work))
    outside = {change.path for change in objects.changes(old, new)} - own
    if outside:
        outside -= _renamed(objects, own, work.base, old)
    if outside:
        outside -= _moved_along(objects, outside, (old, new), work)
    return ScopeReport(tuple(sorted(outside)))


def _moved_along(objects: Objects, outside: set[str], landing: tuple[str, str], work: Work) -> set[str]:
    """Pairs of ``outside``: gone here, the very same there, by a folder rename of the work."""
    old, new = landing
    _, folders = _renames(objects, work.base, work.head)
    found: set[str] = set()
    for before, after in folders:
        for path in (p for p in outside if p.startswith(before)):
            there = after + path[len(before) :]
            was = objects.entry(old, path)
            gone = objects.entry(new, path) is None and objects.entry(old, there) is None
            if there in outside and was is not None and gone and objects.entry(new, there) == was:
                found |= {path, there}
    return found


def _renames(objects: Objects, old: str, new: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Return the files that were renamed, old name to new, and the folder renames that explain them."""
    files: dict[str, str] = {}
    folders: set[tuple[str, str]] = set()
    for change in objects.changes(old, new, renames=True):
        if change.status is Status.RENAMED and change.old_path is not None:
            files[change.old_path] = change.path
            folders |= _folder_renames(change.old_path, change.path)
    return files, folders


def _renamed(objects: Objects, own: set[str], base: str, old: str) -> set[str]:
    files, folders = _renames(objects, base, old)
    found = {files[path] for path in own if path in files}
    for before, after in folders:
        found |= {after + path[len(before) :] for path in own if path.startswith(before)}
    return found


def _folder_renames(old: str, new: str) -> set[tuple[str, str]]:
    """Return (old, new) folder prefixes, each ending in "/" or empty, that explain a file's rename.

    ``a/b/x`` → ``c/b/x`` is explained by a/b/ → c/b/ and by a/ → c/.
    """
    before, after = old.split("/")[:-1], new.split("/")[:-1]
    found = {(_prefix(before), _prefix(after))}
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
        found.add((_prefix(before), _prefix(after)))
    return {pair for pair in found if pair[0] != pair[1] and pair[0]}


def _prefix(parts: list[str]) -> str:
    return "".join(part + "/" for part in parts)
