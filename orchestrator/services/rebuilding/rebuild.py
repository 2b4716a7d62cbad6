"""Evidence becomes records: a pure function. Where nothing tells, nothing is claimed, and that is said.

What must hold: nothing that has landed is started or landed again; work that is there is queued again or
shown; a command that lives is watched; no worktree is given to a plan before what is in it is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.scheduling.basing import FINISHED
from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.launching import stage_number
from orchestrator.services.rebuilding.attempts import attempts_of
from orchestrator.services.rebuilding.evidence import Rebuilt
from orchestrator.services.rebuilding.landings import intents_of, landed_entry
from orchestrator.slots.keeper import CHECK
from orchestrator.states import TERMINAL_ATTEMPTS, AttemptState, EntryState, RunState, SlotState
from orchestrator.store.records import Entry, PhaseDone, RunRecord, Slot
from orchestrator.submitting.key import landing_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.services.rebuilding.evidence import Evidence, Folder, FrozenRun
    from orchestrator.store.records import Attempt
    from plans.model import Plan

_A = AttemptState
_ENTRY: Final = {
    _A.QUEUED: EntryState.QUEUED,
    _A.CONFLICTED: EntryState.CONFLICTED,
    _A.REJECTED: EntryState.REJECTED,
}
_STANDS: Final = (TERMINAL_ATTEMPTS - {_A.LOST}) | {
    _A.PREPARED, _A.FINISHED, _A.CONFLICTED, _A.REJECTED,
}  # fmt: skip
_OPTIONS: Final = {"jobs": 0, "mode": "serialize", "keep_going": False, "land": False, "check": None}
"""For a run of which nothing tells what it was begun with: finished work waits to be handed in."""


def rebuild(evidence: Evidence) -> Rebuilt:
    """See the module's text."""
    attempts = [a for run in evidence.runs for a in attempts_of(evidence, run)]
    slots = tuple(_slot(evidence, folder, attempts) for folder in evidence.folders)
    attempts = [_placed(attempt, slots) for attempt in attempts]
    entries, attempts = _entries(evidence, attempts)
    return Rebuilt(
        runs=tuple(_run(evidence, run, attempts) for run in evidence.runs),
        attempts=tuple(attempts),
        entries=tuple(entries),
        intents=intents_of(evidence),
        phases=tuple(_phases(evidence, attempts)),
        slots=slots,
        unknown=_unknown(evidence, attempts),
    )


def _run(evidence: Evidence, run: FrozenRun, attempts: Sequence[Attempt]) -> RunRecord:
    """Finished when every plan of it has come to where nothing goes on by itself."""
    newest = {a.plan: a for a in attempts if a.run == run.id}
    options = {**_OPTIONS, **(run.options or {})}
    goes_on = _STANDS - ({_A.FINISHED} if options["land"] else set())
    over = options.get("by_hand") or all(a.state in goes_on for a in newest.values())
    return RunRecord(
        id=run.id,
        session="",
        started_at=run.at,
        frozen=run.commit,
        target=evidence.target,
        plans=tuple(plan.id for plan in run.plans),
        options=options,
        state=RunState.FINISHED if over else RunState.INTERRUPTED,
        finished_at=evidence.now,
    )


def _slot(evidence: Evidence, folder: Folder, attempts: Sequence[Attempt]) -> Slot:
    """Held by the attempt that works there; a tidy one is to be rescued and freed; any other needs a look.

    A slot whose pointer or branch is another plan's has been used again since.
    """
    held = [a for a in attempts if a.worktree == folder.path and folder.plan in (None, a.plan)]
    holder = max(held, key=lambda a: (a.state not in TERMINAL_ATTEMPTS, a.id), default=None)
    slot = Slot(folder.name, folder.path, folder.purpose, SlotState.BROKEN, changed_at=evidence.now)
    if holder is not None:
        return replace(slot, state=SlotState.LEASED, attempt=holder.id, plan=holder.plan)
    alive = next((c for c in evidence.launched if c.alive and c.cwd == folder.path), None)
    if folder.purpose == CHECK:
        return replace(slot, state=SlotState.LEASED, attempt=alive.name if alive else None)
    if alive is not None:
        return replace(slot, attempt=alive.attempt, detail="a command works in it that nothing tells of")
    if folder.tidy:
        return replace(slot, state=SlotState.RESCUING)
    return replace(slot, detail="the store was lost, and nothing tells whose it is")


