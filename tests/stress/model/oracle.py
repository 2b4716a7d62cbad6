"""The oracle: what a serial queue makes of simple trees, said without git and without planctl.

A tree maps paths to blobs. Every text is a line unlike all others, so that a three-way merge is one
comparison per path and nothing looks renamed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

Tree = Mapping[str, str]


def merged(base: Tree, ours: Tree, theirs: Tree) -> Tree | None:
    """``theirs`` brought onto ``ours``; None where they meet."""
    found: dict[str, str] = {}
    for path in {*base, *ours, *theirs}:
        before, here, there = base.get(path), ours.get(path), theirs.get(path)
        if here != there and before not in (here, there):
            return None
        blob = there if here == before else here
        if blob is not None:
            found[path] = blob
    return found


def is_green(tree: Tree) -> bool:
    """What the check says: nothing bad, and not both halves of what goes wrong only together."""
    return not any(path.startswith("bad-") for path in tree) and not {"half-a", "half-b"} <= {*tree}


def faults(tree: Tree) -> tuple[str, ...]:
    """The paths to take away so that it is green."""
    halves = {"half-b"} & {*tree} if "half-a" in tree else ()
    return (*(path for path in tree if path.startswith("bad-")), *halves)


def changed(tree: Tree, files: Mapping[str, str], gone: Iterable[str] = ()) -> Tree:
    """``tree`` with ``files`` (path and text) written and ``gone`` taken away."""
    left = {path: blob for path, blob in tree.items() if path not in {*gone}}
    return {**left, **{path: blob_of(text) for path, text in files.items()}}


def blob_of(text: str) -> str:
    """The id that git gives a text."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()
