"""The truth about patterns is git itself: which paths of an index `git ls-files ':(glob)…'` names."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


class PathspecOracle:
    """Holds paths in one index per depth, as a file and a folder of one name cannot be in the same."""

    def __init__(self, folder: Path, paths: Iterable[str], magic: str = "glob") -> None:
        self._folder = folder
        self._magic = magic
        self._known: dict[str, frozenset[str]] = {}
        folder.mkdir(parents=True)
        self._git(["init", "-q"], None)
        layers: dict[int, list[str]] = {}
        for path in dict.fromkeys(paths):
            layers.setdefault(path.count("/"), []).append(path)
        self.indexes = [str(folder / f"index{depth}") for depth in layers]
        self.paths: set[str] = set()
        for index, layer in zip(self.indexes, layers.values(), strict=True):
            entries = "".join(f"100644 {EMPTY_BLOB}\t{path}\0" for path in layer)
            self._git(["update-index", "-z", "--index-info"], index, os.fsencode(entries))
            self.paths |= self._list([], index)

    def takes(self, glob: str) -> frozenset[str]:
        """The paths that git says the pattern takes."""
        if glob not in self._known:
            found = (self._list([f":({self._magic}){glob}"], index) for index in self.indexes)
            self._known[glob] = frozenset[str]().union(*found)
        return self._known[glob]

    def takes_all(self, texts: Sequence[str]) -> frozenset[str]:
        """The paths of a list of patterns, each asked of git, in order, with ``!`` taking away."""
        result: frozenset[str] = frozenset()
        for text in texts:
            result = result - self.takes(text[1:]) if text.startswith("!") else result | self.takes(text)
        return result

    def _list(self, pathspecs: list[str], index: str) -> set[str]:
        return set(self._git(["ls-files", "-z", "--", *pathspecs], index).split("\0")[:-1])

    def _git(self, arguments: list[str], index: str | None, data: bytes = b"") -> str:
        environment = os.environ | ({"GIT_INDEX_FILE": index} if index else {})
        done = subprocess.run(
            ["git", *map(os.fsencode, arguments)],
            cwd=self._folder,
            input=data,
            capture_output=True,
            check=True,
            env=environment,
        )
        return os.fsdecode(done.stdout)


SMALL_NAMES = ("a", "b", "aa", "ab", "ba", "bb", "aab", ".a", "a.b", "[a]")


def small_paths() -> list[str]:
    """All paths of up to three of a few names: 1,110 of them."""
    one = list(SMALL_NAMES)
    two = [f"{a}/{b}" for a in one for b in one]
    return [*one, *two, *(f"{path}/{a}" for path in two for a in one)]


_PIECES = ("a", "b", "a", "b", "?", "*", "*", "[ab]", "[!a]", ".", "[^b.]", "[[:alpha:]]", "**", "[a", "[b-]")


def random_glob(random_: random.Random) -> str:
    """A pattern over the letters of :func:`small_paths`: any mixture of literals, wildcards and folders."""
    names = []
    for _ in range(random_.choice((1, 1, 2, 2, 3, 4))):
        if random_.random() < 0.25:
            names.append("**")
        else:
            names.append("".join(random_.choice(_PIECES) for _ in range(random_.choice((1, 1, 2, 2, 3, 4)))))
    names = [name for name in names if name not in {".", ".."}] or ["a"]
    return "/".join(names) + ("/" if random_.random() < 0.1 else "")


def random_texts(random_: random.Random, pool: Sequence[str], *, most: int = 5) -> list[str]:
    """A list of patterns from the pool, about a third of them taking away."""
    globs = [random_.choice(pool) for _ in range(random_.randint(1, most))]
    return [("!" if number and random_.random() < 0.35 else "") + glob for number, glob in enumerate(globs)]


_ODD = "ab-]![^:zA9 .é\udcff\n"


def odd_paths(random_: random.Random, count: int) -> list[str]:
    """Paths of hostile names: brackets, blanks, newlines, letters of two bytes, bytes that are no text."""
    names = ["".join(random_.choice(_ODD) for _ in range(random_.randint(1, 4))) for _ in range(40)]
    return ["/".join(random_.choice(names) for _ in range(random_.randint(1, 3))) for _ in range(count)]


def odd_glob(random_: random.Random, paths: Sequence[str]) -> str:
    """A hostile pattern: a path with parts of it replaced by wildcards and half-open brackets."""
    text = random_.choice(paths)
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(text) + 1)
        piece = random_.choice(
            ("*", "?", "**", "[", "]", "[[:alpha:]", "[!", "[a-", "[]-", "[[:punct:]-z]", "/**/")
        )
        text = text[:at] + piece + text[at + random_.randint(0, 2) :]
    return text
