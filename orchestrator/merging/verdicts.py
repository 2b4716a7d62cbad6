"""What was said of trees before, in one environment: which of it counts, and for how long."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from orchestrator.clock import seconds_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.merging.checks import Check
    from orchestrator.merging.environment import Environment
    from orchestrator.store.records import Verdict
    from orchestrator.workbench import Workbench


class Tally:
    """What the checks of this tenure came to; for threads.

    Stored verdicts do not tell how often a tree was red: a refused entry that comes again is tried again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reds: Counter[tuple[str, str]] = Counter()
        self._newest: dict[tuple[str, str], Verdict] = {}
        self._accidents = 0
        self._seconds: list[float] = []

    def note(self, check: Check, verdict: Verdict) -> None:
        """A check that was run."""
        with self._lock:
            if verdict.passed is False:
                self._reds[check.key, verdict.tree] += 1
                self._newest[check.key, verdict.tree] = verdict
            if verdict.passed is not None:
                self._seconds.append(verdict.seconds)

    def reds(self, check: Check, tree: str) -> int:
        """How often it was red on that tree."""
        with self._lock:
            return self._reds[check.key, tree]

    def red(self, check: Check, tree: str) -> Verdict | None:
        """What it was last, if that was red."""
        with self._lock:
            return self._newest.get((check.key, tree))

    def were_accidents(self, check: Check, tree: str) -> int:
        """It has passed on that tree: returns how often it was red, and counts these no more."""
        with self._lock:
            found = self._reds.pop((check.key, tree), 0)
            self._newest.pop((check.key, tree), None)
            self._accidents += found
            return found

    def taken(self) -> tuple[int, list[float]]:
        """Accidents, and the seconds of each check that said something, since this was last asked."""
        with self._lock:
            found = self._accidents, self._seconds
            self._accidents, self._seconds = 0, []
            return found


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
