"""One entry, from the queue to its end: merge, post-check, check, land. Each way out is a state.

| what is found | becomes |
| --- | --- |
| the work is on the target already | landed |
| it does not merge | conflicted, with all paths, stages and git's messages |
| a shallow clone lacks history between it and the target | held, for a person |
| it would change what guards the target, or the post-check refuses it | held, for a person |
| git is killed meanwhile, or an object is not there | queued again; held after the third time |
| git fails on it (an assertion in its merge, a signature) | held, with git's words |
| a hot file cannot be made anew for the work's sake | rejected, with the log |
| a hot file would lose text, or its command changes others | held, for a person |
| a check is red and the target's own is green | rejected, with the log |
| no verdict could be had | queued again; held after the third time |
| the target itself is red | queued; the queue pauses |
| a user's work is in the way in a checkout | blocked |
| the target moved meanwhile | queued again |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

from orchestrator.errors import StaleRecordError
from orchestrator.merging.apart import same_work
from orchestrator.merging.checkroom import CancelledCheckError
from orchestrator.merging.conflicting import conflicted
from orchestrator.merging.evidence import git_killed, missing, no_verdict, proof, red, target_red
from orchestrator.merging.following import in_the_way, look_ahead
from orchestrator.merging.judge import Before, Judgement, Outcome, Refused, judge
from orchestrator.merging.landing import Landing, Member, land
from orchestrator.merging.laneproof import Lane
from orchestrator.merging.lanes import NOTHING_CARRIED, Carried, is_sampled
from orchestrator.merging.making import GITS_FAULT, candidate_of, work_of
from orchestrator.merging.pausing import turn_red
from orchestrator.merging.policy import changed_policy, is_policy_change_allowed
from orchestrator.merging.postcheck import MISSING, refusal
from orchestrator.merging.regenerating import BeyondHotFilesError, NotRegeneratedError, Regenerator
from orchestrator.merging.resolving import keep, remove_unreachable
from orchestrator.settings import hot_of
from orchestrator.states import EntryState
from orchestrator.submitting.key import candidate_reference
from orchestrator.submitting.landed import landed_commits
from worktrees.candidate import AlreadyThere, Candidate, Unsuitable, Work
from worktrees.errors import (
    CheckoutInTheWayError,
    FragmentLostError,
    GitFailedError,
    MissingObjectError,
)
from worktrees.merge import Conflicted
from worktrees.shallow import lacks_history

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.merging.checking import Checker
    from orchestrator.merging.tenure import Tenure
    from orchestrator.store.records import Entry
    from worktrees.hot import Hot


@dataclass(frozen=True, slots=True)
class _Case:
    """An entry being processed onto ``old``, and whether it was blocked before."""

    entry: Entry
    work: Work
    old: str
    was_blocked: bool


class Processor:
    """Processes an entry within one tenure; ``checks_begin`` hears of those whose checks are next.

    ``carried``: what its checks on other targets have said, see :mod:`.lanes`.
    """

    def __init__(
        self,
        tenure: Tenure,
        checker: Checker,
        checks_begin: Callable[[tuple[Entry, ...]], None],
        *,
        allow_policy_change: bool,
        carried: Carried = NOTHING_CARRIED,
    ) -> None:
        self._carried = carried
        self._tenure = tenure
        self._checks_begin = checks_begin
        self._bench = tenure.bench
        self._checker = checker
        self._allow_policy_change = allow_policy_change

    def process(self, entry: Entry, old: str) -> Entry:
        """Bring ``entry`` as far as it goes onto ``old``, where the target was looked at and found well.

        Returns it as it is then. Raises StaleRecordError when a person dropped it meanwhile, and what
        :func:`land` raises.
        """
        was_blocked = entry.state is EntryState.BLOCKED
        if entry.state is not EntryState.QUEUED:
            entry = self._tenure.settle(entry, EntryState.QUEUED)
        entry = self._tenure.settle(entry, EntryState.MERGING, attempts=entry.attempts + 1)
        try:
            found = self._prepared(_Case(entry, work_of(entry), old, was_blocked))
        except GITS_FAULT as error:
            return self._stuck(entry, error)
        except CancelledCheckError:
            return self._interrupted(entry)
        except NotRegeneratedError as error:
            return self._not_passed(self._newest(entry), error.judgement, old)
        except (BeyondHotFilesError, FragmentLostError) as error:
            why = {"code": "hot-file", "detail": str(error), "paths": list(error.paths)}
            return self._end(self._newest(entry), EntryState.HELD, why)
        return land(self._tenure, found)[0] if isinstance(found, Landing) else found

    def _prepared(self, case: _Case) -> Landing | Entry:
        """Everything up to the landing itself: what may go wrong here has moved nothing."""
        entry, old = case.entry, case.old
        known = landed_commits(self._bench, entry.plan or entry.branch, old, key=entry.id)
        if known:
            return self._end(entry, EntryState.LANDED, {"rests": "before"}, landed_commit=known[0])
        if lacks_history(self._bench.git, old, entry.head):
            detail = "history between the work and the target is lacking: this clone is shallow"
            return self._end(entry, EntryState.HELD, {"code": "shallow", "detail": detail})
        remove_unreachable(self._tenure, entry)
        made = candidate_of(self._bench, entry, old, self._hot(entry, old))
        match made:
            case Conflicted():
                return self._end(entry, *conflicted(self._bench, entry, made, old))
            case Unsuitable():
                return self._end(entry, EntryState.HELD, {"code": "method", "detail": str(made.reason)})
            case AlreadyThere():
                member = Member(entry, self._there(entry, old))
                return Landing((member,), old, old, unchecked=False, proof={"already": True})
            case Candidate():
                return self._checked(case, made)
            case _ as never:
                assert_never(never)

    def _there(self, entry: Entry, old: str) -> str:
        """The commit by which work that is on the target already is known: if possible not the tip."""
        objects = self._bench.objects
        if objects.is_ancestor(entry.head, old):
            return entry.head
        return next(iter(objects.merge_bases(old, entry.head)), old)

    def _hot(self, entry: Entry, old: str) -> Hot:
        rebuild = Regenerator(self._bench, self._checker.room, entry, old)
        return replace(hot_of(self._bench.settings.project), rebuild=rebuild)

    def _checked(self, case: _Case, candidate: Candidate) -> Landing | Entry:
        entry, project = case.entry, self._bench.settings.project
        keep(self._tenure, {candidate_reference(entry.id): candidate.commit})
        refused = self._refused(case, candidate, Judgement(Outcome.UNCHECKED))
        if refused:
            return refused
        if project.require_check and not project.check:
            detail = "no check is configured, and require_check is set"
            return self._end(entry, EntryState.HELD, {"code": "no-check", "detail": detail})
        if case.was_blocked and (blocked := self._still_blocked(entry, case.old, candidate)):
            return blocked
        entry = self._tenure.settle(
            entry, EntryState.CHECKING, candidate=candidate.commit, tree=candidate.tree
        )
        self._checks_begin((entry,))
        before = self._before(case.old, candidate)
        judgement = judge(self._checker, project, (entry,), candidate, case.old, before=before)
        if not judgement.is_passed:
            return self._not_passed(entry, judgement, case.old)
        case = _Case(entry, case.work, case.old, case.was_blocked)
        refused = self._refused(case, candidate, judgement)
        if refused:
            return refused
        unchecked = judgement.outcome is Outcome.UNCHECKED
        lane = Lane(judgement.lane, is_sampled(entry)) if judgement.lane else None
        member = Member(entry, candidate.commit)
        return Landing((member,), case.old, candidate.commit, unchecked, proof(candidate, judgement), lane)

    def _before(self, old: str, candidate: Candidate) -> Before:
        """What of that counts: what was said of the very same work."""
        objects = self._bench.objects
        passed, red = (
            checked if checked and same_work(objects, checked, old, candidate) else None
            for checked in (self._carried.passed, self._carried.refused)
        )
        refused = Refused(red, objects.parents(red.steps[0])[0]) if red else None
        return Before(passed.tree if passed else None, refused)

    def _refused(self, case: _Case, candidate: Candidate, judgement: Judgement) -> Entry | None:
        """Hold what a person has to look at; asked before the checks, and with their verdicts again."""
        entry, changed = case.entry, changed_policy(self._bench, case.old, candidate.commit)
        if changed and not self._may_change_policy(entry):
            detail = f"changes what guards the target: {', '.join(changed)}"
            return self._end(entry, EntryState.HELD, {"code": "policy-change", "detail": detail})
        found = refusal(self._bench, case.old, candidate, case.work, judgement.trees)
        if found is None:
            return None
        if found.code == MISSING:
            return self._end(entry, *missing(found.detail, found.paths, entry))
        why = {"code": found.code, "detail": found.detail, "paths": list(found.paths)}
        return self._end(entry, EntryState.HELD, why)

    def _may_change_policy(self, entry: Entry) -> bool:
        return self._allow_policy_change or is_policy_change_allowed(self._bench.store, entry.id)

    def _still_blocked(self, entry: Entry, old: str, candidate: Candidate) -> Entry | None:
        """Checks take long: what was blocked is not checked anew while the same thing is in its way."""
        try:
            look_ahead(self._tenure, old, candidate.commit)
        except CheckoutInTheWayError as error:
            return self._end(entry, EntryState.BLOCKED, in_the_way(error, old))
        return None

    def _not_passed(self, entry: Entry, judgement: Judgement, old: str) -> Entry:
        match judgement.outcome:
            case Outcome.RED:
                return self._end(entry, EntryState.REJECTED, red(judgement))
            case Outcome.TARGET_RED:
                assert judgement.verdict is not None
                with self._tenure.writing():
                    turn_red(self._bench.store, self._bench.clock, entry.target, old, judgement.verdict.log)
                    return self._end(entry, EntryState.QUEUED, target_red(judgement, old))
            case _:
                return self._end(entry, *no_verdict(judgement, entry))

    def _end(self, entry: Entry, to: EntryState, why: dict[str, Any], **changes: Any) -> Entry:
        return self._tenure.settle(entry, to, reason=why, **changes)

    def _stuck(self, entry: Entry, error: Exception) -> Entry:
        newest = self._newest(entry)
        if isinstance(error, GitFailedError) and error.was_killed:
            return self._end(newest, *git_killed(error, newest))
        if isinstance(error, MissingObjectError):
            return self._end(newest, *missing(str(error), (), newest))
        why = {"code": "git-failed", "detail": str(error), "messages": str(getattr(error, "stderr", ""))}
        return self._end(newest, EntryState.HELD, why)

    def _interrupted(self, entry: Entry) -> Entry:
        newest = self._newest(entry)
        return self._tenure.settle(newest, EntryState.QUEUED, reason={**newest.reason, "code": "interrupted"})

    def _newest(self, entry: Entry) -> Entry:
        """The record of an entry that this tenure itself has moved on; a person's move is a stale record."""
        newest = self._bench.store.entry(entry.id)
        if newest is None or newest.state not in (EntryState.MERGING, EntryState.CHECKING):
            raise StaleRecordError("entry", entry.id)
        return newest
