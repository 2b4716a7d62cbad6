"""Hand work to the merge queue by name: a plan's, a branch's, or an entry that came to nothing.

A person's word is stronger than what the queue thought before: whatever is held, blocked, conflicted,
rejected or dropped is tried anew, with the head that the branch has now. Work that is on its way, or on the
target, is left as it is: the same head is the same entry.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.merging.settle import settle
from orchestrator.scheduling.freeze import thaw
from orchestrator.services.conductors import conductor_of
from orchestrator.services.entries import require_entry
from orchestrator.slots.keeper import slot_of_attempt
from orchestrator.states import AttemptState, EntryState
from orchestrator.submitting.heads import head_kept, keep_head
from orchestrator.submitting.landed import is_on_target
from orchestrator.submitting.newhead import work_of_head
from orchestrator.submitting.remote import branch_head
from orchestrator.submitting.submit import Work, key_of, requeue, submit
from plans.document import read_plan
from plans.header import MAX_PRIORITY
from worktrees.durable import sync_work
from worktrees.fetch import fetch_branches
from worktrees.git import branch_reference
from worktrees.shallow import is_shallow, lacks_history
from worktrees.state import DIRT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.store.records import Attempt, Entry
    from orchestrator.workbench import Workbench

_A = AttemptState
_WITH_WORK: Final = frozenset({_A.FINISHED, _A.PREPARED, _A.CONFLICTED, _A.REJECTED, _A.QUEUED, _A.LANDED})
_CAME_TO_NOTHING: Final = frozenset({EntryState.CONFLICTED, EntryState.REJECTED})
_ENDINGS: Final = (".md", ".markdown", ".yaml", ".yml")
_STANDING: Final = frozenset(
    {
        EntryState.HELD,
        EntryState.BLOCKED,
        EntryState.CONFLICTED,
        EntryState.REJECTED,
        EntryState.DROPPED,
        EntryState.LANDED,
    }
)
"""Go on only when somebody says so; ``landed`` only when it was reset away."""


def add(bench: Workbench, name: str, *, priority: float | None = None, method: str | None = None) -> Entry:
    """Queue a plan's finished or prepared work, any branch, or an old entry; returns its entry.

    ``name`` is a plan's id or path, a branch, or an entry's id. Raises NothingToDoError when it is none with
    work, UsageError for the target itself and for a priority that no plan may have.
    """
    if priority is not None and not abs(priority) <= MAX_PRIORITY:  # what is no number (nan) is not either
        raise UsageError(f"--priority {priority} is not from {-MAX_PRIORITY} to {MAX_PRIORITY}")
    plan = _plan_named(bench, name)
    attempt = _attempt_with_work(bench, plan)
    if attempt is not None:
        return _add_attempt(bench, attempt, priority, method)
    if branch_head(bench, name) is not None:
        return _add_branch(bench, name, priority, method)
    return _again(bench, require_entry(bench, plan))


def bring_branches(bench: Workbench, names: Iterable[str]) -> None:
    """Have branches of these names that only the remote has be known here; without one there are none."""
    asked = [name for name in names if not name.lower().endswith(_ENDINGS)]
    if bench.mirror is not None and asked:
        seconds = bench.settings.project.remote_timeout
        fetch_branches(bench.git, bench.references, bench.mirror, asked, seconds)


def _plan_named(bench: Workbench, name: str) -> str:
    """The id in the plan file that ``name`` is the path of (from here, else from the top), else ``name``."""
    if not name.lower().endswith(_ENDINGS):
        return name
    for path in (Path(name), (bench.repository.top or Path()) / name):
        if path.is_file() and (plan := read_plan(path, path.read_bytes()).plan):
            return plan.id
    return name


def _attempt_with_work(bench: Workbench, name: str) -> Attempt | None:
    found = bench.store.attempts(plan=name, states=_WITH_WORK)
    return found[-1] if found else None


def finished_attempts(bench: Workbench) -> tuple[Attempt, ...]:
    """The newest attempt of each plan, where it is finished and nobody is about to queue it, oldest first.

    A living run that lands by itself queues its own.
    """
    found = [a for a in bench.store.latest_attempts() if a.state is _A.FINISHED]
    return tuple(sorted((a for a in found if not _is_landed_by_run(bench, a)), key=lambda a: a.id))


def _is_landed_by_run(bench: Workbench, attempt: Attempt) -> bool:
    run = bench.store.run(attempt.run)
    return run is not None and bool(run.options.get("land")) and conductor_of(bench.store, run) is not None


def _add_attempt(bench: Workbench, attempt: Attempt, priority: float | None, method: str | None) -> Entry:
    old = bench.store.entry(attempt.entry) if attempt.entry else None
    if attempt.state not in (_A.LANDED, _A.FINISHED):  # in a person's hands since
        _require_committed(bench, attempt)
    if old is None:
        return submit(bench, _first_work(bench, attempt, priority, method), attempt)
    if attempt.state is _A.LANDED:
        return _again(bench, old)
    return resubmit(bench, attempt)


def _require_committed(bench: Workbench, attempt: Attempt) -> None:
    """Raise UsageError when the plan's worktree holds work that a landing of its branch would leave out."""
    slot = slot_of_attempt(bench, attempt.id)
    if slot is None or not Path(slot.path).is_dir():
        return
    dirt = bench.git.run(*DIRT, at=Path(slot.path)).records
    if dirt:
        paths = ", ".join(sorted(record[3:] for record in dirt)[:5])
        raise UsageError(f"{attempt.plan} has uncommitted work in {slot.path} ({paths}): commit it first")


