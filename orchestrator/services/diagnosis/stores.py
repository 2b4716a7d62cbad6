"""The store's health, and stores that were set aside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from orchestrator.scheduling.freeze import RUNS
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.rebuilding.marks import is_needed, what_was_rebuilt
from orchestrator.store.protocol import SET_ASIDE
from orchestrator.submitting.key import LANDED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestrator.errors import StoreUnusableError
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

_NAME = "store"
SLOW: Final = 0.25
"""Seconds for one value: a thousand times what it takes on a local disk."""


def examine_unusable(error: StoreUnusableError, *, curable: bool) -> Examined:
    """A store that cannot be opened; whoever opens a corrupt one to write sets it aside, never deletes it."""
    detail = error.reason
    if curable:
        detail += "; it will be set aside under another name and a new one made"
    cure = _opened_already if curable else None
    return Examined(_NAME, detail, (Issue("store-unusable", Gravity.ERROR, str(error.path), detail, cure),))


def _opened_already(_bench: Workbench, _session: SessionHandle) -> None:
    """That there is a workbench means that the store was opened, and so set aside if it was corrupt."""


def _rebuilt(ward: Ward, aside: str | None, sentence: str, unknown: Sequence[str]) -> Issue:
    """A warning for as long as the old store lies there: whoever misses nothing deletes it."""
    detail = f"rebuilt from git and journals: {sentence}; not known: {'; '.join(unknown) or 'nothing'}"
    if aside and os.path.lexists(aside):
        return Issue("store-set-aside", Gravity.WARNING, aside, f"{detail}. Delete it when you miss nothing")
    return Issue("store-rebuilt", Gravity.HINT, str(_path(ward)), detail)


def _has_worked(ward: Ward) -> bool:
    return any(ward.references.list(f"{prefix}/") for prefix in (RUNS, LANDED))


def _path(ward: Ward) -> Path:
    return ward.repository.state_dir / "state.db"


def _latency(ward: Ward) -> float:
    """Seconds that the quicker of two reads takes: the first may have to fetch the page."""
    took = []
    for _ in range(2):
        before = ward.clock.monotonic()
        ward.store.value(SET_ASIDE)
        took.append(ward.clock.monotonic() - before)
    return min(took)


def examine_store(ward: Ward) -> Examined:
    """Kind, version, integrity and latency; what was set aside waits for a person."""
    facts, latency = ward.store.health(), _latency(ward)
    detail = f"{facts['kind']}, version {facts['version']}, integrity {facts['integrity']}"
    detail += f", latency {latency * 1000:.1f} ms"
    issues = []
    if latency > SLOW:
        issues.append(
            Issue("store-slow", Gravity.WARNING, str(facts["path"]), f"{latency:.1f} seconds for a read")
        )
    if facts["integrity"] != "ok":
        issues.append(Issue("store-corrupt", Gravity.ERROR, str(facts["path"]), str(facts["integrity"])))
    if aside := ward.store.value(SET_ASIDE):
        said = "it was corrupt; the new store will be rebuilt from git and journals"
        issues.append(Issue("store-set-aside", Gravity.WARNING, aside, said, _opened_already))
    if rebuilt := what_was_rebuilt(ward.store):
        issues.append(_rebuilt(ward, *rebuilt))
    elif is_needed(ward.store) and not ward.store.runs() and _has_worked(ward):
        said = (
            "it is missing, and git knows of runs and landings: it will be made anew and rebuilt from these"
        )
        issues.append(Issue("store-missing", Gravity.ERROR, str(_path(ward)), said, _opened_already))
    return Examined(_NAME, detail, tuple(issues))
