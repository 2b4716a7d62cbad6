"""Health of a repository: examine, and if asked cure, then examine again to see what has become of it.

1. what everything stands on (git, repository, identity, settings, disk), without the store
2. the store; where it cannot be opened, the rest cannot be known
3. all that the store, the references, the pool and the processes say of each other
4. with ``--orphans``: nothing of all that, but what earlier tools left
5. with ``--fix``: each cure once, in the order of the checks, under a session of its own; then the same
   again, and what that brings to light

An issue counts as fixed when the second examination does not find it. Cures are idempotent and never
destroy work: what they take away is rescued or parked first.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import SystemClock
from orchestrator.errors import StoreUnusableError
from orchestrator.services.diagnosis import (
    claims,
    clocks,
    ground,
    guards,
    keepsakes,
    landings,
    limits,
    litter,
    locks,
    merges,
    notifications,
    orphans,
    processes,
    queues,
    references,
    remains,
    restores,
    runs,
    sessions,
    slots,
    stores,
    upkeep,
)
from orchestrator.services.diagnosis.codes import explained
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue, Ward
from orchestrator.settings import load_settings, require_usable
from plans.errors import PlanctlError
from worktrees.git import Git

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.settings import Settings
    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench
    from worktrees.repository import Repository

_IN_ORDER = (
    stores.examine_store,
    clocks.examine_clock,
    upkeep.examine_upkeep,
    sessions.examine_sessions,
    sessions.examine_leases,
    sessions.examine_watchdog,
    claims.examine_claims,
    runs.examine_runs,
    runs.examine_attempts,
    processes.examine_processes,
    merges.examine_merges,
    slots.examine_slots,
    locks.examine_locks,
    references.examine_references,
    queues.examine_queue,
    landings.examine_landings,
    litter.examine_litter,
    guards.examine_hooks,
    notifications.examine_notifications,
    restores.examine_restores,
    keepsakes.examine_rescues,
    keepsakes.examine_stash,
    keepsakes.examine_retention,
)
ROUNDS: Final = 3
NOBODY: Final[frozenset[str]] = frozenset()
_ORPHANS = (
    orphans.examine_strays,
    orphans.examine_locks,
    remains.examine_worktrees,
    remains.examine_branches,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``fixed`` are the keys of issues that were cured, ``failures`` why a cure failed."""

    checks: tuple[Examined, ...]
    issues: tuple[Issue, ...]
    fixed: frozenset[tuple[str, str]] = frozenset()
    failures: tuple[str, ...] = ()

    @property
    def curable(self) -> tuple[Issue, ...]:
        """What ``--fix`` would mend, as far as it is not mended."""
        return tuple(i for i in self.issues if i.cure is not None and i.key not in self.fixed)

    @property
    def is_healthy(self) -> bool:
        """Whether no error is left; warnings and hints do not count."""
        return not any(i.gravity is Gravity.ERROR and i.key not in self.fixed for i in self.issues)


def examine(repository: Repository, opened: Callable[[], Store], own: frozenset[str] = NOBODY) -> Report:
    """Look at everything; nothing is changed. ``opened`` gives the store, a copy will do.

    ``own`` are the sessions of whoever looks: only others are somebody at work.
    """
    git = Git(repository)
    checks = [ground.examine_git(git), ground.examine_repository(repository)]
    if any(check.issues for check in checks):
        return _report(checks)
    settings = load_settings(repository, git)
    checks += [ground.examine_writing(repository), ground.examine_identity(git)]
    checks.append(ground.examine_settings(settings))
    checks.append(ground.examine_disk(repository, settings.project))
    checks.append(ground.examine_memory(settings.project))
    checks.append(limits.examine_limits(settings.project))
    try:
        store = opened()
    except StoreUnusableError as error:
        checks.append(stores.examine_unusable(error, curable="corrupt" in error.reason))
        return _report(checks)
    with contextlib.closing(store):
        checks += _examine_all(repository, git, settings, store, own)
    return _report(checks)


def examine_orphans(
    repository: Repository, opened: Callable[[], Store], own: frozenset[str] = NOBODY
) -> Report:
    """Look for what earlier tools left, by the patterns of ``orphans:``; nothing is changed.

    Raises what reading the settings and opening the store do.
    """
    git = Git(repository)
    settings = require_usable(load_settings(repository, git))
    with contextlib.closing(opened()) as store:
        ward = Ward(repository, git, store, SystemClock(), settings.project, own)
        return _report([examined(ward) for examined in _ORPHANS])


def _examine_all(
    repository: Repository, git: Git, settings: Settings, store: Store, own: frozenset[str]
) -> list[Examined]:
    ward = Ward(repository, git, store, SystemClock(), settings.project, own)
    return [examined(ward) for examined in _IN_ORDER]


def _report(checks: list[Examined]) -> Report:
    return Report(tuple(checks), tuple(issue for check in checks for issue in check.issues))


def cure(
    first: Report,
    bench: Workbench,
    session: SessionHandle,
    again: Callable[[], Report],
    rounds: int = ROUNDS,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Report:
    """Try the cure of every issue that has one, then look again and say what is fixed.

    A cure that fails is named; the others are tried all the same. What only a cure brings to light (a store
    that was made anew knows of worktrees) is cured as well, if more than one of ``rounds`` is left.
    Once ``is_stopped`` says so no further cure begins; what is left undone the last look finds again.
    """
    failures: list[str] = []
    seen: dict[tuple[str, str], Issue] = {}
    now = first
    for _ in range(rounds):
        fresh = [issue for issue in now.issues if issue.key not in seen]
        seen |= {issue.key: issue for issue in fresh}
        if not any(issue.cure for issue in fresh):
            break
        failures += [said for issue in fresh if not is_stopped() and (said := _tried(issue, bench, session))]
        now = again()
    left = {issue.key for issue in now.issues}
    fixed = tuple(issue for key, issue in seen.items() if key not in left)
    keys = frozenset(issue.key for issue in fixed)
    return Report(now.checks, (*fixed, *now.issues), keys, tuple(failures))


def _tried(issue: Issue, bench: Workbench, session: SessionHandle) -> str:
    """Cure it, if there is a cure; why that failed, or an empty text."""
    try:
        if issue.cure is not None:
            issue.cure(bench, session)
    except (PlanctlError, OSError) as error:
        return f"{issue.code} {issue.subject}: {error}"
    return ""


def report_data(report: Report) -> dict[str, Any]:
    """The report under the names of the contract."""
    return {
        "healthy": report.is_healthy,
        "checks": [{"name": c.name, "status": c.status, "detail": c.detail} for c in report.checks],
        "issues": [_issue_data(issue, fixed=issue.key in report.fixed) for issue in report.issues],
        "failures": list(report.failures),
    }


def _issue_data(issue: Issue, *, fixed: bool) -> dict[str, Any]:
    meant = explained(issue.code)
    return {
        "code": issue.code,
        "severity": str(issue.gravity),
        "subject": issue.subject,
        "detail": issue.detail,
        "fixable": issue.cure is not None,
        "fixed": fixed,
        "meaning": meant.what,
        "cause": meant.why,
        "advice": meant.do,
        "fix": meant.fix if issue.cure is not None else "",
        "facts": dict(issue.facts),
    }
