"""Changes that truly came, read from a CSV file.

The first line names the columns. ``arrives`` has to be there: seconds, or a time in ISO 8601, the same for
all lines. The others may be missing, or empty in a line, and are then drawn by the recipe: ``id``;
``seconds``, how long the check takes; ``outcome``, ``passed`` or ``failed``, of the change by itself;
``priority``. ``meets`` has the ids of earlier changes that it overlaps with, with spaces between them; where
the column is there, an empty field means none. ``paths`` has the files that it changes, likewise.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Final

from orchestrator.simulation.workload import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMNS: Final = ("arrives", "id", "seconds", "outcome", "priority", "meets", "paths")
_OUTCOMES: Final = {"passed": True, "failed": False}


class RecordedError(ValueError):
    """A file of arrivals does not say what it has to."""

    def __init__(self, line: int, fact: str) -> None:
        super().__init__(f"line {line}: {fact}")
        self.line, self.fact = line, fact


def read_recorded(lines: Iterable[str]) -> tuple[Recorded, ...]:
    """The changes in order of arrival, the first at 0. Raises RecordedError."""
    rows = csv.DictReader(lines, strict=True)
    try:
        _check_columns(rows.fieldnames)
        found = [(rows.line_num, _change(rows.line_num, row)) for row in rows]
    except csv.Error as error:
        raise RecordedError(rows.reader.line_num, str(error)) from error
    if not found:
        raise RecordedError(rows.line_num, "there is no change in it")
    found.sort(key=lambda each: each[1].arrives)
    _check_names(found)
    first = found[0][1].arrives
    return tuple(
        Recorded(c.arrives - first, c.id, c.seconds, c.sound, c.priority, c.meets, c.paths) for _, c in found
    )


def share_failed(recorded: Sequence[Recorded]) -> float | None:
    """The share that failed of those whose outcome is known; None where none is."""
    known = [change.sound for change in recorded if change.sound is not None]
    return known.count(False) / len(known) if known else None


def _check_columns(names: Iterable[str] | None) -> None:
    there = list(names or ())
    if "arrives" not in there:
        raise RecordedError(1, "there is no column 'arrives'")
    if unknown := [name for name in there if name not in COLUMNS]:
        raise RecordedError(1, f"there is no column {unknown[0]!r}, but {', '.join(COLUMNS)}")


def _check_names(found: Iterable[tuple[int, Recorded]]) -> None:
    """Ids are given once, and ``meets`` names those that came before."""
    before: set[str] = set()
    for number, (line, change) in enumerate(found):
        if missing := sorted((change.meets or frozenset()) - before):
            raise RecordedError(line, f"meets {missing[0]!r}, which is none of the earlier ones")
        name = change.id or f"c{number}"
        if name in before:
            raise RecordedError(line, f"{name!r} is there twice")
        before.add(name)


def _change(line: int, row: dict[str | None, str | None]) -> Recorded:
    if None in row:
        raise RecordedError(line, "has more fields than the first line")
    fields = {name: (value or "").strip() for name, value in row.items()}
    try:
        return Recorded(
            arrives=_time(fields["arrives"]),
            id=fields.get("id") or None,
            seconds=_seconds(fields.get("seconds", "")),
            sound=_outcome(fields.get("outcome", "")),
            priority=int(fields["priority"]) if fields.get("priority") else None,
            meets=_names(fields.get("meets")),
            paths=_names(fields.get("paths")),
        )
    except ValueError as error:
        raise RecordedError(line, str(error)) from error


def _time(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        when = datetime.fromisoformat(text)
        found = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    if not isfinite(found):
        raise ValueError(f"{text!r} is no time")
    return found


def _names(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(text.split())


def _seconds(text: str) -> float | None:
    if not text:
        return None
    found = float(text)
    if not (isfinite(found) and found > 0):
        raise ValueError(f"{text!r} is no duration")
    return found


def _outcome(text: str) -> bool | None:
    if not text:
        return None
    if text not in _OUTCOMES:
        raise ValueError(f"an outcome is {' or '.join(_OUTCOMES)}, not {text!r}")
    return _OUTCOMES[text]
