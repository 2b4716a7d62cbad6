"""What plans at work have changed beside what they declared, as last seen: rows by attempt, one value a run.

Promise: a row is what the conductor of that run last saw. Not promised: that it is still so. Whoever reads
it goes by the state of the attempt, which is the guard: the row of one that is not at work means nothing. A
run has one conductor, so nobody else writes its value; a killed one leaves rows that its successor looks at
again first. Loaded by ``status``: no git here, and no patterns.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.protocol import Store

MOST_PATHS: Final = 100


@dataclass(frozen=True, slots=True)
class Drifted:
    """The drift of one attempt.

    ``paths`` are the first of the ``count`` changed paths that its manifest does not name, sorted.
    ``touches`` maps each other plan, at work or still waiting, that declared one it changed to the first
    such path; ``told`` are those of them that were at work and have been told. ``unread`` is why the last
    look told nothing, and then the rest is as before.
    """

    paths: tuple[str, ...] = ()
    count: int = 0
    touches: Mapping[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    unread: str = ""


NO_DRIFT: Final = Drifted()


def load(store: Store, run: str) -> dict[str, Drifted]:
    """The rows of ``run``, by attempt."""
    return parse(store.value(_key(run)))


def load_text(store: Store, run: str) -> str | None:
    """The rows as they are stored: equal texts are equal rows (see :func:`parse`)."""
    return store.value(_key(run))


def parse(text: str | None) -> dict[str, Drifted]:
    """The rows in what :func:`load_text` returned."""
    found = {}
    for attempt, row in json.loads(text or "{}").items():
        row |= {"paths": tuple(row["paths"]), "told": tuple(row["told"])}
        found[attempt] = Drifted(**row)
    return found


def save(store: Store, run: str, rows: Mapping[str, Drifted]) -> None:
    """Replace the rows of ``run``; rows that say nothing are left out."""
    said = {attempt: asdict(row) for attempt, row in rows.items() if row != NO_DRIFT}
    store.set_value(_key(run), json.dumps(said) if said else None)


def _key(run: str) -> str:
    return f"drift.{run}"
