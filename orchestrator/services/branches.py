"""Branches by pattern, for ``merge --branches``: those with work that could land now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.states import PLACED_ATTEMPTS, AttemptState
from orchestrator.submitting.remote import branch_head, is_text
from worktrees.fetch import fetch_branches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.workbench import Workbench

_HEADS: Final = "refs/heads/"
_A = AttemptState
_AT_WORK: Final = PLACED_ATTEMPTS | {_A.PENDING, _A.WAITING, _A.PREPARED}


@dataclass(frozen=True, slots=True)
class Matched:
    """``names`` to hand in, of a plan's branch the plan; ``at_work`` are plans that are not done yet.

    ``not_text`` are names that are not UTF-8: nothing that is written down could name them.
    """

    names: tuple[str, ...] = ()
    at_work: tuple[str, ...] = ()
    not_text: tuple[str, ...] = ()


def matching(bench: Workbench, patterns: Iterable[str]) -> Matched:
    """The branches that match one of ``patterns`` as ``git for-each-ref`` takes them, and have own commits.

    The target is none of them. Where it is a remote's, its own branches count, too. Raises UsageError for a
    pattern that cannot be one.
    """
    tip, plans = bench.target_tip(), {a.branch: a for a in bench.store.latest_attempts()}
    names: list[str] = []
    at_work: list[str] = []
    not_text: list[str] = []
    for branch, head in _listed(bench, _valid(patterns)):
        attempt = plans.get(branch)
        if branch == bench.settings.project.target or bench.objects.is_ancestor(head, tip):
            continue
        if not is_text(branch):
            not_text.append(branch)
        elif attempt is not None and attempt.state in _AT_WORK:
            at_work.append(attempt.plan)
        else:
            names.append(branch if attempt is None else attempt.plan)
    return Matched(tuple(names), tuple(at_work), tuple(not_text))


def _valid(patterns: Iterable[str]) -> tuple[str, ...]:
    asked = tuple(patterns)
    for pattern in asked:
        if not pattern or "\0" in pattern or pattern.startswith("/"):
            raise UsageError(f"{pattern!r} is no pattern of branches")
    return asked


def _listed(bench: Workbench, patterns: tuple[str, ...]) -> list[tuple[str, str]]:
    """Branches with their commits, sorted by name: those that are here, and those of the remote."""
    found = dict(_matching(bench, _HEADS, patterns))
    if (mirror := bench.mirror) is not None:
        seconds = bench.settings.project.remote_timeout
        there = fetch_branches(bench.git, bench.references, mirror, patterns, seconds)
        matched = dict(_matching(bench, mirror.own(_HEADS), patterns))
        seen = {name: commit for name, commit in matched.items() if name in there}
        found |= {name: branch_head(bench, name) or commit for name, commit in seen.items()}
    return sorted(found.items())


def _matching(bench: Workbench, folder: str, patterns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if not patterns:
        return
    asked = ("for-each-ref", "--format=%(refname) %(objectname)")
    for line in bench.git.run(*asked, *(f"{folder}{pattern}" for pattern in patterns)).text.splitlines():
        name, _, commit = line.rpartition(" ")
        yield name.removeprefix(folder), commit
