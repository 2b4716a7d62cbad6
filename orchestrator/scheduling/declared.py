"""What plans declared to write, stored with their run, so that it can be told without git, YAML or graph.

Stored among the options of the run: they are frozen with it, and come back when a store is rebuilt.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from orchestrator.scheduling.drift import Declaration
from orchestrator.slots.places import is_at_work
from orchestrator.states import AttemptState
from plans.folding import Folding
from plans.hotfiles import without_hot_paths
from plans.ids import PlanId
from plans.patterns import PatternSet
from plans.project import Enforce

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestrator.clock import Clock
    from orchestrator.settings import Settings
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Attempt, RunRecord
    from plans.model import Plan


def declared(plans: Collection[Plan], settings: Settings) -> dict[str, Any]:
    """What is added to the options of a run of ``plans``, as JSON values."""
    files = {plan.id: list(plan.declared.write.texts) if plan.declared else None for plan in plans}
    paths = {plan.id: plan.path.as_posix() for plan in plans}
    return {
        "enforce": str(settings.project.enforce),
        "hot_files": sorted(settings.project.hot_files),
        "folding": dataclasses.asdict(settings.folding),
        "declared": {p: [paths[p], files[p]] for p in files},
        "bound": {p.id: list(p.manifest.write.texts) for p in plans if p.manifest and p.manifest.predicted},
    }


def declaration(run: RunRecord, plan: str) -> Declaration | None:
    """What ``plan`` declared in ``run``; None where an older planctl stored the run."""
    found = run.options.get("declared", {}).get(plan)
    if found is None:
        return None
    path, write = found
    return Declaration(path, None if write is None else PatternSet.parse(write))


def written(run: RunRecord, plan: str) -> PatternSet:
    """What keeps others off while ``plan`` is at work in ``run``: what it declared, or was bound to.

    Folded, hot files aside; empty where nothing is known.
    """
    own = declaration(run, plan)
    write = own.write if own else None
    if write is None:
        write = PatternSet.parse(run.options.get("bound", {}).get(plan, ()))
    return folding(run).patterns(without_hot_paths(write, hot_files(run), folding(run)))


def enforced(run: RunRecord) -> Enforce:
    """What ``enforce`` said when ``run`` began."""
    return Enforce(run.options.get("enforce", Enforce.OFF))


def hot_files(run: RunRecord) -> frozenset[str]:
    """The paths that ``hot_files`` named when ``run`` began."""
    return frozenset(run.options.get("hot_files", ()))


def folding(run: RunRecord) -> Folding:
    """Which names were one file where ``run`` began."""
    return Folding(**run.options.get("folding", {}))


def counts(store: Store, clock: Clock, attempt: Attempt) -> bool:
    """Work in the queue lands whoever is alive; other work counts while its run's session lives."""
    if attempt.state is AttemptState.QUEUED:
        return True
    run = store.run(attempt.run)
    return run is not None and is_at_work(store, clock, run.session)


def declared_beside(
    store: Store, clock: Clock, own: Attempt, active: Iterable[Attempt]
) -> dict[PlanId, PatternSet]:
    """What the plans of ``active`` that count for ``own`` declared to write; as ``Observer`` tells a run."""
    found: dict[PlanId, PatternSet] = {}
    for attempt in active:
        if attempt.plan == own.plan or not (attempt.run == own.run or counts(store, clock, attempt)):
            continue
        run = store.run(attempt.run)
        said = declaration(run, attempt.plan) if run else None
        if said is not None and said.write is not None:
            found[PlanId(attempt.plan)] = said.write
    return found