def _first_work(bench: Workbench, attempt: Attempt, priority: float | None, method: str | None) -> Work:
    """What a run would queue; a prepared plan has its work on the branch, committed by whoever did it."""
    head = attempt.head or bench.references.resolve(branch_reference(attempt.branch))
    base, run = attempt.base, bench.store.run(attempt.run)
    assert base is not None, "an attempt gets its base before it gets its worktree"
    assert run is not None, "an attempt is stored with its run"
    sync_work(bench.git, bench.objects, attempt.branch, head, base)
    plan = next(plan for plan in thaw(bench, run.frozen) if plan.id == attempt.plan)
    return Work(
        target=bench.target,
        branch=attempt.branch,
        head=head,
        base=base,
        plan=attempt.plan,
        explicit_base=bool(attempt.stacked_on),
        after=tuple(d.plan for d in plan.dependencies if d.is_stacked),
        check=plan.check,
        method=method,
        reads=plan.manifest.read.texts if plan.manifest else (),
        priority=plan.priority if priority is None else priority,
    )


def resubmit(bench: Workbench, attempt: Attempt) -> Entry:
    """Queue anew what came to nothing, at its old age: the same head, or the one that the branch has now.

    A conflict is resolved, and a red check mended, by commits on the branch.
    """
    old = bench.store.entry(attempt.entry or "")
    assert old is not None, "an attempt that was queued has an entry"
    if old.state not in _STANDING:
        return old
    head = branch_head(bench, attempt.branch) or old.head
    if head == old.head:
        return requeue(bench, attempt, old) if attempt.state is not _A.QUEUED else _again(bench, old)
    work = work_of_head(bench, old, head)
    if work is None:
        raise UsageError(f"{attempt.branch} has no common history with the target")
    sync_work(bench.git, bench.objects, attempt.branch, head, work.base)
    keep_head(bench, key_of(work), work.head)
    with bench.store.transaction():
        entry = submit(bench, work, attempt)
        _supersede(bench, old, entry)
    return entry


def _supersede(bench: Workbench, old: Entry, new: Entry) -> None:
    """The old head is not to land any more; the attempt is the new entry's."""
    if old.state in (EntryState.HELD, EntryState.BLOCKED):
        freed = bench.store.update_entry(old, attempt=None)
        why = {"code": "superseded", "detail": f"the branch has a new head, queued as {new.id}"}
        settle(bench, freed, EntryState.DROPPED, reason=why)


def _again(bench: Workbench, entry: Entry) -> Entry:
    """Queue an entry anew that stands still; one on its way, or on the target, is returned as it is."""
    if entry.state not in _STANDING or (entry.state is EntryState.LANDED and is_on_target(bench, entry)):
        return entry
    with head_kept(bench, entry.id, entry.head):
        return settle(bench, entry, EntryState.QUEUED, reason={})


def _common_base(bench: Workbench, name: str, head: str) -> str:
    tip = bench.target_tip()
    bases = bench.objects.merge_bases(tip, head)
    if not bases:
        lacking = ": this clone is shallow" if is_shallow(bench.repository) else ""
        raise UsageError(f"{name} has no common history with the target{lacking}")
    if lacks_history(bench.git, tip, head):
        raise UsageError(f"history between {name} and the target is lacking: this clone is shallow")
    return bases[0]


def _add_branch(bench: Workbench, name: str, priority: float | None, method: str | None) -> Entry:
    if name == bench.settings.project.target:
        raise UsageError(f"{name} is the target itself")
    head = branch_head(bench, name) or bench.references.resolve(branch_reference(name))
    base = _common_base(bench, name, head)
    sync_work(bench.git, bench.objects, name, head, base)
    mended = _mended(bench, name, head)
    work = Work(
        target=bench.target,
        branch=name,
        head=head,
        base=base,
        method=method or (mended.method if mended else None),
        priority=priority if priority is not None else mended.priority if mended else 50,
        arrival=mended.age if mended else 0,
        queued_at=mended.queued_at if mended else None,
    )
    return _again(bench, submit(bench, work))


def _mended(bench: Workbench, name: str, head: str) -> Entry | None:
    """The entry of the branch that came to nothing and that ``head`` goes on from: it has its place."""
    entries = bench.store.entries(target=bench.target, states=_CAME_TO_NOTHING)
    found = [e for e in entries if e.branch == name and e.plan is None and e.head != head]
    last = found[-1] if found else None
    known = last is not None and bench.objects.has_commit(last.head)
    return last if last and known and bench.objects.is_ancestor(last.head, head) else None