def _placed(attempt: Attempt, slots: Sequence[Slot]) -> Attempt:
    name = next((slot.name for slot in slots if slot.attempt == attempt.id), None)
    return replace(attempt, slot=name)


def _entries(evidence: Evidence, attempts: Sequence[Attempt]) -> tuple[list[Entry], list[Attempt]]:
    """Of landings, then of work that was handed in; the attempts with the entries that are theirs."""
    by_key = {a.entry: a for a in attempts if a.entry}
    ordered = sorted(evidence.landings, key=lambda landing: (landing.at, landing.key))
    entries = {landing.key: landed_entry(evidence, landing, by_key) for landing in ordered}
    plans = {(run.id, str(plan.id)): plan for run in evidence.runs for plan in run.plans}
    settled = []
    for attempt in attempts:
        changed = attempt
        if attempt.state in _ENTRY and attempt.entry is None:
            entry = _queued(evidence, attempt, plans[attempt.run, attempt.plan])
            known = entries.setdefault(entry.id, entry)
            landed = known.landed_commit
            changed = replace(attempt, entry=known.id)
            if landed is not None:
                changed = replace(changed, state=_A.LANDED, landed_commit=landed, reason={})
        settled.append(changed)
    return list(entries.values()), settled


def _queued(evidence: Evidence, attempt: Attempt, plan: Plan) -> Entry:
    assert attempt.head is not None
    assert attempt.base is not None
    return Entry(
        id=landing_key(evidence.target, attempt.plan, attempt.head),
        plan=attempt.plan,
        branch=attempt.branch,
        target=evidence.target,
        head=attempt.head,
        base=attempt.base,
        queued_at=attempt.finished_at or evidence.now,
        sequence=0,
        priority=attempt.priority,
        state=_ENTRY[attempt.state],
        explicit_base=bool(attempt.stacked_on),
        after=tuple(d.plan for d in plan.dependencies if d.is_stacked),
        check=plan.check,
        run=attempt.run,
        attempt=attempt.id,
        reason=attempt.reason,
    )


def _phases(evidence: Evidence, attempts: Sequence[Attempt]) -> list[PhaseDone]:
    """A phase counts for the attempt whose work begins before it and is not to be done again."""
    newest = {a.plan: a for a in attempts}
    plans = {(run.id, str(plan.id)): plan for run in evidence.runs for plan in run.plans}
    done = []
    for (plan, phase), commit in sorted((evidence.pins or {}).items()):
        attempt = newest.get(plan)
        if phase != FINISHED:
            counts = attempt is not None and _has_passed(attempt, plans[attempt.run, plan], phase)
            by = attempt.id if attempt is not None and counts else ""
            done.append(PhaseDone(plan, phase, by, commit, evidence.now))
    return done


def _has_passed(attempt: Attempt, plan: Plan, phase: str) -> bool:
    """Whether the phase is behind this very attempt: its commands come one after another."""
    if attempt.state in (_A.PENDING, _A.PREPARING, _A.LOST, _A.CANCELLED, _A.FAILED, _A.TIMED_OUT):
        return False
    if attempt.state is not _A.RUNNING or attempt.supervisor is None:
        return True
    return phase in {stage.phase for stage in stages(plan)[: stage_number(attempt)]}


def _unknown(evidence: Evidence, attempts: Sequence[Attempt]) -> tuple[str, ...]:
    said = [f"{name} cannot be read" for name in evidence.unreadable]
    said += [f"what run {run.id} was begun with" for run in evidence.runs if run.options is None]
    if evidence.landings or attempts:
        said.append("verdicts: what has landed is shown as unchecked, and checks run again")
        said.append("whether the queue was paused or frozen, and branches queued by hand that did not land")
    lost = sorted({a.plan for a in attempts if a.reason.get("code") == "rebuilt"})
    if lost:
        said.append(f"what became of earlier attempts at {', '.join(lost)}")
    return tuple(said)
