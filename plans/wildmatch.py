"""git's wildmatch with path names, read into shapes: what a pattern's text says about a path's bytes.

The model is ``dowild`` and ``match_pathspec_item`` of git (wildmatch.c, dir.c), for ``:(glob)`` at the top
of a repository and the path of a file. Everything is about bytes, as in git: ``?`` and ``[…]`` take one
*byte*, so ``?`` does not match ``é``, which is two. Three things of git that its manual does not say are
kept:

* ``**`` crosses ``/`` as a whole component, and also where it is the very first wildcard of the pattern
  and ends its component: git cuts the literal prefix off first, so ``a**`` means ``a*`` or anything below
  such a folder, and ``a**/b`` also matches ``ab``. Elsewhere (``*a**``) it is the same as ``*``.
* a ``[`` that is never closed, or an unknown ``[:class:]``, matches nothing (the pattern's text taken
  literally still does).
* ``[:space:]`` is tab, newline, carriage return and blank; the classes know ASCII only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

ANY: Final = (1 << 256) - 2
"""A set of bytes is an integer with a bit per byte value; NUL is in no path."""
SLASH: Final = 1 << ord("/")
NAME: Final = ANY & ~SLASH
STAR: Final = -NAME
"""A token is a set of bytes, of which one is taken, or minus a set, of which any number is taken."""

Component = tuple[int, ...]
DEEP: Final[Component] = ()
"""The component ``**``: any number of whole components, none included."""

_DEEP_TOKEN: Final = 0


class Tail(Enum):
    """What may follow the components of a shape."""

    NOTHING = "nothing"
    BELOW = "below"
    """One component or more."""
    SELF_OR_BELOW = "self-or-below"
    """Nothing, or one component or more: the literal folder rule of pathspecs."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths that are these components and then the tail. A pattern is the union of up to three shapes."""

    components: tuple[Component, ...]
    tail: Tail = Tail.NOTHING


def byte_set(characters: bytes) -> int:
    """The set of these bytes."""
    result = 0
    for value in characters:
        result |= 1 << value
    return result


def _span(first: int, last: int) -> int:
    """The set of the bytes ``first`` to ``last``, both included; empty where they are the wrong way round."""
    return ((1 << (last + 1)) - (1 << first)) if first <= last else 0


_CLASSES: Final = {
    b"alnum": _span(0x30, 0x39) | _span(0x41, 0x5A) | _span(0x61, 0x7A),
    b"alpha": _span(0x41, 0x5A) | _span(0x61, 0x7A),
    b"blank": byte_set(b"\t "),
    b"cntrl": _span(1, 0x1F) | 1 << 0x7F,
    b"digit": _span(0x30, 0x39),
    b"graph": _span(0x21, 0x7E),
    b"lower": _span(0x61, 0x7A),
    b"print": _span(0x20, 0x7E),
    b"punct": _span(0x21, 0x2F) | _span(0x3A, 0x40) | _span(0x5B, 0x60) | _span(0x7B, 0x7E),
    b"space": byte_set(b"\t\n\r "),
    b"upper": _span(0x41, 0x5A),
    b"xdigit": _span(0x30, 0x39) | _span(0x41, 0x46) | _span(0x61, 0x66),
}
_WILD: Final = re.compile(rb"[*?\[]")
_NAMED: Final = re.compile(rb"\[:([^\]]*)\]", re.DOTALL)


def first_wildcard(text: bytes) -> int:
    """Where the literal prefix of a pattern ends; its length when it has no wildcard."""
    found = _WILD.search(text)
    return found.start() if found else len(text)


def literal_shape(text: bytes) -> Shape:
    """The path that is the pattern's text byte for byte, and what lies in the folder of that name."""
    names = text.removesuffix(b"/").split(b"/")
    tail = Tail.BELOW if text.endswith(b"/") else Tail.SELF_OR_BELOW
    return Shape(tuple(tuple(1 << value for value in name) for name in names), tail)


def wild_shapes(text: bytes, *, brackets: bool = True) -> tuple[Shape, ...]:
    """What wildmatch alone takes; nothing for a pattern without wildcards, as git then does not ask it.

    ``brackets=False`` takes ``[`` for itself, for finding names that were meant literally.
    """
    if first_wildcard(text) == len(text):
        return ()
    tokens = _tokens(text, brackets=brackets)
    if tokens is None:
        return ()
    return tuple(shape for variant in _aligned(tokens) if (shape := _shape(variant)) is not None)


def _tokens(text: bytes, *, brackets: bool) -> list[int] | None:
    """One token per element of the pattern, or None when nothing can match it."""
    tokens: list[int] = []
    wild = first_wildcard(text)
    place = 0
    while place < len(text):
        character = text[place : place + 1]
        if character == b"*":
            end = place + len(text[place:]) - len(text[place:].lstrip(b"*"))
            tokens.append(_stars(text, place, end, wild))
            place = end
        elif character == b"[" and brackets:
            members, place = bracket(text, place + 1)
            if not members & NAME:
                return None
            tokens.append(members & NAME)
        else:
            tokens.append(NAME if character == b"?" else 1 << text[place])
            place += 1
    return tokens


