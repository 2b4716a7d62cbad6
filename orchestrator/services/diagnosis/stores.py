"""The store's health, and stores that were set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.store.protocol import SET_ASIDE

if TYPE_CHECKING:
    from orchestrator.errors import StoreUnusableError
    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

_NAME = "store"


def examine_unusable(error: StoreUnusableError, *, curable: bool) -> Examined:
    """A store that cannot be opened; whoever opens a corrupt one to write sets it aside, never deletes it."""
    detail = error.reason
    if curable:
        detail += "; it will be set aside under another name and a new one made"
    cure = _opened_already if curable else None
    return Examined(_NAME, detail, (Issue("store-unusable", Gravity.ERROR, str(error.path), detail, cure),))


def _opened_already(_bench: Workbench, _session: SessionHandle) -> None:
    """That there is a workbench means that the store was opened, and so set aside if it was corrupt."""


def examine_store(ward: Ward) -> Examined:
    """Kind, version and integrity; what was set aside waits for a person."""
    facts = ward.store.health()
    detail = f"{facts['kind']}, version {facts['version']}, integrity {facts['integrity']}"
    issues = []
    if facts["integrity"] != "ok":
        issues.append(Issue("store-corrupt", Gravity.ERROR, str(facts["path"]), str(facts["integrity"])))
    if aside := ward.store.value(SET_ASIDE):
        said = "it was corrupt; what it alone knew (attempts, queue) is not in the new store"
        issues.append(Issue("store-set-aside", Gravity.WARNING, aside, said))
    return Examined(_NAME, detail, tuple(issues))
