"""Circles in a directed graph, without a library: what ``lint`` needs must not cost an import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def find_cycle(edges: Mapping[str, Collection[str]]) -> tuple[str, ...] | None:
    """One circle of ``edges``, each node followed by the one it points to, or None where there is none.

    ``edges`` maps a node to those it points to; nodes that are no key point nowhere. Deterministic: nodes
    are looked at in sorted order, and the circle is turned so that its least node comes first. Iterative
    depth-first search (a node is done once all behind it are), linear in nodes and edges.
    """
    done: set[str] = set()
    for start in sorted(edges):
        if start not in done:
            found = _search(start, edges, done)
            if found:
                least = found.index(min(found))
                return (*found[least:], *found[:least])
    return None


def _search(start: str, edges: Mapping[str, Collection[str]], done: set[str]) -> tuple[str, ...] | None:
    path = [start]
    position = {start: 0}
    pending: list[Iterator[str]] = [iter(sorted(edges[start]))]
    while pending:
        following = next(pending[-1], None)
        if following is None:
            pending.pop()
            node = path.pop()
            del position[node]
            done.add(node)
        elif following in position:
            return tuple(path[position[following] :])
        elif following not in done:
            position[following] = len(path)
            path.append(following)
            pending.append(iter(sorted(edges.get(following, ()))))
    return None