def _stars(text: bytes, start: int, end: int, wild: int) -> int:
    begins = start == wild or text[start - 1 : start] == b"/"
    crosses = end - start > 1 and begins and text[end : end + 1] in {b"", b"/"}
    return _DEEP_TOKEN if crosses else STAR


def bracket(text: bytes, place: int) -> tuple[int, int]:
    """Read ``[…]`` from behind its ``[``: its bytes (none when it is malformed) and the place behind it."""
    negated = text[place : place + 1] in {b"!", b"^"}
    place += negated
    members, previous, first = 0, 0, True
    while first or text[place : place + 1] != b"]":
        first = False
        if place >= len(text):
            return 0, place
        named = _NAMED.match(text, place)
        if text[place] == ord("-") and previous and text[place + 1 : place + 2] not in {b"", b"]"}:
            members |= _span(previous, text[place + 1])
            previous, place = 0, place + 2
        elif text[place : place + 2] == b"[:" and not named:
            return 0, place
        elif named and named[1].endswith(b":"):
            if named[1][:-1] not in _CLASSES:
                return 0, place
            members |= _CLASSES[named[1][:-1]]
            previous, place = 0, named.end()
        else:
            members |= 1 << text[place]
            previous, place = text[place], place + 1
    return (ANY & ~members if negated else members), place + 1


def _aligned(tokens: list[int]) -> list[list[int]]:
    """Rewrite a first ``**`` behind literals (``a**/b``) into variants where each ``**`` stands alone."""
    place = tokens.index(_DEEP_TOKEN) if _DEEP_TOKEN in tokens else 0
    if place == 0 or tokens[place - 1] == SLASH:
        return [tokens]
    head, rest = tokens[:place], tokens[place + 1 :]
    while rest[:2] == [SLASH, _DEEP_TOKEN]:
        rest = rest[2:]
    if not rest:
        return [[*head, STAR], [*head, STAR, SLASH, _DEEP_TOKEN]]
    return [head + rest[1:], [*head, STAR, SLASH, _DEEP_TOKEN, *rest]]


def _shape(tokens: list[int]) -> Shape | None:
    """Split at the slashes. None when a component is empty, which no path has."""
    parts: list[list[int]] = [[]]
    for token in tokens:
        if token == SLASH:
            parts.append([])
        else:
            parts[-1].append(token)
    components: list[Component] = []
    for part in parts:
        if not part:
            return None
        if part == [_DEEP_TOKEN]:
            if components[-1:] != [DEEP]:
                components.append(DEEP)
        else:
            # A name has a byte at least, so that a lone star takes one byte and then any number.
            components.append((NAME, STAR) if part == [STAR] else tuple(part))
    if components[-1] == DEEP:
        return Shape(tuple(components[:-1]), Tail.BELOW)
    return Shape(tuple(components))


def expression(shape: Shape) -> bytes:
    """A regular expression for ``fullmatch`` with DOTALL that takes what the shape takes.

    No pattern makes it slow. Between two stars the earliest place that fits is as good as any later one,
    since the next star takes up the rest; so it is fixed by an atomic group and never tried again.
    """
    groups: list[list[bytes]] = [[]]
    for component in shape.components:
        if component == DEEP:
            groups.append([])
        else:
            groups[-1].append(_component_expression(component))
    end = {Tail.NOTHING: b"", Tail.BELOW: b"/.+", Tail.SELF_OR_BELOW: b"(?:/.+)?"}[shape.tail]
    if not shape.components:
        return end.removeprefix(b"/")
    result = b""
    for number, group in enumerate(groups):
        deep = b"(?:[^/]+/)*?" if number else b""
        last = number == len(groups) - 1
        names = b"/".join(group)
        if last:
            result += deep + names + end
        elif names:
            result += b"(?>" + deep + names + b"/)"
    return result


def _component_expression(component: Component) -> bytes:
    chunks = [b""]
    for token in component:
        if token < 0:
            chunks.append(b"")
        else:
            chunks[-1] += _byte_expression(token)
    if len(chunks) == 1:
        return chunks[0]
    middle = b"".join(b"(?>[^/]*?" + chunk + b")" for chunk in chunks[1:-1])
    return chunks[0] + middle + b"[^/]*" + chunks[-1]


@lru_cache(maxsize=1024)
def _byte_expression(members: int) -> bytes:
    if members == NAME:
        return b"[^/]"
    if members & (members - 1) == 0:
        return re.escape(bytes([members.bit_length() - 1]))
    return b"[" + b"".join(b"\\x%02x" % value for value in range(256) if members >> value & 1) + b"]"
