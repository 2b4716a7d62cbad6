"""Where a plan's fields stand in its file: read again when a problem has to name a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.nodes import Listing, Node, Table
from plans.source import decode, looks_like_markdown, split
from plans.yamltree import scan

if TYPE_CHECKING:
    from collections.abc import Iterator


def fields(source: bytes) -> dict[str, Node]:
    """Each field's path (``files.write[2]``) with its node; empty where nothing can be made out."""
    text, _ = decode(source)
    if text is None:
        return {}
    parts, _ = split(text, markdown=looks_like_markdown(text))
    root = scan(parts.header, first_line=parts.header_line).root if parts else None
    return dict(_walk("", root)) if root else {}


def _walk(name: str, node: Node) -> Iterator[tuple[str, Node]]:
    """Depth is bounded by the scan."""
    if name:
        yield name, node
    if isinstance(node, Listing):
        for index, item in enumerate(node.items):
            yield from _walk(f"{name}[{index}]", item)
    elif isinstance(node, Table):
        for key, value in node.entries:
            yield from _walk(f"{name}.{key.text}".lstrip("."), value)
