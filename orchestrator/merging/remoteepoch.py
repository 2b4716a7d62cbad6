"""The epoch of a remote: what moves it refuses every push that was begun before."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final

from orchestrator.clock import jitter
from orchestrator.merging.upstream import bring_up_to_date, is_plain
from orchestrator.states import IntentState
from worktrees.mirror import EPOCH
from worktrees.push import Answer, Move, Outcome, push
from worktrees.remoteerrors import RemoteUnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.merging.tenure import Tenure
    from orchestrator.workbench import Workbench
    from worktrees.mirror import Mirror

AGAIN: Final = (0.05, 0.2, 0.5, 1.0)
"""Seconds, drawn around these, between pushes that are refused although nothing has moved."""


def fence(tenure: Tenure) -> None:
    """Before open intents are decided on: have no push that was begun for them be taken any more, and look.

    Raises RemoteUnreachableError: then nothing may be decided.
    """
    bench = tenure.bench
    if bench.mirror is None:
        return
    if any(i.target == bench.target for i in bench.store.intents({IntentState.OPEN})):
        bring_up_to_date(bench)
        if not is_plain(bench):
            move_epoch(tenure)


def move_epoch(tenure: Tenure, *, turn: float | None = None, waits: Sequence[float] = AGAIN) -> bool:
    """Have the remote's epoch be another than it was; whether the server takes such references at all.

    That somebody else moves it does as well. ``turn``: the epoch says that the next landing is to be this
    queue's, for so many seconds (see ``turns``). ``waits``: between tries. Afterwards the mirror is as the
    remote was later. Raises RemoteUnreachableError.
    """
    bench, mirror = tenure.bench, tenure.bench.mirror
    assert mirror is not None
    before = bench.references.read(mirror.epoch)
    for seconds in (*waits, None):
        answer = push_to(bench, mirror, [next_epoch(bench, mirror, turn)], "remote.epoch")
        bring_up_to_date(bench)
        if bench.references.read(mirror.epoch) != before:
            return True
        if answer.outcome is Outcome.UNKNOWN and seconds is None:
            raise RemoteUnreachableError(mirror.remote, "; ".join(answer.why), answers=True)
        if seconds is not None:
            rest(bench, seconds)
    return False


def push_to(bench: Workbench, mirror: Mirror, moves: Sequence[Move], step: str = "remote.push") -> Answer:
    """Push all ``moves`` or none, each from exactly what it says."""
    return push(bench.git, mirror.remote, moves, bench.settings.project.remote_timeout, step)


def next_epoch(bench: Workbench, mirror: Mirror, turn: float | None = None) -> Move:
    """The epoch's next move: an object that nobody else makes."""
    old = bench.references.read(mirror.epoch)
    content = {"session": bench.session, "stamp": bench.stamp(), "after": old, "turn": turn}
    return Move(EPOCH, bench.objects.write_blob(json.dumps(content, sort_keys=True).encode()), old)


def rest(bench: Workbench, seconds: float) -> None:
    """Wait between two tries, drawn around ``seconds`` so that clones do not keep step."""
    bench.clock.wait(threading.Event(), jitter(seconds, 0.5))
