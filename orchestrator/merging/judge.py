"""From verdicts to a judgement of one entry: who, if anybody, is to blame.

The first red on a target without a verdict has the target itself checked: if that is red too, nobody is
blamed and the queue pauses (``target-red``). No verdict (a time-out, a signal, exit 75, 125 to 127) blames
nobody either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.merging.checknames import TARGET
from orchestrator.merging.checks import checks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.merging.checking import Checker
    from orchestrator.merging.checks import Check
    from orchestrator.store.records import Entry, Verdict
    from plans.project import ProjectSettings
    from worktrees.candidate import Candidate


class Outcome(StrEnum):
    """What the checks come to; ``unchecked``: the target has no check, and the plan's own, if any, passed."""

    PASSED = "passed"
    UNCHECKED = "unchecked"
    RED = "red"
    NO_VERDICT = "no-verdict"
    TARGET_RED = "target-red"


@dataclass(frozen=True, slots=True)
class Judgement:
    """``verdict`` is the one that decided (of the last check, when all passed).

    ``trees`` maps each commit that would come onto the target to the tree that its verdicts speak of.
    """

    outcome: Outcome
    check: Check | None = None
    verdict: Verdict | None = None
    trees: Mapping[str, str] = field(default_factory=dict)


def checks_needed(
    project: ProjectSettings, entry: Entry, candidate: Candidate
) -> Iterator[tuple[str, Check]]:
    """Each commit that would come onto the target, oldest first, with each check that it must pass."""
    for commit in candidate.steps:
        for check in checks_of(project, entry, last=commit == candidate.commit):
            yield commit, check


def judge(
    checker: Checker, project: ProjectSettings, entry: Entry, candidate: Candidate, old: str
) -> Judgement:
    """Check every commit that would come onto the target's first-parent history, oldest first."""
    trees: dict[str, str] = {}
    check = verdict = None
    for commit, check in checks_needed(project, entry, candidate):
        verdict = checker.verdict(check, commit, entry)
        if verdict.passed is None:
            return Judgement(Outcome.NO_VERDICT, check, verdict)
        if not verdict.passed:
            return _blame(checker, check, verdict, old, entry)
        trees[commit] = verdict.tree
    outcome = Outcome.PASSED if project.check else Outcome.UNCHECKED
    return Judgement(outcome, check, verdict, trees)


def _blame(checker: Checker, check: Check, red: Verdict, old: str, entry: Entry) -> Judgement:
    """A plan's own check need not pass before the plan; the target's must."""
    if check.name != TARGET:
        return Judgement(Outcome.RED, check, red)
    base = checker.verdict(check, old, entry, of_target=True)
    if base.passed is None:
        return Judgement(Outcome.NO_VERDICT, check, base)
    return Judgement(Outcome.RED if base.passed else Outcome.TARGET_RED, check, red if base.passed else base)
