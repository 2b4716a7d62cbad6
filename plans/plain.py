"""Patterns of the plain kinds that people mostly write, which need no regular expression.

| kind | texts | files |
| --- | --- | --- |
| a path | ``src/a.py``, ``src/`` | the file, and what lies in the folder of that name |
| a folder | ``src/**``, ``**`` | all below |
| names | ``src/*.py``, ``src/**/test_*.py``, ``**/Makefile`` | that name in the folder, or in any below it |

Of every other text, and of every one that is not ASCII, :mod:`plans.wildmatch` says what it means. Where both
could say it they agree, which a test holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Plain:
    """Files below ``head`` (a folder with its ``/``, or empty) whose name has this beginning and end.

    ``deep``: at any depth, else in the folder itself. Without ``star``, ``before`` is the whole name. With
    ``below``, all names below ``head`` will do. With ``literal``, the path ``head`` without its ``/`` too.
    """

    text: str
    head: str
    before: str = ""
    after: str = ""
    star: bool = False
    deep: bool = False
    below: bool = False
    literal: bool = False

    @property
    def ends(self) -> tuple[str, str] | None:
        """How the last name of each of its paths begins and ends; None where it may be any name."""
        if self.below:
            return None
        return self.before, self.after if self.star else self.before

    def matches(self, path: str) -> bool:
        """Whether it takes the file ``path``."""
        if path.startswith(self.head) and path != self.head and self._takes(path):
            return True
        if self.literal:
            return path == self.head[:-1]
        return path.startswith(self.text) and path[len(self.text) :].startswith("/")  # a folder called ``*``

    def _takes(self, path: str) -> bool:
        if self.below:
            return True
        start = len(self.head)
        slash = path.rfind("/", start)
        if slash >= 0:
            if not self.deep:
                return False
            start = slash + 1
        if not self.star:
            return path[start:] == self.before
        longest = len(path) - start
        return (
            longest >= max(1, len(self.before) + len(self.after))
            and path.startswith(self.before, start)
            and path.endswith(self.after)
        )


@lru_cache(maxsize=1 << 17)
def plain(glob: str) -> Plain | None:
    """The plain kind of a text without its ``!``, or None where it has none."""
    if not glob.isascii() or "?" in glob or "[" in glob:
        return None
    if "*" not in glob:
        return Plain(glob, f"{glob.removesuffix('/')}/", below=True, literal=not glob.endswith("/"))
    folder, slash, name = glob.rpartition("/")
    deep = folder == "**" or folder.endswith("/**")
    head = folder[:-2] if deep else folder + slash
    if "*" in head or not name:
        return None
    if name == "**":
        return Plain(glob, head, below=True)
    before, star, after = name.partition("*")
    if "*" in after:
        return None
    return Plain(glob, head, before, after, star=bool(star), deep=deep)
