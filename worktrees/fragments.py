"""A file that is put together from a folder of snippets, one file each, so that nobody edits it.

The snippets are the regular files right in the folder, but for names that begin with a point; they follow
each other by name, numbers in names by value (``9-x`` before ``10-y``), each ended by a line end. They stay:
the file can be put together again at any time, and is the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from worktrees.errors import FragmentLostError
from worktrees.hotmerge import only_grew
from worktrees.trees import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worktrees.objects import Objects

_FILE: Final = 0o100644


def assembled(objects: Objects, tree: str, path: str, folder: str) -> bytes | None:
    """What the snippets of ``folder`` in a commit or tree give for ``path``; None where there are none."""
    found = _snippets(objects, tree, path, folder)
    if not found:
        return None
    return b"".join(_ended(objects.read(found[name].object)) for name in sorted(found, key=_order))


def _snippets(objects: Objects, tree: str, path: str, folder: str) -> dict[str, Entry]:
    found = objects.entry(tree, folder)
    entries = objects.entries(found.object) if found is not None and found.is_tree else {}
    return {
        name: entry
        for name, entry in entries.items()
        if entry.is_regular and not name.startswith(".") and f"{folder}/{name}" != path
    }


def assemble(
    objects: Objects, tree: str, sides: tuple[str, str, str], fragments: Mapping[str, str]
) -> dict[str, Entry]:
    """The files of ``fragments`` (file to folder) that ``tree`` has otherwise than its snippets give.

    ``tree`` was merged from ``sides``: the target, the work, their common ancestor; commits or trees. Work
    that touches neither file nor folder leaves the file alone. Raises :class:`FragmentLostError`.
    """
    made: dict[str, Entry] = {}
    _, theirs, base = sides
    for path, folder in sorted(fragments.items()):
        content = assembled(objects, tree, path, folder)
        touched = any(objects.entry(base, name) != objects.entry(theirs, name) for name in (path, folder))
        if content is None or not touched:
            continue
        _refuse_loss(objects, sides, path, folder, content)
        if content != objects.regular_file(tree, path):
            known = objects.entry(tree, path)
            made[path] = Entry(known.mode if known is not None else _FILE, objects.write_blob(content))
    return made


def _refuse_loss(objects: Objects, sides: Sequence[str], path: str, folder: str, content: bytes) -> None:
    """Raise where a side has text of its own in the file: not made of its snippets, nor all in ``content``.

    What the work left as it was is not its own. The target's may be what earlier snippets gave, as long as
    none of them is gone: text that stays when its snippets go was meant to stay, as after a release.
    """
    ours, theirs, base = sides
    before = objects.regular_file(base, path)
    for side in (ours, theirs):
        own = objects.regular_file(side, path)
        if own is None or (side == theirs and own == before):
            continue
        explained = {assembled(objects, side, path, folder)}
        if _snippets(objects, base, path, folder).keys() <= _snippets(objects, side, path, folder).keys():
            explained.add(assembled(objects, base, path, folder))
        if own not in explained and not only_grew(own, content):
            raise FragmentLostError(path, folder, side)


def _ended(content: bytes) -> bytes:
    return content if not content or content.endswith(b"\n") else content + b"\n"


def _order(name: str) -> list[tuple[int, str]]:
    """Numbers by value, before text."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
