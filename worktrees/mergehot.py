"""Merge with hot files: files that everybody edits, and that are not merged line by line.

- ``union``: what both sides added stays (``hotmerge.py``), by git's own merge.
- ``regenerate``: where both sides changed the file it stays as the target has it, and is then made anew from
  the merged tree by a command (a lock file). Who can run one gives ``rebuild``.
- ``fragments``: the file is what the snippets of a folder give one after the other (``fragments.py``); it is
  put together again from the merged folder.

Without ``rebuild``, as in forecasts and for stacked bases, the last two stay as the target has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worktrees.fragments import assemble
from worktrees.merge import Conflicted, Merged, merge_trees
from worktrees.trees import TREE, Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worktrees.git import Git
    from worktrees.hot import Hot
    from worktrees.objects import Objects


def merge_hot(
    git: Git, objects: Objects, ours: str, theirs: str, hot: Hot, *, base: str | None = None, **how: Any
) -> Merged | Conflicted:
    """As :func:`merge_trees`, which is told ``how``; raises :class:`FragmentLostError` as well."""
    plain = {"base": base, "hot": hot.union, **how}
    bases = () if not hot.made else (base,) if base is not None else objects.merge_bases(ours, theirs)
    if len(bases) != 1:
        return merge_trees(git, objects, ours, theirs, **plain)
    met = _met(objects, hot.made, bases[0], ours, theirs)
    if met:
        common, side = (_with(objects, objects.tree_of(tree), met) for tree in (bases[0], theirs))
        objects.flush()
        merged = merge_trees(git, objects, ours, side, **{**plain, "base": common})
    else:
        merged = merge_trees(git, objects, ours, theirs, **plain)
    if isinstance(merged, Conflicted) or hot.rebuild is None:
        return merged
    made: dict[str, Entry] = assemble(objects, merged.tree, (ours, theirs, bases[0]), hot.fragments)
    if again := hot.regenerate & met.keys():
        made |= hot.rebuild(_with(objects, merged.tree, made), again)
    tree = _with(objects, merged.tree, made)
    objects.flush()
    return Merged(tree, merged.messages)


def _met(objects: Objects, paths: frozenset[str], base: str, ours: str, theirs: str) -> dict[str, Entry]:
    """The files that both sides changed, each into a file and not into the same, as ``ours`` has them."""
    found: dict[str, Entry] = {}
    for path in paths:
        was, one, other = (objects.entry(tree, path) for tree in (base, ours, theirs))
        both = one is not None and other is not None and one.is_regular and other.is_regular
        if both and one is not None and was != one != other != was:
            found[path] = one
    return found


def _with(objects: Objects, tree: str, made: Mapping[str, Entry]) -> str:
    """``tree`` with files put into it; one whose folder is a file there is left out."""
    for path, entry in sorted(made.items()):
        tree = _put(objects, tree, path.split("/"), entry)
    return tree


def _put(objects: Objects, tree: str, parts: list[str], entry: Entry) -> str:
    entries, (name, *below) = dict(objects.entries(tree)), parts
    if not below:
        entries[name] = entry
        return objects.write_entries(entries)
    inner = entries.get(name)
    if inner is not None and not inner.is_tree:
        return tree
    start = inner.object if inner is not None else objects.write_entries({})
    entries[name] = Entry(TREE, _put(objects, start, below, entry))
    return objects.write_entries(entries)
