"""What became of entries, by target, as the text that the store keeps under one name.

With it stands what it is made of. What another version of planctl has written otherwise is not made out:
there nothing is remembered, and what is learned is written in its place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from orchestrator.planning.estimate import Evidence, Experience, Past, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

VALUE: Final = "estimates"
"""The named value of the store."""
_FORM: Final = [*map(str, Evidence), *(field.name for field in fields(Past))]


def written(experiences: Mapping[str, Experience]) -> str:
    """As JSON."""
    return json.dumps({target: _stored(each) for target, each in experiences.items()})


def read(text: str | None) -> dict[str, Experience]:
    """What :func:`written` wrote; None: nothing is remembered."""
    try:
        stored = json.loads(text or "{}")
    except ValueError:
        return {}
    every = stored.items() if isinstance(stored, dict) else ()
    return {target: _loaded(each) for target, each in every if _is_ours(each)}


def _stored(known: Experience) -> dict[str, Any]:
    return {"form": _FORM, "past": [asdict(row) for row in known.past], "weights": asdict(known.weights)}


def _is_ours(found: object) -> bool:
    return isinstance(found, dict) and found.get("form") == _FORM


def _loaded(found: Mapping[str, Any]) -> Experience:
    past = tuple(Past(**{**row, "paths": tuple(row["paths"])}) for row in found["past"])
    weights = found["weights"]
    return Experience(past, Weights(tuple(weights["mean"]), tuple(map(tuple, weights["spread"]))))
