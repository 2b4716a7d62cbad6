"""Move the target to a candidate, exactly once.

The order is the promise:

1. the candidate has passed its checks and the post-check; the target is still where it was merged onto
2. checkouts of the target: index locked, update tried on a copy; the user's work in the way blocks
3. the intent is stored durably
4. one reference transaction: verify epoch, create landed reference, update the target (last)
5. checkouts follow
6. the intent is done, the entry landed; the proof

The candidate's own reference goes when the worker has nothing else to do.

A crash between any two leaves what ``recovery`` tells apart and finishes. An unknown outcome of 4 is
resolved by looking.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.merging.checkouts import recover_checkouts, tell_left
from orchestrator.merging.evidence import git_killed
from orchestrator.merging.pausing import TIP, note, pause
from orchestrator.merging.postcheck import flaw
from orchestrator.merging.resolving import has_landed, undo
from orchestrator.states import EntryState, IntentState
from orchestrator.store.records import Entry, Intent
from orchestrator.submitting.checkouts import note_detached
from orchestrator.submitting.key import landed_reference
from orchestrator.submitting.locked import LOCKED
from plans.project import CheckoutPolicy
from worktrees.checkout import checkouts_of, detach_checkout
from worktrees.errors import CheckoutInTheWayError, CheckoutLockedError, GitFailedError, ReferenceMovedError
from worktrees.follow import prepare_follow
from worktrees.followlock import Mark
from worktrees.locks import foreign_locks
from worktrees.references import Create, Update, Verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.merging.tenure import Tenure
    from worktrees.checkout import Checkout
    from worktrees.follow import Follow
    from worktrees.references import Change

_NO_MAIN_CHECKOUT: Final = (
    "git does not take it for the main checkout any more; `git config core.bare false`, if a plan set it"
)
PATIENCE: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries at an index that git has locked, as every ``git status`` of an editor does."""


@dataclass(frozen=True, slots=True)
class Landing:
    """What is about to land: ``commit`` on ``old``. ``commit == old`` lands work that is there already.

    ``proof`` is shown with the landing: what it rests on.
    """

    entry: Entry
    old: str
    commit: str
    unchecked: bool
    proof: Mapping[str, Any] = field(default_factory=dict)


def land(tenure: Tenure, landing: Landing) -> Entry:
    """Carry out steps 2 to 6 and return the entry as it is then: landed, blocked, or queued again.

    Queued again means that the target moved meanwhile. Raises FencePassedError or LeaseLostError when
    another worker has taken over: then this one must stop.
    """
    entry = tenure.settle(
        landing.entry, EntryState.LANDING, candidate=landing.commit, unchecked=landing.unchecked
    )
    landing = replace(landing, entry=entry)
    for seconds in (*PATIENCE, None):
        try:
            with _checkouts_ready(tenure, landing) as follows:
                return _transact(tenure, landing, follows)
        except CheckoutInTheWayError as error:
            if not isinstance(error, CheckoutLockedError) or seconds is None:
                return tenure.settle(entry, EntryState.BLOCKED, reason=in_the_way(error, landing.old))
            if seconds == PATIENCE[0]:
                recover_checkouts(tenure)  # an earlier landing that could not be finished there
            tenure.bench.clock.wait(threading.Event(), seconds)
        except GitFailedError as error:
            if not error.was_killed:
                raise
            return _again(tenure, entry, error)
    raise AssertionError("the last try returns")


def in_the_way(error: CheckoutInTheWayError, tip: str) -> dict[str, Any]:
    """Why an entry is blocked: what was in the way of landing it on ``tip``."""
    if isinstance(error, CheckoutLockedError):
        locks = [] if error.lock is None else [str(error.lock)]
        return {"code": LOCKED, "detail": str(error), "paths": locks, "tip": tip}
    return {"code": "checkout", "detail": str(error), "paths": list(error.paths), "tip": tip}


def look_ahead(tenure: Tenure, landing: Landing) -> None:
    """Raise CheckoutInTheWayError when ``landing`` could not be made now for the user's work; change nothing.

    That git is at work there this moment does not count. Raises GitFailedError where git was killed at it.
    """
    with contextlib.suppress(CheckoutLockedError), _checkouts_ready(tenure, landing, only_look=True):
        pass


@contextlib.contextmanager
def _checkouts_ready(
    tenure: Tenure, landing: Landing, *, only_look: bool = False
) -> Iterator[tuple[Follow, ...]]:
    """Step 2: every checkout of the target is ready to follow, or nothing is held."""
    bench, target = tenure.bench, landing.entry.target
    policy = bench.settings.project.checkout
    follows: list[Follow] = []
    mark = Mark(target, landing.old, landing.commit, tenure.epoch)
    try:
        for checkout in _checkouts(tenure, target) if landing.commit != landing.old else ():
            if policy is CheckoutPolicy.WAIT:
                raise CheckoutInTheWayError(checkout.top, (), "the target is checked out (checkout: wait)")
            if policy is CheckoutPolicy.FOLLOW:
                follows.append(prepare_follow(bench.git, checkout, mark))
            elif not only_look:
                note_detached(bench.store, checkout.git_dir, target, landing.old)
                detach_checkout(bench.git, checkout, landing.old)
        yield tuple(follows)
    finally:
        for follow in follows:
            follow.abandon()


