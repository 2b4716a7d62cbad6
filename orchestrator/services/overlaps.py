"""Use cases on overlaps: which plans could touch the same files, and what exactly two of them share."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.clock import SystemClock
from orchestrator.errors import UsageError
from orchestrator.services.plans import choose, guarded_settings, require_top, usable_settings
from plans.errors import CycleError
from plans.overlap import OverlapSeverity, find_overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from orchestrator.settings import Settings
    from orchestrator.store.protocol import Store
    from plans.goesfirst import GoesFirst
    from plans.ids import PlanId
    from plans.model import Plan
    from plans.overlap import Overlap, OverlapReport
    from plans.predict import Guess
    from plans.project import OverlapMode
    from worktrees.git import Git
    from worktrees.repository import Repository

MOST_DIRECTED: Final = 2000
_GRAVITY = {OverlapSeverity.MEDIUM: 1, OverlapSeverity.HIGH: 2}


@dataclass(frozen=True, slots=True)
class Compared:
    """What overlaps are looked for in.

    Existing files are those of the revision ``against``, else the tracked ones. ``ignore_case`` as told, else
    as git's ``core.ignoreCase`` says. ``store`` knows what sessions have reserved.
    """

    against: str | None = None
    ignore_case: bool | None = None
    store: Store | None = None


@dataclass(frozen=True, slots=True)
class Reserved:
    """``plan`` would wait for ``session``: ``pattern``, which that has reserved, and ``declared`` meet."""

    plan: str
    session: str
    holder: str
    witness: str
    declared: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, who of a pair goes first in a run (not told of more than 2,000), and plans' files.

    ``reserved`` are live reservations of other sessions that plans would wait for.
    """

    report: OverlapReport
    first: Mapping[tuple[PlanId, PlanId], GoesFirst]
    paths: Mapping[PlanId, str]
    reserved: tuple[Reserved, ...] = ()


def overlaps_of(
    repository: Repository, git: Git, asked: Sequence[str], here: Path, compared: Compared
) -> Found:
    """Overlaps of the plans asked for, ``compared`` as it says.

    Raises :class:`UnknownRevisionError`, :class:`UnknownPlanError`, :class:`InvalidPlansError`.
    """
    from orchestrator.services.ground import (  # noqa: PLC0415 - GitPython costs 115 ms
        Ground,
        as_compared,
        earlier_changes,
        ground_of_target,
    )
    from worktrees.files import tracked_names  # noqa: PLC0415 - as above

    plans = choose(repository, usable_settings(repository), asked, here)
    against, settings = compared.against, guarded_settings(repository, git)
    ground = ground_of_target(git, settings) if against is None else Ground(git, against)
    names = tracked_names(git, require_top(repository)) if against is None else ground.names
    folding = settings.folding
    if compared.ignore_case is not None:
        folding = replace(folding, ignore_case=compared.ignore_case)
    history = partial(earlier_changes, git, ground.commit)
    plans = as_compared(settings, plans, ground, names)
    report = find_overlaps(plans, names.files, settings.project.hot_files, folding, history)
    first = _first(plans, report, settings.project.overlap)
    settings = replace(settings, folding=folding)
    reserved = reserved_among(compared.store, plans, settings) if compared.store is not None else ()
    return Found(report, first, {plan.id: plan.path.as_posix() for plan in plans}, reserved)


def reserved_among(store: Store, plans: Iterable[Plan], settings: Settings) -> tuple[Reserved, ...]:
    """What others have reserved and ``plans`` would wait for: by plan, then as it was granted."""
    from orchestrator.leases.lease import who  # noqa: PLC0415 - `lint` does without
    from orchestrator.scheduling.reservations import ReservedFiles  # noqa: PLC0415 - as above
    from orchestrator.services.speaking import spoken_for  # noqa: PLC0415 - as above

    clock = SystemClock()
    speaks, hot = spoken_for(store, clock, os.environ), settings.project.hot_files
    files = ReservedFiles(clock, speaks, hot, settings.folding)
    return tuple(
        Reserved(plan.id, lease.session, who(store, lease.session), met.path, met.pattern_a, met.pattern_b)
        for plan in sorted(plans, key=lambda plan: plan.id)
        for lease in files.live(store)
        if (met := files.met(plan, lease)) is not None
    )


def _first(
    plans: Sequence[Plan], report: OverlapReport, mode: OverlapMode
) -> Mapping[tuple[PlanId, PlanId], GoesFirst]:
    """Who goes first; nobody knows while plans wait for each other in a circle, which ``lint`` tells."""
    if not 0 < len(report.overlaps) <= MOST_DIRECTED:
        return {}
    from plans.goesfirst import goes_first  # noqa: PLC0415 - networkx costs 200 ms

    try:
        return goes_first(plans, report.overlaps, mode)
    except CycleError:
        return {}


def explain_pair(
    repository: Repository, git: Git, pair: tuple[str, str], here: Path, compared: Compared
) -> Found:
    """The overlaps of two plans alone; raises as :func:`overlaps_of`, and UsageError for one plan twice."""
    found = overlaps_of(repository, git, pair, here, compared)
    if len(found.report.plans) != 2:  # noqa: PLR2004 - a pair
        raise UsageError(f"{pair[0]} and {pair[1]} are the same plan")
    return found


def is_at_least(severity: OverlapSeverity, threshold: OverlapSeverity) -> bool:
    """Whether ``severity`` is as grave as ``threshold``."""
    return _GRAVITY[severity] >= _GRAVITY[threshold]


def report_data(
    report: OverlapReport,
    first: Mapping[tuple[PlanId, PlanId], GoesFirst] | None = None,
    reserved: Sequence[Reserved] = (),
) -> dict[str, object]:
    """The report under the names of the contract, with who goes ``first`` where that is known.

    ``reserved`` are the reservations that plans would wait for.
    """
    known = first or {}
    return {
        "plans": list(report.plans),
        "unknown": list(report.unknown),
        "overlaps": [
            {**_overlap_data(overlap), **_first_data(known.get((overlap.a, overlap.b)))}
            for overlap in report.overlaps
        ],
        "proximity": [{"a": p.a, "b": p.b, "folder": p.folder} for p in report.proximity],
        "predicted": [
            {"plan": plan, **_guess_data(guess)}
            for plan, guesses in report.guesses.items()
            for guess in guesses
        ],
        "possible": [_overlap_data(overlap) for overlap in report.possible],
        "reserved": [asdict(one) for one in reserved],
        "hot": [{"path": met.path, "plans": list(met.plans)} for met in report.hot],
    }


def _first_data(first: GoesFirst | None) -> dict[str, object]:
    return {"first": first and first.plan, "first_why": first and first.why}


def _guess_data(guess: Guess) -> dict[str, object]:
    rule = guess.because
    return {
        "pattern": guess.pattern,
        "line": guess.line,
        "exists": guess.exists,
        "given": rule and rule.given,
        "support": rule and rule.support,
        "commits": rule and rule.commits,
    }


def _overlap_data(overlap: Overlap) -> dict[str, object]:
    return {
        "a": overlap.a,
        "b": overlap.b,
        "kind": overlap.kind,
        "severity": overlap.severity,
        "witness": overlap.witness,
        "patterns": list(overlap.patterns),
        "files": list(overlap.files),
        "files_total": overlap.files_total,
        "advice": overlap.advice,
        "phases": [list(phases) for phases in overlap.phases],
    }
