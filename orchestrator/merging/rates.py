"""How often entries fail and checks are red by accident, as measured at this target; for the planner.

Only how many entries one check covers depends on it. Old outcomes fade with each new one. Before
anything is measured, the rates are those of :class:`Rates`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.planning.estimate import BELIEVED
from orchestrator.planning.model import Rates
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestrator.merging.verdicts import Tally
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry

_KEPT: Final = 100
"""Outcomes after which the weight of one has fallen to 1/e."""
_CHECKS: Final = 5
"""The mean time of a check is that of about so many of the last."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Faded counts.

    Of entries: those that ``landed`` with a check, those ``refused`` for a red one. Of checks: ``accidents``,
    red on a tree that has passed since, and the mean ``seconds`` that one takes; 0 where that is not known.
    """

    landed: float = 0.0
    refused: float = 0.0
    accidents: float = 0.0
    seconds: float = 0.0

    def and_more(
        self, *, landed: int = 0, refused: int = 0, accidents: int = 0, checks: Iterable[float] = ()
    ) -> Outcomes:
        """With these outcomes, and the seconds of these checks."""
        fade, seconds = (1 - 1 / _KEPT) ** (landed + refused), self.seconds
        for took in checks:
            seconds += (took - seconds) / _CHECKS if seconds else took
        return Outcomes(
            self.landed * fade + landed,
            self.refused * fade + refused,
            self.accidents * fade + accidents,
            seconds,
        )

    @property
    def rates(self) -> Rates:
        """What to expect of the next."""
        known = self.landed + self.refused
        usual = Rates()
        return Rates(
            failure=(self.refused + usual.failure * BELIEVED) / (known + BELIEVED),
            flake=(self.accidents + usual.flake * BELIEVED) / (known + self.accidents + BELIEVED),
        )


def measured(store: Store, target: str) -> Outcomes:
    """What was stored last."""
    found = store.value(_key(target))
    return replace(Outcomes(), **json.loads(found)) if found else Outcomes()


def note_outcomes(store: Store, target: str, ended: Collection[Entry], tally: Tally) -> None:
    """Count what has just become of entries, and what ``tally`` has of checks."""
    accidents, checks = tally.taken()
    landed, refused = sum(map(is_landed, ended)), sum(map(is_refused, ended))
    if landed or refused or accidents or checks:
        known = measured(store, target)
        more = known.and_more(landed=landed, refused=refused, accidents=accidents, checks=checks)
        store.set_value(_key(target), json.dumps(asdict(more)))


def is_landed(entry: Entry) -> bool:
    """Whether it has landed by a check."""
    return (entry.state, entry.reason.get("code"), entry.unchecked) == (EntryState.LANDED, None, False)


def is_refused(entry: Entry) -> bool:
    """Whether it was rejected for a red check."""
    return (entry.state, entry.reason.get("code")) == (EntryState.REJECTED, "red")


def _key(target: str) -> str:
    return f"outcomes.{target}"
