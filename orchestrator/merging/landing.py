"""Move the target to a candidate, exactly once: for one entry, or for a batch of them at once (S5).

The order is the promise:

1. the candidate has passed its checks and the post-check; the target is still where it was merged onto
2. checkouts of the target: index locked, update tried on a copy; the user's work in the way blocks
3. the intent is stored durably
4. one reference transaction: verify epoch, create the landed references, update the target (last)
5. checkouts follow
6. the intent is done, the entries landed; the proof

The candidate's own reference goes when the worker has nothing else to do.

A crash between any two leaves what ``recovery`` tells apart and finishes. An unknown outcome of 4 is
resolved by looking.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.merging import laneproof
from orchestrator.merging.checkouts import recover_checkouts, tell_left
from orchestrator.merging.evidence import git_killed
from orchestrator.merging.following import checkouts_ready, in_the_way
from orchestrator.merging.making import work_of
from orchestrator.merging.pausing import TIP, pause, staying
from orchestrator.merging.postcheck import flaw
from orchestrator.merging.publishing import publish
from orchestrator.merging.resolving import has_landed, undo
from orchestrator.states import EntryState, IntentState
from orchestrator.store.records import Entry, Intent
from orchestrator.submitting.key import landed_reference
from orchestrator.submitting.locked import LOCKED
from orchestrator.submitting.standstill import note
from worktrees.changes import own_changes
from worktrees.errors import (
    CheckoutInTheWayError,
    CheckoutLockedError,
    GitFailedError,
    MissingObjectError,
    ReferenceMovedError,
)
from worktrees.locks import foreign_locks
from worktrees.references import Create, Update, Verify
from worktrees.remoteerrors import PushRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.merging.laneproof import Lane
    from orchestrator.merging.tenure import Tenure
    from worktrees.follow import Follow
    from worktrees.references import Change

PATIENCE: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries at an index that git has locked, as every ``git status`` of an editor does."""
ALONE: Final = "alone"
"""The reason of an entry that a batch could not land with, and that is dealt with by itself next."""


@dataclass(frozen=True, slots=True)
class Member:
    """An entry that lands, and the commit that its landed reference will name."""

    entry: Entry
    commit: str


