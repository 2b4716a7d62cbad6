"""Texts of which one begins the other: found by what they say, not by looking at every pair."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Agreeing(Generic[T]):
    """Values by text. The cost of a look is that of the text's length and of what is found."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[str, T] = {}
        self._texts: list[str] = []

    def at(self, text: str) -> T:
        """The value of exactly this text, made where there is none yet."""
        value = self._values.get(text)
        if value is None:
            value = self._values[text] = self._make()
            insort(self._texts, text)
        return value

    def agreeing(self, text: str) -> Iterator[T]:
        """The values of all texts that begin ``text`` or that ``text`` begins, each once."""
        if not text:
            yield from self._values.values()
            return
        for length in range(len(text)):
            value = self._values.get(text[:length])
            if value is not None:
                yield value
        for number in range(bisect_left(self._texts, text), len(self._texts)):
            longer = self._texts[number]
            if not longer.startswith(text):
                return
            yield self._values[longer]