def _checkouts(tenure: Tenure, target: str) -> tuple[Checkout, ...]:
    """Which they are. Where that cannot be told, one may be in the way; the other entries go on.

    So for a main checkout that git takes for none since a command of a plan set ``core.bare``: the target
    would move under it.
    """
    git, main = tenure.bench.git, tenure.bench.main_checkout
    try:
        if main is not None and main.is_dir() and git.repository.primary_top != main:
            raise CheckoutInTheWayError(main, (), _NO_MAIN_CHECKOUT)
        return checkouts_of(git, target)
    except (GitFailedError, OSError) as error:
        raise CheckoutInTheWayError(git.repository.common_dir, (), str(error)) from error


def _transact(tenure: Tenure, landing: Landing, follows: tuple[Follow, ...]) -> Entry:
    """Steps 3 to 6. Whatever fails once the intent is stored, checkouts stay marked for the recovery."""
    intent = _intend(tenure, landing, follows)
    try:
        return _moved(tenure, landing, follows, intent)
    except BaseException:
        for follow in follows:
            follow.leave()
        raise


def _moved(tenure: Tenure, landing: Landing, follows: tuple[Follow, ...], intent: Intent) -> Entry:
    """Steps 4 to 6."""
    entry = landing.entry
    try:
        tenure.transact(_changes(landing), message="planctl: land", step="landing.refs")
    except (ReferenceMovedError, GitFailedError) as error:
        if not has_landed(tenure.bench, entry, intent):
            return _not_landed(tenure, entry, intent, error)
    for follow in follows:
        _bring_along(tenure, follow)
    return finish(tenure, entry, intent, unchecked=landing.unchecked, proof=landing.proof)


def _intend(tenure: Tenure, landing: Landing, follows: tuple[Follow, ...]) -> Intent:
    intent = Intent(
        id=tenure.bench.stamp(),
        entry=landing.entry.id,
        target=landing.entry.target,
        old=landing.old,
        new=landing.commit,
        epoch=tenure.epoch,
        created_at=tenure.bench.clock.now(),
        checkouts=tuple(str(follow.git_dir) for follow in follows),
    )
    with tenure.writing():
        tenure.bench.store.add_intent(intent)
    return intent


def _changes(landing: Landing) -> list[Change]:
    entry = landing.entry
    created = Create(landed_reference(entry.plan or entry.branch, entry.id), landing.commit)
    if landing.commit == landing.old:
        return [created, Verify(entry.target, landing.old)]
    return [created, Update(entry.target, landing.commit, landing.old)]


def _not_landed(tenure: Tenure, entry: Entry, intent: Intent, error: Exception) -> Entry:
    """The target moved meanwhile, or git was killed: again. Git failed on an unmoved one: blocked."""
    undo(tenure, entry, intent)
    if isinstance(error, ReferenceMovedError):
        return tenure.settle(entry, EntryState.QUEUED, reason={"code": "target-moved", "detail": str(error)})
    if isinstance(error, GitFailedError) and error.was_killed:
        return _again(tenure, entry, error)
    locks = foreign_locks(tenure.bench.git)
    why = f"{error}; lock files in the way: {', '.join(locks)}" if locks else str(error)
    reason = {"code": LOCKED if locks else "git-failed", "detail": why, "paths": list(locks)}
    return tenure.settle(entry, EntryState.BLOCKED, reason={**reason, "tip": intent.old})


def _again(tenure: Tenure, entry: Entry, error: GitFailedError) -> Entry:
    """Git was killed with the target as it was: again, but not for ever."""
    state, why = git_killed(error, entry)
    return tenure.settle(entry, state, reason=why)


def _bring_along(tenure: Tenure, follow: Follow) -> None:
    """Step 5. What goes wrong here undoes no landing: it is told, and the next worker or sync goes on."""
    try:
        kept, failure = follow.apply(), ""
    except (GitFailedError, OSError) as error:
        kept, failure = (), str(error)
    tell_left(tenure, str(follow.top), kept, failure)


def finish(
    tenure: Tenure, entry: Entry, intent: Intent, *, unchecked: bool, proof: Mapping[str, Any]
) -> Entry:
    """Step 6, also for a landing that recovery found made. A flaw in the proof pauses the queue.

    The references have moved: whoever handed the entry in again meanwhile changes nothing about that.
    """
    store = tenure.bench.store
    with tenure.writing():
        store.move_intent(intent, IntentState.DONE)
        entry = store.entry(entry.id) or entry
        note(store, entry.target, TIP, intent.new)
        shown = {"proof": {**proof, "follows": intent.old}}
        landed = entry
        if entry.state is not EntryState.LANDED:
            landed = tenure.settle(
                entry,
                EntryState.LANDED,
                landed_commit=intent.new,
                unchecked=unchecked,
                reason={},
                shown=shown,
            )
    wrong = flaw(tenure.bench, entry, intent.old, intent.new)
    if wrong:
        pause(store, tenure.bench.clock, entry.target, f"the proof of a landing failed: {wrong}")
    return landed
