"""A merge by tree ids, for the case that most landings are: both sides plainly touch different things.

Of three trees, a name that one side left alone is taken from the other side; where both changed it, and
it is a folder on both, the folder is looked into. Anything else gives None, and git's own engine (ort)
decides. ort finds the same tree whenever this gives one, because

- nothing was deleted or turned into something else on either side, and without a deletion there is no
  rename of a file or a folder to be found;
- no path was changed by both sides, so no contents are merged and no attribute or merge driver is asked;
- the sides have exactly one best common ancestor (the caller's business), so no virtual one is made.

More than is needed for that proof, a change of mode, of a submodule or of ``.gitattributes`` also gives
None. The proof is held by a differential test against ``git merge``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worktrees.trees import GITLINK, TREE, Entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from worktrees.objects import Objects

    Plan: TypeAlias = dict[str, "Entry | Plan"]


class _EntangledError(Exception):
    """Not plainly disjoint."""


def merge_disjoint(objects: Objects, base: str, ours: str, theirs: str) -> str | None:
    """Return the merged tree of three trees, or None where git must decide; None writes nothing.

    The trees are durable when :meth:`Objects.flush` returns.
    """
    if theirs in (base, ours):
        return ours
    if base == ours:
        return theirs
    try:
        plan = _merged(objects, base, ours, theirs)
    except _EntangledError:
        return None
    return _written(objects, plan)


def _written(objects: Objects, plan: Plan) -> str:
    entries = {
        name: value if isinstance(value, Entry) else Entry(TREE, _written(objects, value))
        for name, value in plan.items()
    }
    return objects.write_entries(entries)


def _merged(objects: Objects, base: str | None, ours: str, theirs: str) -> Plan:
    was: Mapping[str, Entry] = objects.entries(base) if base else {}
    one, other = objects.entries(ours), objects.entries(theirs)
    plan: Plan = {}
    for name in was.keys() | one.keys() | other.keys():
        b, o, t = was.get(name), one.get(name), other.get(name)
        if o is None or t is None:
            plan[name] = _added(objects, name, b, o or t)
        elif o == b or t in (b, o):
            plan[name] = now = t if o == b else o
            if now != b:
                _require_growth(objects, name, b, now)
        elif o.is_tree and t.is_tree and (b is None or b.is_tree):
            plan[name] = _merged(objects, b.object if b else None, o.object, t.object)
        else:
            raise _EntangledError
    return plan


def _added(objects: Objects, name: str, was: Entry | None, now: Entry | None) -> Entry:
    if was is not None or now is None:
        raise _EntangledError
    _require_growth(objects, name, None, now)
    return now


def _require_growth(objects: Objects, name: str, was: Entry | None, now: Entry) -> None:
    """Refuse unless ``now`` is ``was`` with nothing but additions and new contents of plain files."""
    if name == ".gitattributes" or GITLINK in (now.mode, was.mode if was else 0):
        raise _EntangledError
    if was is not None and was.mode != now.mode:
        raise _EntangledError
    pair = (was.object if was else "", now.object)
    if not now.is_tree or objects.is_growth(pair):
        return
    before: Mapping[str, Entry] = objects.entries(was.object) if was else {}
    after = objects.entries(now.object)
    if before.keys() - after.keys():
        raise _EntangledError
    for child, entry in after.items():
        if before.get(child) != entry:
            _require_growth(objects, child, before.get(child), entry)
    objects.note_growth(pair)
