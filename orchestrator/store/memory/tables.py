"""Tables as dicts under one lock, with transactions that are undone whole.

Values are kept as SQLite would give them back: what is JSON there goes through JSON here, and every reader
gets containers of its own.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.errors import StaleRecordError
from orchestrator.store.rules import Guarded, kind_of, through_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_Record = TypeVar("_Record")
_Moving = TypeVar("_Moving", bound=Guarded)


def fresh(record: _Record) -> _Record:
    """``record`` with containers of its own, as they come back from JSON."""
    changed: dict[str, Any] = {}
    for field in fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if isinstance(value, Mapping):
            changed[field.name] = through_json(dict(value))
        elif isinstance(value, tuple | list):
            changed[field.name] = tuple(through_json(list(value)))
    return replace(record, **changed) if changed else record  # type: ignore[type-var]


class Tables:
    """Named dicts. One thread at a time reads or writes; a transaction keeps the others out to its end."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._data: defaultdict[str, dict[Any, Any]] = defaultdict(dict)
        self._before: list[dict[str, dict[Any, Any]]] = []
        self._after: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:  # noqa: ARG002 - memory is not durable
        """See :meth:`orchestrator.store.protocol.Store.transaction`."""
        with self._lock:
            self._before.append({})
            already = len(self._after)
            try:
                yield
            except BaseException:
                del self._after[already:]
                self._data.update(self._before.pop())
                raise
            before = self._before.pop()
            if self._before:
                # The outer may still be undone: a table that it had not touched stood then as it did for us.
                self._before[-1] = {**before, **self._before[-1]}
            else:
                self._do_after()

    def after_commit(self, action: Callable[[], None]) -> None:
        """See the protocol."""
        with self._lock:
            self._after.append(action)
            if not self._before:
                self._do_after()

    def _do_after(self) -> None:
        while self._after:
            self._after.pop(0)()

    def _writing(self, table: str) -> dict[Any, Any]:
        """The rows of ``table``, for a write inside the lock; they are remembered for undoing."""
        if self._before:
            self._before[-1].setdefault(table, dict(self._data[table]))
        return self._data[table]

    def _next(self, counter: str) -> int:
        numbers = self._writing("counters")
        numbers[counter] = numbers.get(counter, 0) + 1
        return int(numbers[counter])

    def _one(self, table: str, key: Any) -> Any:
        with self._lock:
            found = self._data[table].get(key)
            return None if found is None else fresh(found)

    def _all(self, table: str, wanted: Callable[[Any], bool] = lambda _: True) -> list[Any]:
        with self._lock:
            return [fresh(record) for record in self._data[table].values() if wanted(record)]

    def _add(self, table: str, key: Any, record: object) -> None:
        with self._lock:
            if key in self._data[table]:
                raise StaleRecordError(kind_of(record), str(key))
            self._writing(table)[key] = fresh(record)

    def _write(self, table: str, key: str, before: _Moving, after: _Moving) -> _Moving:
        """Write ``after`` where ``before`` still stands."""
        with self._lock:
            now = self._data[table].get(key)
            if now is None or (now.state, now.version) != (before.state, before.version):
                raise StaleRecordError(kind_of(before), key)
            self._writing(table)[key] = fresh(after)
            return fresh(after)


def among(state: Any, states: Collection[Any] | None) -> bool:
    """Whether ``state`` is one of ``states``; None stands for any."""
    return states is None or state in states
