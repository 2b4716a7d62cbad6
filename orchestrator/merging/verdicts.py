"""What was said of trees before, in one environment: which of it counts, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.merging.checks import Check
    from orchestrator.merging.environment import Environment
    from orchestrator.store.records import Verdict
    from orchestrator.workbench import Workbench


class Verdicts:
    """The stored verdicts of one environment, as the settings of ``bench`` take them."""

    def __init__(self, bench: Workbench, environment: Environment) -> None:
        self._bench = bench
        self._environment = environment

    def newest(self, check: Check, tree: str) -> Verdict | None:
        """What was said last, however old or tainted it is."""
        found = self._bench.store.verdicts(tree, check.key, self._environment.digest(check))
        return next(iter(found), None)

    def passed(self, check: Check, tree: str) -> Verdict | None:
        """The newest that is used again: it passed, is untainted and younger than ``verdict_ttl``."""
        found = self._bench.store.verdicts(tree, check.key, self._environment.digest(check))
        return next((v for v in found if v.passed and not v.tainted and self._is_fresh(v)), None)

    def _is_fresh(self, known: Verdict) -> bool:
        age = _time(self._bench.clock.now()) - _time(known.finished_at)
        return timedelta(0) <= age < timedelta(seconds=self._bench.settings.project.verdict_ttl)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
