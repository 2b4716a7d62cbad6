"""Branches by pattern, for ``merge --branches``: those with work that could land now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.states import WORKING_ATTEMPTS, AttemptState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.workbench import Workbench

_HEADS: Final = "refs/heads/"
_A = AttemptState
_AT_WORK: Final = WORKING_ATTEMPTS | {_A.PENDING, _A.WAITING, _A.PREPARED}


@dataclass(frozen=True, slots=True)
class Matched:
    """``names`` to hand in, of a plan's branch the plan; ``at_work`` are plans that are not done yet."""

    names: tuple[str, ...] = ()
    at_work: tuple[str, ...] = ()


def matching(bench: Workbench, patterns: Iterable[str]) -> Matched:
    """The branches that match one of ``patterns`` as ``git for-each-ref`` takes them, and have own commits.

    The target is none of them. Raises UsageError for a pattern that cannot be one.
    """
    tip, plans = bench.target_tip(), {a.branch: a for a in bench.store.latest_attempts()}
    names: list[str] = []
    at_work: list[str] = []
    for reference, head in _listed(bench, patterns):
        branch = reference.removeprefix(_HEADS)
        attempt = plans.get(branch)
        if reference == bench.target or bench.objects.is_ancestor(head, tip):
            continue
        if attempt is not None and attempt.state in _AT_WORK:
            at_work.append(attempt.plan)
        else:
            names.append(branch if attempt is None else attempt.plan)
    return Matched(tuple(names), tuple(at_work))


def _listed(bench: Workbench, patterns: Iterable[str]) -> list[tuple[str, str]]:
    """References with their commits, sorted by name."""
    asked = list(patterns)
    for pattern in asked:
        if not pattern or "\0" in pattern or pattern.startswith("/"):
            raise UsageError(f"{pattern!r} is no pattern of branches")
    if not asked:
        return []
    listed = bench.git.run(
        "for-each-ref", "--format=%(refname) %(objectname)", *(f"{_HEADS}{pattern}" for pattern in asked)
    ).text
    found = (line.rpartition(" ") for line in listed.splitlines())
    return [(name, commit) for name, _, commit in found]
