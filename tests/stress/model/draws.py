"""What the acts of the model are drawn from: branches, workers and what befalls them, people beside them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.stress.model.stories import WHICH
from tests.stress.model.wire import CUTS, REFUSALS

STEPS = (
    "objects.write",
    "queue.epoch",
    "candidate.keep",
    "landing.refs",
    "provision.checkout",
    "running.launch",
    "store.commit",
    "landing.refs",
    "candidate.forget",
)
REMOTE_STEPS = tuple(f"remote.{what}" for what in ("push", "push", "follow", "epoch", "fetch", "trailers"))
SIDES, TIMES = st.sampled_from(("before", "after")), st.sampled_from((1, 1, 1, 2, 3))


def _moments(*steps: str) -> st.SearchStrategy[str]:
    return st.builds("{}:{}:{}".format, st.sampled_from(steps), SIDES, TIMES)


def _without_transactions(*steps: str) -> st.SearchStrategy[str]:
    """Who is halted in a transaction of the store keeps everybody out of it, and is waited for."""
    return _moments(*(step for step in steps if step != "store.commit"))


MOMENTS, PAUSES = _moments(*STEPS), _without_transactions(*STEPS)
ON_THE_WIRE, PAUSES_ON_THE_WIRE = (
    _moments(*REMOTE_STEPS, *STEPS),
    _without_transactions(*REMOTE_STEPS, *STEPS),
)
KINDS = st.sampled_from(("own", "own", "own", "bad", "half-a", "half-b", "shared-1", "shared-2"))
PAST = st.sampled_from(("own", "own", "shared-1", "bad", "mend", "mend"))
LAID = st.sampled_from((*CUTS, *REFUSALS))
LAID_OR_NOT = st.sampled_from(("", "", *CUTS, "all"))


NO_VERDICT = ("none", "kill")
_FLAWS = st.sampled_from((*[""] * 15, *["flake"] * 5, *["hang"] * 3, *NO_VERDICT))


@dataclass(frozen=True)
class Piece:
    """The work of a branch; ``flaw``: what its next check does against all reason, or its ``times`` next."""

    kind: str
    flaw: str = ""
    times: int = 1


PIECES = st.builds(Piece, KINDS, _FLAWS, st.integers(1, 3))
WORK = st.lists(PIECES, min_size=1, max_size=3)


@dataclass(frozen=True)
class Aside:
    """What people do meanwhile, to ``which``, with a branch or a commit of the ``kind``."""

    what: str
    which: int
    kind: str


_WHAT = ("cancel", "cancel", "jump", "enqueue_again", "repush", "past", "restart", "gc")
SOMETHING = st.builds(Aside, st.sampled_from(_WHAT), WHICH, KINDS)
ASIDES = st.builds(Aside, st.sampled_from(("nothing", "nothing", *_WHAT)), WHICH, KINDS)


@dataclass(frozen=True)
class Shift:
    """A worker that is ``killed`` or ``halted`` at a moment, and whether another comes after it."""

    fate: str
    moment: str
    aside: Aside
    others: bool


KILLED = st.builds(Shift, st.just("killed"), MOMENTS, ASIDES, st.booleans())
HALTED = st.builds(Shift, st.just("halted"), PAUSES, ASIDES, st.booleans())
SHIFTS = st.sampled_from((st.none(), st.none(), KILLED, HALTED)).flatmap(lambda drawn: drawn)
