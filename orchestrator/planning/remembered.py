"""What became of entries, by target, as the text that the store keeps under one name."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from orchestrator.planning.estimate import Experience, Past, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

VALUE: Final = "estimates"
"""The named value of the store."""


def written(experiences: Mapping[str, Experience]) -> str:
    """As JSON."""
    return json.dumps({target: _stored(each) for target, each in experiences.items()})


def read(text: str | None) -> dict[str, Experience]:
    """What :func:`written` wrote; None: nothing is remembered."""
    return {target: _loaded(found) for target, found in json.loads(text or "{}").items()}


def _stored(known: Experience) -> dict[str, Any]:
    return {"past": [asdict(row) for row in known.past], "weights": asdict(known.weights)}


def _loaded(found: Mapping[str, Any]) -> Experience:
    past = tuple(Past(**{**row, "paths": tuple(row["paths"])}) for row in found["past"])
    weights = found["weights"]
    return Experience(past, Weights(tuple(weights["mean"]), tuple(map(tuple, weights["spread"]))))
