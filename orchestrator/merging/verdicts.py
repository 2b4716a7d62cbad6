"""What was said of trees before, in one environment: which of it counts, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.clock import seconds_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.merging.checks import Check
    from orchestrator.merging.environment import Environment
    from orchestrator.store.records import Verdict
    from orchestrator.workbench import Workbench


class Verdicts:
    """The stored verdicts of one environment, as the settings of ``bench`` take them."""

    def __init__(self, bench: Workbench, environment: Environment) -> None:
        self._bench = bench
        self._environment = environment

    def passed(self, check: Check, tree: str) -> Verdict | None:
        """The newest that is used again: it passed, is untainted and younger than ``verdict_ttl``."""
        return self._counting(self._stored(check, tree))

    def said(self, check: Check, tree: str) -> bool | None:
        """False where the newest verdict is red, True where one is used again, else None."""
        stored = self._stored(check, tree)
        if stored and stored[0].passed is False:
            return False
        return True if self._counting(stored) else None

    def _stored(self, check: Check, tree: str) -> Sequence[Verdict]:
        return self._bench.store.verdicts(tree, check.key, self._environment.digest(check))

    def _counting(self, stored: Sequence[Verdict]) -> Verdict | None:
        return next((v for v in stored if v.passed and not v.tainted and self._is_fresh(v)), None)

    def _is_fresh(self, known: Verdict) -> bool:
        age = seconds_between(known.finished_at, self._bench.clock.now())
        return 0 <= age < self._bench.settings.project.verdict_ttl
