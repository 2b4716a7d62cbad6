"""Which files a plan will touch, guessed from its text alone, for plans that declare none.

What looks like a path in the body counts, in prose, in code and in links:

1. an existing file, or an existing folder with a ``/`` in its name, written from the repository's top
2. the end of exactly one existing file's path, in whole components: ``model.py``, ``auth/model.py``
3. a file that may come: a name with an extension in a folder that exists
4. a pattern with wildcards that lies in a folder that exists, or has an existing file

Addresses (``https://…``), absolute paths and ``..`` are not looked at. A guess advises and never makes a plan
wait: text names files that are only read, and leaves out others. All guesses are taken for written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.errors import PatternSyntaxError
from plans.patterns import Pattern, PatternSet
from plans.wildmatch import wild_shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plans.cochange import Rule
    from plans.model import Plan
    from plans.tree import FileTree

MAX_NAMES: Final = 5_000
"""Different words of a text that are looked up among the files; what comes after them is left out."""
MAX_GUESSES: Final = 200
"""A text that names more than this says nothing about which of them it is about; the rest is left out."""
_LONGEST: Final = 160
"""Bytes of a name: :data:`MAX_GUESSES` of them are a list of patterns that can still be compared."""
_ADDRESS: Final = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://\S+")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_WORD: Final = re.compile(r"[^\s`'\"()<>{},;|=]+")
_BOLD: Final = re.compile(r"\A\*\*([^*?/\[]+)\Z|\A([^*?/\[]+)\*\*\Z")
"""The first or the last of several words in bold."""
_PLACE: Final = re.compile(r"(?:#L?[0-9]\S*|:[0-9]+(?:[:-][0-9]+)?:?)$")
_LAST_NAME: Final = re.compile(r"[^/.][^/]*\.[A-Za-z][A-Za-z0-9]{0,9}|\.[A-Za-z][\w.-]{1,30}")


@dataclass(frozen=True, slots=True)
class Guess:
    """A file, folder (with a ``/`` at its end) or pattern that a plan's text names.

    ``line`` is where it does so first: a line of the plan file, or None in one that is YAML as a whole.
    ``exists``: at least one existing file is meant. ``because``: history names it, not the text.
    """

    pattern: str
    line: int | None
    exists: bool
    because: Rule | None = None


class Lookup:
    """What names mean among the files of ``tree``; each name is looked up once, for whatever plan."""

    def __init__(self, tree: FileTree) -> None:
        self._tree = tree
        self._known: dict[str, tuple[str, bool] | None] = {}

    def __call__(self, name: str) -> tuple[str, bool] | None:
        """The pattern that a name stands for, and whether it has existing files; None for what is no path."""
        if name not in self._known:
            self._known[name] = _named(name, self._tree)
        return self._known[name]


def predict(plan: Plan, lookup: Lookup) -> tuple[Guess, ...]:
    """The guesses for one plan in the order of its text, :data:`MAX_GUESSES` at most."""
    found: dict[str, Guess] = {plan.path.as_posix(): _NO_GUESS}
    before = _lines_before_body(plan)
    asked: set[str] = set()
    for number, text in enumerate(plan.body.split("\n"), 1):
        line = None if before is None else before + number
        for name in _names(text):
            if name in asked:
                continue
            asked.add(name)
            if len(asked) > MAX_NAMES:
                return tuple(found.values())[1:]
            named = lookup(name)
            if named is not None:
                found.setdefault(named[0], Guess(named[0], line, exists=named[1]))
                if len(found) > MAX_GUESSES:
                    return tuple(found.values())[1:]
    return tuple(found.values())[1:]


_NO_GUESS: Final = Guess("", None, exists=True)
"""Stands for the plan's own file, which belongs to every plan without being said."""


def _lines_before_body(plan: Plan) -> int | None:
    body = plan.body.encode("utf-8")
    return plan.source[: -len(body)].count(b"\n") if body and plan.source.endswith(body) else None


def _names(text: str) -> Iterator[str]:
    """What may be a path in a line: pieces of code as a whole, which may hold spaces, then words."""
    plain = _ADDRESS.sub(" ", text)
    yield from (code for code in _CODE.findall(plain) if " " in code)
    for word in _WORD.findall(plain):
        yield _trimmed(word)


def _trimmed(word: str) -> str:
    """A word without the marks of Markdown and prose around it, and without a line number behind it."""
    word = word.rstrip(".:!?")
    if word.startswith("[") and word.endswith("]"):  # the text of a link
        word = word[1:-1]
    for mark in ("**", "__", "*", "_"):
        if len(word) > 2 * len(mark) and word.startswith(mark) and word.endswith(mark):
            word = word[len(mark) : -len(mark)]
    word = _BOLD.sub(r"\1\2", word)
    return _PLACE.sub("", word).removeprefix("./")


def _named(name: str, tree: FileTree) -> tuple[str, bool] | None:
    try:
        pattern = Pattern.parse(name)
    except PatternSyntaxError:
        return None
    if pattern.negated or len(pattern.raw) > _LONGEST:
        return None
    if tree.has_file(name):
        return name, True
    if "/" in name and tree.has_folder(name.removesuffix("/")):
        return name.removesuffix("/") + "/", True
    existing = _wild(pattern, tree) if pattern.has_wildcard else _ending(name, tree)
    if existing is not None:
        return existing, True
    folder = pattern.literal_prefix.rpartition("/")[0]
    may_come = folder and tree.has_folder(folder) and (pattern.has_wildcard or _is_file_name(name))
    return (name, False) if may_come else None


def _wild(pattern: Pattern, tree: FileTree) -> str | None:
    """Not of a text that git takes for itself alone, such as half a link's text, ``[see``."""
    says_something = set(pattern.text) - set("*?/") and wild_shapes(pattern.raw)
    return pattern.text if says_something and tree.matching(PatternSet((pattern,))) else None


def _ending(name: str, tree: FileTree) -> str | None:
    return tree.only_file_ending_in(name) if _is_file_name(name) else None


def _is_file_name(path: str) -> bool:
    return _LAST_NAME.fullmatch(path.rpartition("/")[2]) is not None
