"""Move the target to a candidate, exactly once. The order is the promise:

1. the candidate has passed its checks and the post-check; the target is still where it was merged onto
2. checkouts of the target: index locked, update tried on a copy; the user's work in the way blocks
3. the intent is stored durably
4. one reference transaction: verify epoch, create landed reference, update the target (last)
5. checkouts follow
6. the intent is done, the entry landed, the candidate's own reference removed

A crash between any two leaves what ``recovery`` tells apart and finishes.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.merging.epoch import EPOCH
from orchestrator.merging.settle import settle
from orchestrator.states import EntryState, IntentState
from orchestrator.store.records import Entry, Intent
from orchestrator.submitting.key import candidate_reference, landed_reference
from plans.project import CheckoutPolicy
from worktrees.checkout import Follow, checkouts_of, detach_checkout, prepare_follow
from worktrees.errors import CheckoutInTheWayError, ReferenceMovedError
from worktrees.references import Create, Delete, Update, Verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.workbench import Workbench
    from worktrees.references import Change


@dataclass(frozen=True, slots=True)
class Landing:
    """What is about to land: ``commit`` on ``old``. ``commit == old`` lands work that is there already."""

    entry: Entry
    old: str
    commit: str
    epoch: str
    unchecked: bool


def land(bench: Workbench, landing: Landing) -> Entry:
    """Carry out steps 2 to 6 and return the entry as it is then: landed, blocked, or queued again.

    Queued again means that the target moved meanwhile. Raises ReferenceMovedError when the fence was
    passed by another worker: then this one must stop.
    """
    entry = settle(
        bench,
        landing.entry,
        EntryState.LANDING,
        candidate=landing.commit,
        unchecked=landing.unchecked,
    )
    landing = Landing(entry, landing.old, landing.commit, landing.epoch, landing.unchecked)
    try:
        with _followed(bench, landing) as follows:
            return _transact(bench, landing, follows)
    except CheckoutInTheWayError as error:
        why = {"code": "checkout", "detail": str(error), "paths": list(error.paths)}
        return settle(bench, entry, EntryState.BLOCKED, reason=why)


@contextlib.contextmanager
def _followed(bench: Workbench, landing: Landing) -> Iterator[tuple[Follow, ...]]:
    """Step 2: every checkout of the target is ready to follow, or nothing is held."""
    follows: list[Follow] = []
    try:
        if landing.commit != landing.old:
            for checkout in checkouts_of(bench.git, landing.entry.target):
                policy = bench.settings.project.checkout
                if policy is CheckoutPolicy.WAIT:
                    raise CheckoutInTheWayError(
                        checkout.top, (), "the target is checked out (checkout: wait)"
                    )
                if policy is CheckoutPolicy.DETACH:
                    detach_checkout(bench.git, checkout, landing.old)
                    continue
                follows.append(prepare_follow(bench.git, checkout, landing.old, landing.commit))
        yield tuple(follows)
    finally:
        for follow in follows:
            follow.abandon()


def _transact(bench: Workbench, landing: Landing, follows: tuple[Follow, ...]) -> Entry:
    store, entry = bench.store, landing.entry
    intent = Intent(
        id=bench.stamp(),
        entry=entry.id,
        target=entry.target,
        old=landing.old,
        new=landing.commit,
        epoch=landing.epoch,
        created_at=bench.clock.now(),
        checkouts=tuple(str(follow.git_dir) for follow in follows),
    )
    store.add_intent(intent)
    try:
        bench.references.transact(
            _changes(landing), message=f"planctl: land {entry.plan or entry.branch}", step="landing.refs"
        )
    except ReferenceMovedError:
        store.move_intent(intent, IntentState.SUPERSEDED)
        if bench.references.read(EPOCH) != landing.epoch:
            raise
        return settle(bench, entry, EntryState.QUEUED, reason={"code": "target-moved"})
    for follow in follows:
        follow.apply()
    return finish(bench, entry, intent, unchecked=landing.unchecked)


def _changes(landing: Landing) -> list[Change]:
    entry = landing.entry
    created = Create(landed_reference(entry.plan or entry.branch, entry.id), landing.commit)
    fence = Verify(EPOCH, landing.epoch)
    if landing.commit == landing.old:
        return [fence, Verify(entry.target, landing.old), created]
    return [fence, created, Update(entry.target, landing.commit, landing.old)]


def finish(bench: Workbench, entry: Entry, intent: Intent, *, unchecked: bool) -> Entry:
    """Step 6, also for a landing that recovery found made."""
    with bench.store.transaction():
        bench.store.move_intent(intent, IntentState.DONE)
        bench.store.set_value(f"queue.{entry.target}.tip", intent.new)
        landed = settle(
            bench, entry, EntryState.LANDED, landed_commit=intent.new, unchecked=unchecked, reason={}
        )
    forget_candidate(bench, entry)
    return landed


def forget_candidate(bench: Workbench, entry: Entry) -> None:
    """Remove the candidate's own reference, if it is there."""
    name = candidate_reference(entry.id)
    kept = bench.references.read(name)
    if kept:
        bench.references.transact([Delete(name, kept)], message="planctl: landed", step="candidate.forget")
