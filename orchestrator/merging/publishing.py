"""Carry out a landing's reference changes: here, or on the remote whose target counts.

On a remote, one landing is one push, all or none, each reference from exactly what it is expected to be:

1. the epoch, as it was last seen → a new object: each landing moves it, so that each is fenced by it
2. the landed references, which must not exist (or be left of a landing that the target does not contain)
3. the target → the candidate, from the commit that was tested against; that it follows it is asserted before

The mirror follows. The order within this process is the fence against a worker that was stopped for long:
the intent is stored, the epoch is read, *then* the lease is verified in the store, then it is pushed. Whoever
takes the queue over meanwhile finds the intent, and moves the remote's epoch before it decides anything by
what it sees there (:func:`fence`). What was pushed before that is seen; what comes later is refused.

What a push may come to:

| answer | then |
| --- | --- |
| taken, and seen to be there | landed |
| taken, and not to be seen | RemoteUnreachableError, the intent stays open |
| refused, the target or a landed reference has moved | planned anew: ReferenceMovedError |
| refused, only the epoch has moved | pushed again with the new one: the verdict stands |
| refused, nothing has moved | again some times, for a server that is busy; then see below |
| unknown | the epoch is moved, so that it cannot be taken later; then looked at |
| the remote does not answer | RemoteUnreachableError, the intent stays open |

Refused for good: if the server does not take the epoch alone either, the target alone is pushed. If it takes
that, it is planctl's own references that it does not take, and the clone remembers (``plain``, see
``upstream``). Each later landing tries the epoch again before. If it does take the epoch, the landing is
pushed once more, and then with the epoch and without its landed references: trailers tell it. Else
PushRefusedError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.merging.remoteepoch import AGAIN, move_epoch, next_epoch, push_to, rest
from orchestrator.merging.told import tell
from orchestrator.merging.turns import is_anothers
from orchestrator.merging.upstream import (
    bring_up_to_date,
    forget_plain,
    is_plain,
    is_untold,
    note_untold,
    turn_plain,
)
from worktrees.errors import GitFailedError, ReferenceMovedError
from worktrees.fetch import mirror_lock
from worktrees.mirror import EPOCH
from worktrees.push import Answer, Move, Outcome
from worktrees.references import Create, Update
from worktrees.remoteerrors import PushRefusedError, RemoteUnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.merging.tenure import Tenure
    from worktrees.mirror import Mirror
    from worktrees.references import Change

_MOST: Final = 100
"""Pushes of one landing while others move the epoch alone; each of those is somebody's progress."""


def publish(tenure: Tenure, changes: Sequence[Change], *, message: str, step: str) -> None:
    """Make ``changes`` under this tenure's fence: all of them or none, the target last.

    Raises what :meth:`Tenure.transact` does; for a remote's target ReferenceMovedError, PushRefusedError
    (nothing has changed, the mirror is up to date) and RemoteUnreachableError (the outcome is unknown).
    """
    mirror = tenure.bench.mirror
    if mirror is None:
        tenure.transact(changes, message=message, step=step)
        return
    _Publication(tenure, mirror, [c for c in changes if isinstance(c, Create | Update)]).make()


