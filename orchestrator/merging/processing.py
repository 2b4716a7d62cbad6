"""One entry, from the queue to its end: merge, post-check, check, land. Each way out is a state.

| what is found | becomes |
| --- | --- |
| the work is on the target already | landed |
| it does not merge | conflicted, with all paths, stages and git's messages |
| it would change what guards the target, or the post-check refuses it | held, for a person |
| a check is red and the target's own is green | rejected, with the log |
| no verdict could be had | queued again; held after the third time |
| the target itself is red | queued; the queue pauses |
| a user's work is in the way in a checkout | blocked |
| the target moved meanwhile | queued again |
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, assert_never

from orchestrator.merging.judge import Judgement, Outcome, judge
from orchestrator.merging.landing import Landing, forget_candidate, land
from orchestrator.merging.message import landing_message, landing_trailers
from orchestrator.merging.policy import changed_policy
from orchestrator.merging.postcheck import refusal
from orchestrator.merging.settle import settle
from orchestrator.running.log import last_lines
from orchestrator.states import EntryState
from orchestrator.submitting.key import candidate_reference
from orchestrator.submitting.landed import landed_commits
from plans.project import Method
from worktrees.candidate import AlreadyThere, Candidate, Unsuitable, Work, make_candidate
from worktrees.candidate import Method as GitMethod
from worktrees.merge import Conflicted
from worktrees.references import Create, Update

if TYPE_CHECKING:
    from orchestrator.merging.checking import Checker
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

MOST_NO_VERDICTS: Final = 3
TAIL_LINES: Final = 20
SHOWN_PATHS: Final = 5


class Processor:
    """Processes entries under one epoch, for the worker that holds the queue's lease."""

    def __init__(self, bench: Workbench, checker: Checker, epoch: str, *, allow_policy_change: bool) -> None:
        self._bench = bench
        self._checker = checker
        self._epoch = epoch
        self._allow_policy_change = allow_policy_change

    def process(self, entry: Entry) -> Entry:
        """Bring ``entry`` as far as it goes now, and return it as it is then."""
        if entry.state is not EntryState.QUEUED:
            entry = settle(self._bench, entry, EntryState.QUEUED)
        entry = settle(self._bench, entry, EntryState.MERGING, attempts=entry.attempts + 1)
        old = self._bench.target_tip()
        known = self._known_landing(entry, old)
        if known:
            return settle(self._bench, entry, EntryState.LANDED, landed_commit=known, reason={})
        work = Work(entry.head, entry.base, entry.explicit_base)
        made = self._make(entry, work, old)
        match made:
            case Conflicted():
                return self._end(entry, EntryState.CONFLICTED, _conflict(made))
            case Unsuitable():
                return self._end(entry, EntryState.HELD, {"code": "method", "detail": made.reason})
            case AlreadyThere():
                return land(self._bench, Landing(entry, old, old, self._epoch, unchecked=False))
            case Candidate():
                return self._check_and_land(entry, work, made, old)
            case _ as never:
                assert_never(never)

    def _known_landing(self, entry: Entry, tip: str) -> str | None:
        """Exactly once: a landing of this very key that is on the target already."""
        name = candidate_reference(entry.id)
        commits = landed_commits(self._bench, entry.plan or entry.branch, tip, key=entry.id)
        if commits and self._bench.references.read(name):
            forget_candidate(self._bench, entry)
        return commits[0] if commits else None

    def _make(self, entry: Entry, work: Work, old: str) -> Candidate | Conflicted | AlreadyThere | Unsuitable:
        method = Method(entry.method) if entry.method else self._bench.settings.project.method
        message = landing_message(self._bench, entry, method)
        return make_candidate(
            self._bench.git,
            self._bench.objects,
            GitMethod(method),
            old,
            work,
            message,
            trailers=landing_trailers(entry),
        )

    def _check_and_land(self, entry: Entry, work: Work, candidate: Candidate, old: str) -> Entry:
        self._keep(entry, candidate)
        refused = self._refusal(entry, work, candidate, old, None)
        if refused:
            return refused
        entry = settle(
            self._bench, entry, EntryState.CHECKING, candidate=candidate.commit, tree=candidate.tree
        )
        judgement = judge(self._checker, self._bench.settings.project, entry, candidate, old)
        if judgement.outcome not in (Outcome.PASSED, Outcome.UNCHECKED):
            return self._not_passed(entry, judgement, old)
        if judgement.outcome is Outcome.UNCHECKED and self._bench.settings.project.require_check:
            detail = "no check is configured, and require_check is set"
            return self._end(entry, EntryState.HELD, {"code": "no-check", "detail": detail})
        refused = self._refusal(entry, work, candidate, old, candidate.tree)
        if refused:
            return refused
        if self._bench.target_tip() != old:
            return settle(self._bench, entry, EntryState.QUEUED, reason={"code": "target-moved"})
        unchecked = judgement.outcome is Outcome.UNCHECKED
        return land(self._bench, Landing(entry, old, candidate.commit, self._epoch, unchecked))

    def _keep(self, entry: Entry, candidate: Candidate) -> None:
        """Refer to the candidate before anything relies on it (S15)."""
        name = candidate_reference(entry.id)
        old = self._bench.references.read(name)
        change = Update(name, candidate.commit, old) if old else Create(name, candidate.commit)
        self._bench.references.transact([change], message="planctl: candidate", step="candidate.keep")

    def _refusal(
        self, entry: Entry, work: Work, candidate: Candidate, old: str, tree: str | None
    ) -> Entry | None:
        changed = changed_policy(self._bench, old, candidate.commit)
        if changed and not self._allow_policy_change:
            detail = f"changes what guards the target: {', '.join(changed)}"
            return self._end(entry, EntryState.HELD, {"code": "policy-change", "detail": detail})
        refused = refusal(self._bench, old, candidate, work, tree)
        if refused is None:
            return None
        why = {"code": refused.code, "detail": refused.detail, "paths": list(refused.paths)}
        return self._end(entry, EntryState.HELD, why)

    def _not_passed(self, entry: Entry, judgement: Judgement, old: str) -> Entry:
        verdict = judgement.verdict
        assert verdict is not None
        why: dict[str, Any] = {
            "code": str(judgement.outcome),
            "check": judgement.check.text if judgement.check else "",
            "exit_code": verdict.exit_code,
            "log": verdict.log,
            "tail": last_lines(Path(verdict.log), TAIL_LINES),
        }
        if judgement.outcome is Outcome.RED:
            detail = f"check failed with exit {verdict.exit_code}; the target's own check is green"
            return self._end(entry, EntryState.REJECTED, {**why, "detail": detail})
        if judgement.outcome is Outcome.TARGET_RED:
            self._bench.store.set_value(f"queue.{entry.target}.red", old)
            detail = f"the target itself fails its check at {old[:12]}"
            return settle(self._bench, entry, EntryState.QUEUED, reason={**why, "detail": detail})
        return self._no_verdict(entry, {**why, "detail": verdict.detail})

    def _no_verdict(self, entry: Entry, why: dict[str, Any]) -> Entry:
        times = int(entry.reason.get("times", 0)) + 1
        to = EntryState.HELD if times >= MOST_NO_VERDICTS else EntryState.QUEUED
        return self._end(entry, to, {**why, "times": times})

    def _end(self, entry: Entry, to: EntryState, why: dict[str, Any]) -> Entry:
        ended = settle(self._bench, entry, to, reason=why)
        if to not in (EntryState.QUEUED, EntryState.HELD):
            forget_candidate(self._bench, ended)
        return ended


def _conflict(found: Conflicted) -> dict[str, Any]:
    stages = [[s.path, s.mode, s.object, s.stage] for s in found.stages]
    paths = list(found.paths)
    more = len(paths) - SHOWN_PATHS
    detail = f"conflicts in {', '.join(paths[:SHOWN_PATHS])}" + (f" and {more} more" if more > 0 else "")
    return {
        "code": "conflict",
        "detail": detail,
        "paths": paths,
        "stages": stages,
        "messages": found.messages,
    }