@dataclass(frozen=True, slots=True)
class Landing:
    """What is about to land: ``commit`` on ``old``. ``commit == old`` lands work that is there already.

    One member's commit is ``commit`` itself; those of a batch are in its side chain. ``proof`` is shown with
    the landing: what it rests on. ``lane``: it rests on another tree's verdict.
    """

    members: tuple[Member, ...]
    old: str
    commit: str
    unchecked: bool
    proof: Mapping[str, Any] = field(default_factory=dict)
    lane: Lane | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries that land."""
        return tuple(member.entry for member in self.members)


def land(tenure: Tenure, landing: Landing) -> tuple[Entry, ...]:
    """Carry out steps 2 to 6 and return the entries as they are then: landed, blocked, or queued again.

    Queued again means that the target moved meanwhile. Raises FencePassedError or LeaseLostError when
    another worker has taken over: then this one must stop; StaleRecordError when a person dropped one of
    them: then none has moved.
    """
    with tenure.writing(durable=False):  # what a person says from now on is too late for these
        stays = staying(tenure.bench.store, tenure.bench.target, landing.old, landing.entries)
        if stays:
            return _settled(tenure, landing, lambda entry: (EntryState.QUEUED, stays[entry.id]))
        members = tuple(_about_to_land(tenure, landing, member) for member in landing.members)
    landing = replace(landing, members=members)
    for seconds in (*PATIENCE, None):
        try:
            with checkouts_ready(tenure, landing.old, landing.commit) as follows:
                return _transact(tenure, landing, follows)
        except CheckoutInTheWayError as error:
            if not isinstance(error, CheckoutLockedError) or seconds is None:
                return _blocked(tenure, landing, error)
            if seconds == PATIENCE[0]:
                recover_checkouts(tenure)  # an earlier landing that could not be finished there
            tenure.bench.clock.wait(threading.Event(), seconds)
        except GitFailedError as error:
            if not error.was_killed:
                raise
            return _again(tenure, landing, error)
    raise AssertionError("the last try returns")


def _about_to_land(tenure: Tenure, landing: Landing, member: Member) -> Member:
    changes = {"candidate": member.commit, "unchecked": landing.unchecked}
    return replace(member, entry=tenure.settle(member.entry, EntryState.LANDING, **changes))


def _blocked(tenure: Tenure, landing: Landing, error: CheckoutInTheWayError) -> tuple[Entry, ...]:
    """What is in the way of one of a batch lets the others go on; a lock is in the way of all."""
    why = in_the_way(error, landing.old)
    if len(landing.members) == 1 or isinstance(error, CheckoutLockedError):
        return _settled(tenure, landing, lambda _: (EntryState.BLOCKED, why))
    return _settled(tenure, landing, lambda entry: (EntryState.QUEUED, apart(tenure, entry, why)))


def apart(tenure: Tenure, entry: Entry, why: dict[str, Any]) -> dict[str, Any]:
    """The reason of an entry whose batch cannot land for ``why``: which of it has its own turn next."""
    try:
        touched = set(own_changes(tenure.bench.objects, work_of(entry)))
    except MissingObjectError:
        touched = set(why["paths"])
    if not why["paths"] or touched.intersection(why["paths"]):
        return {**why, "code": ALONE}
    return {"code": "batch", "detail": f"another of its batch could not land: {why['detail']}"}


def _settled(
    tenure: Tenure, landing: Landing, to: Callable[[Entry], tuple[EntryState, dict[str, Any]]]
) -> tuple[Entry, ...]:
    """All of them moved at once, each to its state for its reason."""
    with tenure.writing():
        moves = [(entry, *to(entry)) for entry in landing.entries]
        return tuple(tenure.settle(entry, state, reason=why) for entry, state, why in moves)


def _transact(tenure: Tenure, landing: Landing, follows: tuple[Follow, ...]) -> tuple[Entry, ...]:
    """Steps 3 to 6. Whatever fails once the intent is stored, checkouts stay marked for the recovery."""
    intent = _intend(tenure, landing, follows)
    try:
        return _moved(tenure, landing, follows, intent)
    except BaseException:
        for follow in follows:
            follow.leave()
        raise


def _moved(
    tenure: Tenure, landing: Landing, follows: tuple[Follow, ...], intent: Intent
) -> tuple[Entry, ...]:
    """Steps 4 to 6."""
    try:
        publish(tenure, _changes(tenure, landing), message="planctl: land", step="landing.refs")
    except (ReferenceMovedError, GitFailedError) as error:
        if not has_landed(tenure.bench, landing.entries, intent):
            return _not_landed(tenure, landing, intent, error)
    for follow in follows:
        _bring_along(tenure, follow)
    return finish(tenure, landing.entries, intent, proof=landing.proof)


def _intend(tenure: Tenure, landing: Landing, follows: tuple[Follow, ...]) -> Intent:
    intent = Intent(
        id=tenure.bench.stamp(),
        members={member.entry.id: member.commit for member in landing.members},
        target=tenure.bench.target,
        old=landing.old,
        new=landing.commit,
        epoch=tenure.epoch,
        created_at=tenure.bench.clock.now(),
        checkouts=tuple(str(follow.git_dir) for follow in follows),
    )
    with tenure.writing():
        tenure.bench.store.add_intent(intent)
        laneproof.intend(tenure.bench.store, intent, landing.lane)
    return intent


def _changes(tenure: Tenure, landing: Landing) -> list[Change]:
    target = tenure.bench.target
    created = [
        Create(landed_reference(tenure.bench.landed, m.entry.plan or m.entry.branch, m.entry.id), m.commit)
        for m in landing.members
    ]
    if landing.commit == landing.old:
        return [*created, Verify(target, landing.old)]
    return [*created, Update(target, landing.commit, landing.old)]


def _not_landed(tenure: Tenure, landing: Landing, intent: Intent, error: Exception) -> tuple[Entry, ...]:
    """The target moved meanwhile, or git was killed: again. Git failed on an unmoved one: blocked."""
    undo(tenure, landing.entries, intent)
    if isinstance(error, ReferenceMovedError):
        moved = {"code": "target-moved", "detail": str(error)}
        return _settled(tenure, landing, lambda _: (EntryState.QUEUED, moved))
    if isinstance(error, GitFailedError) and error.was_killed:
        return _again(tenure, landing, error)
    if isinstance(error, PushRefusedError):
        refused = {"code": "push-refused", "detail": str(error), "tip": intent.old}
        if len(landing.members) > 1:  # perhaps for what one of them holds: each is asked for by itself
            return _settled(tenure, landing, lambda _: (EntryState.QUEUED, {**refused, "code": ALONE}))
        return _settled(tenure, landing, lambda _: (EntryState.BLOCKED, refused))
    locks = foreign_locks(tenure.bench.git)
    why = f"{error}; lock files in the way: {', '.join(locks)}" if locks else str(error)
    reason = {"code": LOCKED if locks else "git-failed", "detail": why, "paths": list(locks)}
    return _settled(tenure, landing, lambda _: (EntryState.BLOCKED, {**reason, "tip": intent.old}))


def _again(tenure: Tenure, landing: Landing, error: GitFailedError) -> tuple[Entry, ...]:
    """Git was killed with the target as it was: again, but not for ever; those of a batch then one by one."""

    def counted(entry: Entry) -> tuple[EntryState, dict[str, Any]]:
        state, why = git_killed(error, entry)
        if state is EntryState.HELD and len(landing.members) > 1:
            return EntryState.QUEUED, {**why, "code": ALONE, "killed": 0}
        return state, why

    return _settled(tenure, landing, counted)


def _bring_along(tenure: Tenure, follow: Follow) -> None:
    """Step 5. What goes wrong here undoes no landing: it is told, and the next worker or sync goes on."""
    try:
        kept, failure = follow.apply(), ""
    except (GitFailedError, OSError) as error:
        kept, failure = (), str(error)
    tell_left(tenure, str(follow.top), kept, failure)


def finish(
    tenure: Tenure, entries: tuple[Entry, ...], intent: Intent, *, proof: Mapping[str, Any]
) -> tuple[Entry, ...]:
    """Step 6, also for a landing that recovery found made. A flaw in the proof pauses the queue.

    The references have moved: whoever handed an entry in again meanwhile changes nothing about that.
    """
    store = tenure.bench.store
    with tenure.writing():
        store.move_intent(intent, IntentState.DONE)
        note(store, intent.target, TIP, intent.new)
        unchecked = any(entry.unchecked for entry in entries)
        lane = laneproof.landed(store, intent, unchecked=unchecked)
        shown = {"proof": {**proof, **lane, "follows": intent.old}}
        landed = tuple(_landed(tenure, entry, intent, shown) for entry in entries)
    wrong = flaw(tenure.bench, entries, intent)
    if wrong:
        pause(store, tenure.bench.clock, intent.target, f"the proof of a landing failed: {wrong}")
    return landed


def _landed(tenure: Tenure, entry: Entry, intent: Intent, shown: dict[str, Any]) -> Entry:
    newest = tenure.bench.store.entry(entry.id) or entry
    if newest.state is EntryState.LANDED:
        return newest
    made = intent.members[entry.id]
    why = _rests_on(entry, intent, shown["proof"])
    changes = {"landed_commit": made, "unchecked": entry.unchecked, "reason": why, "shown": shown}
    return tenure.settle(newest, EntryState.LANDED, **changes)


def _rests_on(entry: Entry, intent: Intent, proof: Mapping[str, Any]) -> dict[str, Any]:
    """What a person is told of a landing whose own commit has no verdict: ``rests`` on what, by ``by``."""
    if intent.new == intent.old:
        return {"rests": "there"}
    if "lane" in proof:
        return {"rests": "lane", "by": proof["lane"]}
    if intent.new != intent.members[entry.id] and not entry.unchecked:
        return {"rests": "batch", "by": intent.new}
    return {}
