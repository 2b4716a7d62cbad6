"""Which hot files a merge may unite: those that only grow on both sides.

``merge=union`` of git keeps the lines of both sides where they meet. Where a side took lines away or reworded
them it brings the old ones back, and says that nothing is in conflict. So a file is united only where every
line of the common ancestor still stands on both sides, in the old order; else it is merged like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from worktrees.objects import Objects
    from worktrees.quarantine import Quarantine

_BATCH: Final = ("cat-file", "--batch")


def united(objects: Objects, hot: Collection[str], base: str, ours: str, theirs: str) -> frozenset[str]:
    """Those of the paths ``hot`` that both sides changed, and by adding alone; commits or trees."""
    found: set[str] = set()
    for path in hot:
        was, *sides = (objects.entry(tree, path) for tree in (base, ours, theirs))
        if was not in sides and may_unite(*(objects.read_blob(tree, path) for tree in (base, ours, theirs))):
            found.add(path)
    return frozenset(found)


def may_unite(before: bytes | None, ours: bytes | None, theirs: bytes | None) -> bool:
    """Whether both sides changed a file by adding alone; None: there is no such file."""
    if ours is None or theirs is None or before in (ours, theirs):
        return False
    return only_grew(before or b"", ours) and only_grew(before or b"", theirs)


def only_grew(before: bytes, after: bytes) -> bool:
    """Whether every line of ``before`` stands in ``after``, in the same order."""
    rest = iter(_lines(after))
    return all(line in rest for line in _lines(before))


def _lines(content: bytes) -> list[bytes]:
    """The last one may lack its end: git ends it before it puts another below."""
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def hot_contents(
    room: Quarantine, trees: Sequence[str], hot: Sequence[str]
) -> Mapping[tuple[str, str], bytes]:
    """What each tree has at each of the paths ``hot``, by one git process that sees the quarantine too."""
    asked = [(tree, path) for tree in trees for path in hot]
    if not asked:
        return {}
    names = "".join(f"{tree}:{path}\n" for tree, path in asked).encode()
    return dict(_answers(asked, room.run(*_BATCH, stdin=names).output))


def _answers(asked: Iterable[tuple[str, str]], output: bytes) -> Iterator[tuple[tuple[str, str], bytes]]:
    """Each is "ID KIND SIZE", a line end, the content and a line end, or a line that ends in "missing"."""
    start = 0
    for key in asked:
        end = output.index(b"\n", start)
        head, start = output[start:end], end + 1
        if head.endswith(b" missing"):
            continue
        _, kind, size = head.split(b" ")
        content = output[start : start + int(size)]
        start += len(content) + 1
        if kind == b"blob":
            yield key, content
