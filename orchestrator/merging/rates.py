"""How often entries fail and checks are red by accident, as measured at this target; for the planner.

Only how many entries one check covers depends on it. Old outcomes fade with each new one. Before
anything is measured, the rates are those of :class:`Rates`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.planning.model import Rates
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry

_KEPT: Final = 100
"""Outcomes after which the weight of one has fallen to 1/e."""
_BELIEVED: Final = 10
"""Outcomes that the rates of a queue nothing is known of are worth."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Faded counts.

    Of entries: those that ``landed`` with a check, those ``refused`` for a red one. Of checks: ``accidents``,
    red on a tree that has passed since.
    """

    landed: float = 0.0
    refused: float = 0.0
    accidents: float = 0.0

    def and_more(self, *, landed: int = 0, refused: int = 0, accidents: int = 0) -> Outcomes:
        """With these outcomes."""
        fade = (1 - 1 / _KEPT) ** (landed + refused)
        return Outcomes(
            self.landed * fade + landed, self.refused * fade + refused, self.accidents * fade + accidents
        )

    @property
    def rates(self) -> Rates:
        """What to expect of the next."""
        known = self.landed + self.refused
        usual = Rates()
        return Rates(
            failure=(self.refused + usual.failure * _BELIEVED) / (known + _BELIEVED),
            flake=(self.accidents + usual.flake * _BELIEVED) / (known + self.accidents + _BELIEVED),
        )


def measured(store: Store, target: str) -> Outcomes:
    """What was stored last."""
    found = store.value(_key(target))
    return replace(Outcomes(), **json.loads(found)) if found else Outcomes()


def note_outcomes(store: Store, target: str, ended: Iterable[Entry], accidents: int) -> None:
    """Count what has just become of entries; ``accidents``: red checks of what has passed since."""
    states = [(entry.state, entry.reason.get("code"), entry.unchecked) for entry in ended]
    landed = states.count((EntryState.LANDED, None, False))
    refused = states.count((EntryState.REJECTED, "red", False))
    if landed or refused or accidents:
        more = measured(store, target).and_more(landed=landed, refused=refused, accidents=accidents)
        store.set_value(_key(target), json.dumps(asdict(more)))


def _key(target: str) -> str:
    return f"outcomes.{target}"
