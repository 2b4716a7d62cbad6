"""What was written in the main checkout while plans of a run were at work, as last seen: one value a run.

Promise: a row is what the conductor of that run last saw. Not promised: that it is still so. Loaded by
``status``: no git here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.scheduling.leaks import Clue, Leak, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.protocol import Store

MOST_ROWS: Final = 200
"""Files beyond these are counted in the events, and no more."""


@dataclass(frozen=True, slots=True)
class Leaked:
    """The rows of one run by path; ``looked`` is when the last look began: who goes on begins there."""

    rows: Mapping[str, Leak] = field(default_factory=dict)
    looked: str = ""


def load(store: Store, run: str) -> Leaked:
    """What is stored of ``run``."""
    return parse(load_text(store, run))


def load_text(store: Store, run: str) -> str | None:
    """The value as it is stored: equal texts are equal rows (see :func:`parse`)."""
    return store.value(_key(run))


def parse(text: str | None) -> Leaked:
    """The rows in what :func:`load_text` returned."""
    if text is None:
        return Leaked()
    value = json.loads(text)
    rows = {}
    for row in value["rows"]:
        clues = tuple(Clue(plan, Trace(trace), detail) for plan, trace, detail in row["clues"])
        rows[row["path"]] = Leak(row["path"], row["seen_at"], tuple(row["candidates"]), clues)
    return Leaked(rows, value["looked"])


def save(store: Store, run: str, leaked: Leaked) -> None:
    """Replace what is stored of ``run``; where there are too many, those that point to a plan stay."""
    kept = sorted(leaked.rows.values(), key=lambda leak: not leak.plan)[:MOST_ROWS]
    rows = [
        {**asdict(leak), "clues": [(clue.plan, clue.trace.value, clue.detail) for clue in leak.clues]}
        for leak in kept
    ]
    store.set_value(_key(run), json.dumps({"rows": rows, "looked": leaked.looked}))


def drop(store: Store, run: str) -> None:
    """Forget ``run``, which has ended."""
    store.set_value(_key(run), None)


def row_data(leak: Leak) -> dict[str, object]:
    """A row under the names of the contract."""
    return {
        "path": leak.path,
        "plan": leak.plan or None,
        "candidates": list(leak.candidates),
        "clues": [asdict(clue) for clue in leak.clues],
        "seen_at": leak.seen_at,
    }


def _key(run: str) -> str:
    return f"leaks.{run}"
