"""From verdicts to a judgement: who, if anybody, is to blame.

The first red on a target without a verdict has the target itself checked: if that is red too, nobody is
blamed and the queue pauses (``target-red``). No verdict (a time-out, a signal, exit 75, 125 to 127) blames
nobody either. One entry whose check is red is tried once more before it is blamed (S12): one red may be an
accident. With lanes both tries may have been ahead of its turn, on an older target. A batch that is red
blames nobody, and says only that it must be looked at in parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.merging.checknames import TARGET
from orchestrator.merging.checks import checks_of
from orchestrator.planning.model import TRIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    ``accidents`` counts the red checks, in this tenure, of what has passed now. ``lane``: the tree that has
    passed in place of the candidate's own, see :mod:`.lanes`.
    """

    outcome: Outcome
    check: Check | None = None
    verdict: Verdict | None = None
    trees: Mapping[str, str] = field(default_factory=dict)
    accidents: int = 0
    lane: str | None = None

    @property
    def is_passed(self) -> bool:
        """Whether what was judged may land."""
        return self.outcome in {Outcome.PASSED, Outcome.UNCHECKED}


@dataclass(frozen=True, slots=True)
class Refused:
    """What was made of the very same work on ``below``, an older target, and red as often as refuses it."""

    candidate: Candidate
    below: str


@dataclass(frozen=True, slots=True)
class Before:
    """What was said of a candidate's work on an older target, beside which others have landed since.

    ``passed``: the tree whose verdict stands for the candidate's where that has none.
    """

    passed: str | None = None
    refused: Refused | None = None


NOTHING: Final = Before()


def checks_needed(
    project: ProjectSettings, entries: Sequence[Entry], candidate: Candidate
) -> Iterator[tuple[str, Check]]:
    """Each commit that would come onto the target, oldest first, with each check that it must pass, once.

    Of a batch that is its one commit, with the target's check and those of all its plans.
    """
    for commit in candidate.steps:
        last = commit == candidate.commit
        wanted = {check.key: check for entry in entries for check in checks_of(project, entry, last=last)}
        for check in wanted.values():
            yield commit, check


def judge(
    checker: Checker,
    project: ProjectSettings,
    entries: Sequence[Entry],
    candidate: Candidate,
    old: str,
    *,
    before: Before = NOTHING,
) -> Judgement:
    """Check every commit that would come onto the target's first-parent history, oldest first."""
    refused = _refused(checker, project, entries, candidate, before.refused)
    if refused:
        return refused
    trees: dict[str, str] = {}
    check = verdict = lane = None
    accidents = 0
    for commit, check in checks_needed(project, entries, candidate):
        instead = _carried(checker, check, commit, candidate, before.passed)
        if instead:
            verdict, lane = instead, before.passed
            continue
        verdict = checker.verdict(check, commit, entries)
        if verdict.passed is False:
            blamed = _blame(checker, check, verdict, old, entries)
            if blamed.outcome is not Outcome.RED or not _is_tried_again(checker, check, verdict, entries):
                return blamed
            verdict = checker.verdict(check, commit, entries)
        if not verdict.passed:
            return Judgement(Outcome.NO_VERDICT if verdict.passed is None else Outcome.RED, check, verdict)
        accidents += checker.tally.were_accidents(check, verdict.tree)
        trees[commit] = verdict.tree
    outcome = Outcome.PASSED if project.check else Outcome.UNCHECKED
    return Judgement(outcome, check, verdict, trees, accidents, lane)


def _carried(
    checker: Checker, check: Check, commit: str, candidate: Candidate, tree: str | None
) -> Verdict | None:
    """What was said of the candidate's work on an older target; nothing where its own tree is known."""
    if tree is None or commit != candidate.commit or checker.known(check, candidate.tree):
        return None
    return checker.known(check, tree)


def _refused(
    checker: Checker,
    project: ProjectSettings,
    entries: Sequence[Entry],
    candidate: Candidate,
    refused: Refused | None,
) -> Judgement | None:
    """The blame for what has been tried often enough; None where it has passed, or nothing is known."""
    if refused is None:
        return None
    made = refused.candidate
    for commit, check in checks_needed(project, entries, made):
        red = checker.tally.red(check, made.tree) if commit == made.commit else None
        if red and not checker.known(check, candidate.tree):
            blamed = _blame(checker, check, red, refused.below, entries)
            return blamed if blamed.outcome is Outcome.RED else None
    return None


def _is_tried_again(checker: Checker, check: Check, red: Verdict, entries: Sequence[Entry]) -> bool:
    """What was red ahead of its turn as well has been tried again; a batch is looked at in parts instead."""
    return len(entries) == 1 and checker.tally.reds(check, red.tree) < TRIES


def _blame(checker: Checker, check: Check, red: Verdict, old: str, entries: Sequence[Entry]) -> Judgement:
    """A plan's own check need not pass before the plan; the target's must."""
    if check.name != TARGET:
        return Judgement(Outcome.RED, check, red)
    base = checker.verdict(check, old, entries, of_target=True)
    if base.passed is None:
        return Judgement(Outcome.NO_VERDICT, check, base)
    return Judgement(Outcome.RED if base.passed else Outcome.TARGET_RED, check, red if base.passed else base)
