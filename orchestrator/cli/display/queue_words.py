"""One line for people for each event of the merge queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.events import EventName
from orchestrator.merging.checknames import REGENERATE
from orchestrator.submitting.standstill import FROZEN, PAUSED, Freeze

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.store.records import StoredEvent

    Data = Mapping[str, Any]

_SHORT: Final = 12


def said_of_queue(event: StoredEvent) -> str | None:
    """The words for ``event``, or None for one that people need not hear of."""
    words = _WORDS.get(event.event)
    return words(event.data) if words else None


def _checked(data: Data) -> str:
    passed, seconds = data.get("passed"), data.get("seconds")
    if data.get("check") == REGENERATE:
        ended = {True: "made anew", False: "not made anew: its command failed", None: "not made anew"}[passed]
        where = " on the target alone" if data.get("of_target") else ""
        return f"hot file {ended}{where} after {seconds} s"
    verdict = {True: "green", False: "red", None: "without a verdict"}[passed]
    ahead = " ahead of its turn" if data.get("ahead") else ""
    return f"{_whose(data)}check{ahead} is {verdict} after {seconds} s"


def _stopped(data: Data) -> str:
    return f"check ahead of its turn is stopped: {data.get('why')}"


def _reused(data: Data) -> str:
    return f"{_whose(data)}check is green: the same tree passed it at {str(data.get('said_at'))[:19]}"


def _whose(data: Data) -> str:
    """A check of the target, for an entry whose own was red, is not of its work."""
    return "the target's own " if data.get("of_target") else ""


def _left(data: Data) -> str:
    checkout, paths = data.get("checkout"), ", ".join(data.get("paths", ())[:3])
    if data.get("failure"):
        return f"{checkout} could not be brought along: {data['failure']}; `planctl sync` tries again"
    return f"{checkout}: edited during the landing, and left as it is: {paths}"


def _stash_lost(data: Data) -> str:
    return (
        f"the stash entry {data.get('subject')!r} left the list while plans ran; it is kept: "
        f"`git stash store {data.get('commit')}` puts it back"
    )


def _branch_lost(data: Data) -> str:
    lost = f"what its command had committed on {data.get('branch')} was lost with the machine; the branch"
    if data.get("commit"):
        return f"{lost} was put back to {_short(data, 'commit')}"
    return f"{lost} could not be put back: {data.get('detail') or 'nothing that is whole is known of it'}"


def _landed(data: Data) -> str:
    unchecked = " (unchecked)" if data.get("unchecked") else ""
    return f"landed as {_short(data, 'landed_commit')}{unchecked}"


def _stands(state: str) -> Callable[[Data], str]:
    def words(data: Data) -> str:
        log = f"; log: {data['log']}" if data.get("log") else ""
        return f"{state}: {data.get('detail')}{log}"

    return words


def _resolved(data: Data) -> str | None:
    """The end of a conflict is told by its entry's own events, but for a resolver that is asked again."""
    return f"{data.get('detail')}; it is tried again" if data.get("resolved") is None else None


def _short(data: Data, key: str) -> str:
    return str(data.get(key))[:_SHORT]


def _jumped(data: Data) -> str:
    if data.get("at_turn"):
        return "is to be first again, should it come back from its turn"
    why = f", for {data['for']} lands after it" if data.get("for") else ""
    was, place = data.get("was"), data.get("place")
    if was == place:  # only its priority is another: above a freeze, or above what comes later
        return f"was lifted, and stays at place {place}{why}"
    return f"was lifted from place {was} to {place}{why}"


def _queued(data: Data) -> str:
    """Of one that was about to land, also why it does not."""
    why = f": {data.get('detail')}" if data.get("code") in (FROZEN, PAUSED) else ""
    return f"is in the queue{why}"


def _paused(data: Data) -> str:
    if data.get("below") is None:
        return f"the queue stands still: {data.get('why')}"
    return str(Freeze(data["below"], str(data.get("why"))))


def _who(data: Data) -> str:
    return "the queue of another clone" if data.get("queued") else "somebody else"


_WORDS: Final[dict[str, Callable[[Data], str | None]]] = {
    EventName.CHECK_FINISHED: _checked,
    EventName.CHECK_STOPPED: _stopped,
    EventName.CHECK_REUSED: _reused,
    EventName.CHECKOUT_LEFT: _left,
    EventName.STASH_LOST: _stash_lost,
    EventName.BRANCH_LOST: _branch_lost,
    EventName.QUEUE_PAUSED: _paused,
    EventName.QUEUE_RESUMED: lambda _: "the queue goes on",
    EventName.QUEUE_JUMPED: _jumped,
    EventName.TARGET_MOVED: lambda data: f"the target was moved by {_who(data)} to {_short(data, 'new')}",
    EventName.REMOTE_PLAIN: lambda data: (
        f"{data.get('remote')} takes no references of planctl's own: what lands is told by trailers alone"
    ),
    EventName.PHASE_COMPLETE: lambda data: (
        f"phase {data.get('phase')} is complete at {_short(data, 'commit')}"
    ),
    "entry.queued": _queued,
    EventName.RESOLVER_STARTED: lambda data: (
        f"the resolver is at work in {data.get('worktree')}; log: {data.get('log')}"
    ),
    EventName.RESOLVER_ENDED: _resolved,
    "entry.landed": _landed,
    **{
        f"entry.{state}": _stands(state)
        for state in ("conflicted", "resolving", "rejected", "blocked", "held", "dropped")
    },
}