class _Publication:
    """One landing on its way to the remote."""

    def __init__(self, tenure: Tenure, mirror: Mirror, changes: Sequence[Create | Update]) -> None:
        self._tenure = tenure
        self._bench = tenure.bench
        self._mirror = mirror
        self._changes = changes
        self._alone = False
        """The target is pushed alone, because the epoch was refused just now."""
        self._untold = False
        """The landed references are left out, because all but the epoch was refused with them."""
        self._again = is_untold(tenure.bench)
        self._waits = list(AGAIN[:1] if self._again else AGAIN)

    def make(self) -> None:
        self._begin()
        for _ in range(_MOST):
            moves = self._moves()
            self._require_lease()
            answer = push_to(self._bench, self._mirror, moves) if moves else Answer(Outcome.TAKEN)
            if answer.outcome is Outcome.TAKEN:
                self._follow(moves)
                self._require_seen()
                if self._alone and moves:
                    self._turn_plain("it takes the target, and does not take the epoch")
                elif moves:
                    note_untold(self._bench, untold=self._untold)
                return
            self._look(answer)
            if self._is_made():
                return
            if answer.outcome is Outcome.UNKNOWN or not self._has_new_epoch(moves):
                if not self._waits:
                    self._refused(answer)
                rest(self._bench, self._waits.pop(0))
        raise ReferenceMovedError(f"{self._mirror.epoch} does not stand still")

    def _begin(self) -> None:
        if is_plain(self._bench):
            self._try_epoch(waits=())
        elif self._bench.references.read(self._mirror.epoch) is None:
            self._try_epoch()

    def _look(self, answer: Answer) -> None:
        """See what became of a push that was not taken, or whose outcome is not known."""
        if answer.outcome is Outcome.UNKNOWN and not self._alone:
            self._require_lease()
            move_epoch(self._tenure)
        bring_up_to_date(self._bench, whole=answer.outcome is Outcome.REFUSED)

    def _turn_plain(self, why: str) -> None:
        """The target alone was taken: plain, unless the epoch is taken now as well."""
        if not is_plain(self._bench) and not move_epoch(self._tenure, waits=()):
            turn_plain(self._bench, why)

    def _try_epoch(self, waits: Sequence[float] = AGAIN) -> None:
        """Go on without planctl's own references where the server does not take the epoch alone.

        Before the first landing of all, too: a server that hides them moves the target all the same.
        """
        self._require_lease()
        self._alone = not move_epoch(self._tenure, waits=waits)
        if not self._alone and is_plain(self._bench):
            forget_plain(self._bench)

    def _require_lease(self) -> None:
        """Raise LeaseLostError unless the queue is this tenure's: asked after the epoch was read."""
        with self._tenure.writing():
            pass

    def _moves(self) -> list[Move]:
        """What is to be pushed, the target last; raises ReferenceMovedError where it cannot land any more."""
        self._require_unmoved()
        if is_anothers(self._bench):
            raise ReferenceMovedError("it is another clone's turn")
        if self._alone:
            return [self._target(change) for change in self._changes if isinstance(change, Update)]
        moves = [next_epoch(self._bench, self._mirror)]
        for change in self._changes:
            theirs = self._mirror.theirs(change.name)
            if isinstance(change, Update):
                moves.append(self._target(change))
            elif not self._untold:
                moves.append(Move(theirs, change.new, self._bench.references.read(change.name)))
        return moves

    def _target(self, change: Update) -> Move:
        if not self._bench.objects.is_ancestor(change.old, change.new):
            raise ReferenceMovedError(f"{change.new[:12]} does not follow {change.old[:12]}")
        return Move(self._mirror.theirs(change.name), change.new, change.old)

    def _follow(self, moves: Sequence[Move]) -> None:
        """The mirror follows what the remote has taken, if it is still where it was; else it is looked at.

        In between this process may have been stopped for long, and others have seen newer things.
        """
        bench = self._bench
        followed = {self._mirror.own(move.name): move for move in moves}
        changes = [
            Create(name, move.new) if move.old is None else Update(name, move.new, move.old)
            for name, move in followed.items()
        ]
        try:
            with mirror_lock(bench.repository):
                if changes:
                    bench.references.transact(changes, message="planctl: landed", step="remote.follow")
                if self._alone or self._untold:
                    self._tell()
        except ReferenceMovedError:
            bring_up_to_date(bench)
        except (GitFailedError, OSError) as error:
            detail = f"it has taken the landing, which could not be noted here: {error}"
            raise RemoteUnreachableError(self._mirror.remote, detail) from error

    def _require_seen(self) -> None:
        """Believe only what the remote shows: what it is read from may not be what took the push."""
        bench = self._bench
        for seconds in (*AGAIN, None):
            bring_up_to_date(bench)
            tip = bench.target_tip()
            if all(bench.objects.is_ancestor(change.new, tip) for change in self._changes):
                return
            if seconds is not None:
                rest(bench, seconds)
        raise RemoteUnreachableError(
            self._mirror.remote, "it took a push, and does not show it", answers=True
        )

    def _tell(self) -> None:
        """Note what has landed, where no landed reference does."""
        own = [c for c in self._changes if isinstance(c, Create)]
        names = {self._mirror.told + c.name.removeprefix(self._mirror.landed): c.new for c in own}
        tell(self._bench, names, self._bench.target_tip())

    def _is_made(self) -> bool:
        """Whether it has landed after all, by what the remote shows now.

        The target may contain it without the landed references: git's servers move the other references of
        an atomic push although they refuse hidden ones.
        """
        bench, tip = self._bench, self._bench.target_tip()
        if not all(bench.objects.is_ancestor(change.new, tip) for change in self._changes):
            return False
        landed = [c for c in self._changes if isinstance(c, Create)]
        if all(bench.references.read(c.name) == c.new for c in landed):
            return True
        if not (self._alone or self._untold):
            if len(landed) == len(self._changes):
                return False
            self._turn_plain("it moved the target alone")
            self._alone = True
        self._follow([])
        return True

    def _require_unmoved(self) -> None:
        """Raise ReferenceMovedError where the target is not what was tested against, or a key has landed."""
        bench, tip = self._bench, self._bench.target_tip()
        for change in self._changes:
            found = bench.references.read(change.name)
            if isinstance(change, Update) and found != change.old:
                raise ReferenceMovedError(f"{change.name} is {tip[:12]}, expected {change.old[:12]}")
            if isinstance(change, Create) and found and bench.objects.is_ancestor(found, tip):
                raise ReferenceMovedError(f"{change.name} is {found[:12]}, expected absent")

    def _has_new_epoch(self, moves: Sequence[Move]) -> bool:
        found = self._bench.references.read(self._mirror.epoch)
        return any(move.name == EPOCH and move.old != found for move in moves)

    def _refused(self, answer: Answer) -> None:
        """Nothing has moved and it is not taken: plainly, once more, without landed references, or not."""
        if answer.outcome is Outcome.UNKNOWN:
            raise RemoteUnreachableError(self._mirror.remote, "; ".join(answer.why), answers=True)
        if self._alone or self._untold:
            raise PushRefusedError(self._mirror.remote, answer.why)
        if self._again:
            self._untold = True
        else:
            self._again = True
            self._try_epoch()
        self._waits.append(AGAIN[0])
