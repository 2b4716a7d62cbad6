"""Health of a repository: examine, and if asked cure, then examine again to see what has become of it.

1. what everything stands on (git, repository, identity, settings, disk), without the store
2. the store; where it cannot be opened, the rest cannot be known
3. all that the store, the references, the pool and the processes say of each other
4. with ``--fix``: each cure once, in the order of the checks, under a session of its own; then 1 to 3 again

An issue counts as fixed when the second examination does not find it. Cures are idempotent and never
destroy work: what they take away is rescued or parked first.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.clock import SystemClock
from orchestrator.errors import StoreUnusableError
from orchestrator.services.diagnosis import (
    ground,
    guards,
    keepsakes,
    litter,
    locks,
    merges,
    notifications,
    processes,
    queues,
    references,
    restores,
    runs,
    sessions,
    slots,
    stores,
)
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue, Ward
from orchestrator.settings import load_settings
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
    sessions.examine_sessions,
    sessions.examine_leases,
    sessions.examine_watchdog,
    runs.examine_runs,
    runs.examine_attempts,
    processes.examine_processes,
    merges.examine_merges,
    slots.examine_slots,
    locks.examine_locks,
    references.examine_references,
    queues.examine_queue,
    litter.examine_litter,
    guards.examine_hooks,
    notifications.examine_notifications,
    restores.examine_restores,
    keepsakes.examine_rescues,
    keepsakes.examine_stash,
    keepsakes.examine_retention,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. ``fixed`` are the keys of issues that were cured, ``failures`` why a cure failed."""

    checks: tuple[Examined, ...]
    issues: tuple[Issue, ...]
    fixed: frozenset[tuple[str, str]] = frozenset()
    failures: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether no error is left; warnings and hints do not count."""
        return not any(i.gravity is Gravity.ERROR and i.key not in self.fixed for i in self.issues)


def examine(repository: Repository, opened: Callable[[], Store], own: str | None = None) -> Report:
    """Look at everything; nothing is changed. ``opened`` gives the store, a copy will do."""
    git = Git(repository)
    checks = [ground.examine_git(git), ground.examine_repository(repository)]
    if any(check.issues for check in checks):
        return _report(checks)
    settings = load_settings(repository, git)
    checks += [ground.examine_writing(repository), ground.examine_identity(git)]
    checks.append(ground.examine_settings(settings))
    checks.append(ground.examine_disk(repository, settings.project))
    checks.append(ground.examine_memory(settings.project))
    try:
        store = opened()
    except StoreUnusableError as error:
        checks.append(stores.examine_unusable(error, curable="corrupt" in error.reason))
        return _report(checks)
    with contextlib.closing(store):
        checks += _examine_all(repository, git, settings, store, own)
    return _report(checks)


def _examine_all(
    repository: Repository, git: Git, settings: Settings, store: Store, own: str | None
) -> list[Examined]:
    ward = Ward(repository, git, store, SystemClock(), settings.project, own)
    return [examined(ward) for examined in _IN_ORDER]


def _report(checks: list[Examined]) -> Report:
    return Report(tuple(checks), tuple(issue for check in checks for issue in check.issues))


def cure(first: Report, bench: Workbench, session: SessionHandle, again: Callable[[], Report]) -> Report:
    """Try the cure of every issue that has one, then look again and say what is fixed.

    A cure that fails is named; the others are tried all the same.
    """
    failures = []
    for issue in first.issues:
        if issue.cure is None:
            continue
        try:
            issue.cure(bench, session)
        except (PlanctlError, OSError) as error:
            failures.append(f"{issue.code} {issue.subject}: {error}")
    second = again()
    left = {issue.key for issue in second.issues}
    fixed = tuple(issue for issue in first.issues if issue.key not in left)
    keys = frozenset(issue.key for issue in fixed)
    return Report(second.checks, (*fixed, *second.issues), keys, tuple(failures))


def report_data(report: Report) -> dict[str, Any]:
    """The report under the names of the contract."""
    return {
        "healthy": report.is_healthy,
        "checks": [{"name": c.name, "status": c.status, "detail": c.detail} for c in report.checks],
        "issues": [
            {
                "code": issue.code,
                "severity": str(issue.gravity),
                "subject": issue.subject,
                "detail": issue.detail,
                "fixable": issue.cure is not None,
                "fixed": issue.key in report.fixed,
            }
            for issue in report.issues
        ],
    }
