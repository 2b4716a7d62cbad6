"""One worker's time at the queue: every write of it is fenced, in the store and in git.

Promise: after another worker has taken over, nothing that this one was about to write is written, however
long it was stopped and between whichever two instructions. In the store the lease's token is compared
inside the transaction of each write; in git the epoch is verified inside each reference transaction.
Non-promise: it is not stopped from computing; a check that runs goes on to its end.
Who checks: the store (the lease's row) and git (``verify refs/planctl/epoch``).
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import FencePassedError
from orchestrator.merging.evidence import carried
from orchestrator.merging.settle import settle
from orchestrator.states import EntryState, IntentState
from worktrees.errors import GitFailedError, ReferenceMovedError
from worktrees.locks import remove_left_locks
from worktrees.references import ZERO, Create, Update, Verify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from orchestrator.leases.lease import HeldLease
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.references import Change

EPOCH: Final = "refs/planctl/epoch"
_PASSING: Final = frozenset({EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING})
"""Recovery takes these back to the queue; nothing is lost when a power cut has done so already."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """``epoch`` is the object that the epoch reference names as long as nobody else has taken over."""

    bench: Workbench
    lease: HeldLease
    epoch: str

    def check(self) -> None:
        """Raise LeaseLostError when the lease is lost; a help, not a promise."""
        self.lease.check()

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[None]:
        """One transaction of the store, in which the lease is this tenure's; else LeaseLostError.

        ``durable=False``: a power cut may lose it, for what recovery would take back anyhow.
        """
        store = self.bench.store
        with store.transaction(durable=durable):
            self.lease.verify(store, "another worker has it now")
            yield

    def settle(self, entry: Entry, to: EntryState, **changes: Any) -> Entry:
        """Move ``entry``; raises LeaseLostError, and StaleRecordError when a person was faster."""
        if "reason" in changes:
            changes["reason"] = carried(entry, to, changes["reason"])
        with self.writing(durable=to not in _PASSING):
            return settle(self.bench, entry, to, **changes)

    def transact(self, changes: Sequence[Change], *, message: str, step: str) -> None:
        """Change references under this epoch, or raise FencePassedError and change nothing.

        Raises ReferenceMovedError and GitFailedError as :meth:`References.transact` does. After the latter
        the outcome is unknown where the git child was killed: look.
        """
        try:
            self._transact(changes, message, step)
        except ReferenceMovedError as error:
            found = self.bench.references.read(EPOCH)
            if found != self.epoch:
                raise FencePassedError(self.epoch, found) from error
            raise

    def _transact(self, changes: Sequence[Change], message: str, step: str) -> None:
        fenced = [Verify(EPOCH, self.epoch), *changes]
        try:
            self.bench.references.transact(fenced, message=message, step=step)
        except ReferenceMovedError:
            raise
        except GitFailedError:
            if not remove_locks(self.bench):
                raise
            self.bench.references.transact(fenced, message=message, step=step)


def remove_locks(bench: Workbench) -> tuple[str, ...]:
    """Remove lock files that killed git children of planctl left, where that is proven; returns them."""
    return remove_left_locks(bench.git, about_to_land(bench.store))


def about_to_land(store: Store) -> Mapping[str, Collection[str]]:
    """Map each target to the commits that were to land on it and, as far as is known, have not.

    Those of landings that were taken back count: a killed child's lock outlives its intent.
    """
    found: dict[str, set[str]] = {}
    for intent in store.intents({IntentState.OPEN, IntentState.SUPERSEDED}):
        found.setdefault(intent.target, set()).add(intent.new)
    return found


def take_epoch(bench: Workbench, token: int) -> str:
    """Move the epoch to an object of this session's own and return it.

    Raises ReferenceMovedError when another worker took it at the same moment, GitFailedError when a lock
    file is in the way.
    """
    old = bench.references.read(EPOCH)
    content = {"session": bench.session, "token": token, "at": bench.clock.now(), "after": old or ZERO}
    new = bench.objects.write_blob(json.dumps(content, sort_keys=True).encode())
    change = Update(EPOCH, new, old) if old else Create(EPOCH, new)
    bench.references.transact([change], message="planctl: epoch", step="queue.epoch")
    return new
