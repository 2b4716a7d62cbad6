"""What happened in the stories of a model, how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.support.campaigns import Record

RULES = (
    *("handed in", "cancelled", "pushed again", "pushed past", "passed", "failed", "flaked", "timed out"),
    *("killed", "restarted", "robbed", "halted", "collected", "lifted"),
)
"""What the design names; with a remote also ``cut``. In a long run each happens, or it fails."""
HAPPENED = ("worlds", "batches", "landed", "rejected", "conflicted", *RULES, "cut", "refused")
LONG = 25
"""As many stories have all of them, and `make stress` tells as many in each shard. The rarest kinds were a
flake, in 38 of 60 local stories before it was drawn more often, and a refusal, in 27 of 45 with a remote. As
long as each happens in half of them, one of the 16 is missing with a chance below 16 * .5 ** 25 = 5e-7."""


def tell(record: Record, tallies: Sequence[Counter[str]], *, rules: tuple[str, ...] = ()) -> Counter[str]:
    """Of what happened in each story. A model in which nothing goes wrong would show nothing.

    Of :data:`LONG` stories or more each of ``rules`` is to have happened in one. Returns the sum.
    """
    tally = sum(tallies, Counter[str]())
    among = Counter(kind for each in tallies for kind in each if each[kind])
    said = ", ".join(f"{tally[kind]} {kind} (in {among[kind]})" for kind in HAPPENED)
    assert len(tallies) < LONG or not [rule for rule in rules if not tally[rule]], said
    assert tally["landed"], said
    assert tally["rejected"] + tally["conflicted"], said
    assert tally["killed"] + tally["halted"], said
    record("held", f"queue model: {said}; each as the serial oracle says, every invariant after each step")
    return tally
