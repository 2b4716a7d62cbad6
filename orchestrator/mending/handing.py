"""How a conflict leaves the resolver: as a new head, back to a person, or to be tried again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.events import EventName
from orchestrator.mending.holding import current, require_held, rewrite
from orchestrator.mending.preparing import rescued
from orchestrator.mending.returning import close, put_back
from orchestrator.merging.conflicting import TIMES
from orchestrator.merging.evidence import SHOWN_PATHS
from orchestrator.merging.settle import settle
from orchestrator.running.log import last_lines
from orchestrator.states import EntryState
from orchestrator.submitting.heads import keep_head
from orchestrator.submitting.newhead import work_of_head
from orchestrator.submitting.submit import key_of, submit
from worktrees.durable import sync_work

if TYPE_CHECKING:
    from orchestrator.leases.lease import HeldLease
    from orchestrator.mending.place import Back
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.slots.prepared import Prepared
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

MOST_LATER: Final = 3
"""Times that a resolver may give no answer before a person must look."""
_TAIL: Final = 20


def resolved(
    bench: Workbench, keeper: SlotKeeper, entry: Entry, prepared: Prepared, head: str, *, lease: HeldLease
) -> None:
    """Queue the new head in the old one's place; the branch stands there already.

    Raises LeaseLostError when another process has ``entry`` by now, and StaleRecordError when it is resolving
    no more, here and below; then nothing was changed.
    """
    store, old = bench.store, current(bench, lease, entry)
    done = rewrite(bench, prepared, done=True, commit=head)
    work = work_of_head(bench, old, head)
    assert work is not None, "it holds a commit of the target"
    sync_work(bench.git, bench.objects, old.branch, head, work.base)
    attempt = store.attempt(old.attempt) if old.attempt else None
    key = key_of(work)
    keep_head(bench, key, head)
    with store.transaction():
        require_held(bench, lease)
        freed = store.update_entry(old, attempt=None)
        detail = f"its conflict was resolved; {old.branch} is at {head[:12]}, queued as {key}"
        why = {"code": "resolved", "detail": detail, "entry": key, "log": prepared.log}
        settle(bench, freed, EntryState.DROPPED, reason=why)
        new = submit(bench, work, attempt, reason=_counted(old))
        tell(bench, old, EventName.RESOLVER_ENDED, resolved=True, head=head, next=new.id, log=prepared.log)
        tell(bench, new, EventName.RESOLVER_ENDED, resolved=True, head=head, earlier=old.id)
    close(bench, keeper, done)


def merges_now(
    bench: Workbench, keeper: SlotKeeper, entry: Entry, prepared: Prepared, *, lease: HeldLease
) -> None:
    """The target has moved on, and there is no conflict with it any more: the same head once more."""
    now = current(bench, lease, entry)
    put_back(bench, keeper, prepared)
    with bench.store.transaction():
        require_held(bench, lease)
        settle(bench, now, EntryState.QUEUED, reason=_counted(entry))


def _counted(entry: Entry) -> dict[str, int]:
    return {TIMES: int(entry.reason.get(TIMES, 0)) + 1}


def back(
    bench: Workbench,
    keeper: SlotKeeper,
    entry: Entry,
    why: Back,
    prepared: Prepared | None = None,
    *,
    lease: HeldLease,
) -> None:
    """Hand the conflict back to a person, the worktree as it was."""
    now, said = current(bench, lease, entry), dict[str, Any]()
    ignored = rescued(prepared.rescue) if prepared is not None else ""
    if prepared is not None:
        said |= put_back(bench, keeper, prepared)
        said |= {"log": prepared.log, "tail": last_lines(Path(prepared.log), _TAIL)}
    conflict = f"conflicts in {', '.join(list(now.reason.get('paths', ()))[:SHOWN_PATHS])}"
    detail = "; ".join(filter(None, (conflict, why.detail, said.get("kept"), ignored)))
    with bench.store.transaction():
        require_held(bench, lease)
        reason = {**now.reason, "code": why.code, "detail": detail, **said}
        settle(bench, now, EntryState.CONFLICTED, reason=reason)
        tell(bench, now, EventName.RESOLVER_ENDED, resolved=False, code=why.code, detail=why.detail)


def again(
    bench: Workbench, keeper: SlotKeeper, entry: Entry, why: Back, prepared: Prepared, *, lease: HeldLease
) -> None:
    """No answer: put everything back, and have it tried again, though not for ever."""
    later = int(entry.reason.get("later", 0)) + 1
    if later >= MOST_LATER:
        back(bench, keeper, entry, replace(why, detail=f"{why.detail}, {later} times"), prepared, lease=lease)
        return
    now = current(bench, lease, entry)
    said = put_back(bench, keeper, prepared) | {"log": prepared.log}
    with bench.store.transaction():
        require_held(bench, lease)
        reason = {**now.reason, **said, "code": why.code, "detail": why.detail, "later": later}
        bench.store.update_entry(now, reason=reason)
        tell(bench, now, EventName.RESOLVER_ENDED, resolved=None, code=why.code, detail=why.detail)


def tell(bench: Workbench, entry: Entry, name: EventName, **data: Any) -> None:
    """Tell of a resolver that is at ``entry``."""
    about = {"entry": entry.id, "branch": entry.branch, **data}
    bench.store.emit(name, at=bench.clock.now(), run=entry.run, plan=entry.plan, **about)
