"""What happened in the stories of a model, how often."""

from __future__ import annotations

from collections import Counter

from tests.support.campaigns import Record

RULES = (
    *("handed in", "cancelled", "pushed again", "pushed past", "passed", "failed", "flaked", "timed out"),
    *("killed", "restarted", "robbed", "halted", "collected", "lifted"),
)
"""What the design names; with a remote also ``cut``. In a long run each happens, or it fails."""
HAPPENED = ("worlds", "batches", "landed", "rejected", "conflicted", *RULES, "cut", "refused")
LONG = 100
"""As many stories in a row have all of them; in ten a flake, a time-out or a refusal may be missing."""


def tell(record: Record, tally: Counter[str], *, rules: tuple[str, ...] = ()) -> None:
    """A model in which nothing goes wrong would show nothing; each of ``rules`` is to have happened."""
    said = ", ".join(f"{tally[kind]} {kind}" for kind in HAPPENED)
    assert not [rule for rule in rules if not tally[rule]], said
    assert tally["landed"], said
    assert tally["rejected"] + tally["conflicted"], said
    assert tally["killed"] + tally["halted"], said
    record("held", f"queue model: {said}; each as the serial oracle says, every invariant after each step")
