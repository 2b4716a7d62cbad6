"""What excludes what among leases of one name: scopes, branches, patterns of files.

| held, then wanted    | none | read, same branch | read, other branch | write |
| none                 | yes  | yes               | yes                | yes   |
| read                 | yes  | yes               | no                 | no    |
| write                | yes  | no                | no                 | no    |

A lease without a branch is of the branch "", which is like any other. Where both name patterns of files, they
are in each other's way only if the patterns can name one file; one without patterns means the whole name.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


FILES: Final = "files"
"""The name under which files are reserved unless another is given."""


class Scope(StrEnum):
    """What a lease is for."""

    READ = "read"
    WRITE = "write"
    NONE = "none"


class Claim(Protocol):
    """What a grant and a wait have in common."""

    @property
    def session(self) -> str:
        """Whose it is."""

    @property
    def scope(self) -> Scope:
        """What it is for."""

    @property
    def branch(self) -> str:
        """The branch that is read or written."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The files that are meant; none: all of the name."""

    @property
    def boot(self) -> str:
        """The boot that ``expires`` counts in."""

    @property
    def expires(self) -> float:
        """When it is over."""


def excludes(one: Claim, other: Claim) -> bool:
    """Whether two claims on one name cannot be granted at once, to two sessions. Symmetric."""
    scopes = {one.scope, other.scope}
    if Scope.NONE in scopes:
        return False
    if scopes == {Scope.READ} and one.branch == other.branch:
        return False
    if not one.patterns or not other.patterns:
        return True
    return share_a_file(*sorted((tuple(one.patterns), tuple(other.patterns)))) is not None


def stands_against(held: Claim, wanted: Claim) -> bool:
    """Whether ``held`` is in the way of ``wanted``: nobody is in his own way."""
    return held.session != wanted.session and excludes(held, wanted)


def is_over(claim: Claim, *, now: float, boot: str) -> bool:
    """Whether its time has run out, or it is of another boot of the machine."""
    return claim.boot != boot or now > claim.expires


def is_replaced(held: Claim, wanted: Claim) -> bool:
    """Whether a session that gets ``wanted`` has ``held`` no more: the same again, under a new token."""
    same = held.session == wanted.session and held.patterns == wanted.patterns
    both_write = held.scope is Scope.WRITE and wanted.scope is Scope.WRITE
    return same and (held.branch == wanted.branch or both_write)


def to_go(held: Iterable[Claim], wanted: Claim, *, now: float) -> list[Claim]:
    """What ends when ``wanted`` is granted: what it replaces, and what has run out and is in the way."""
    return [
        claim
        for claim in held
        if is_replaced(claim, wanted)
        or (is_over(claim, now=now, boot=wanted.boot) and stands_against(claim, wanted))
    ]


@lru_cache(maxsize=4096)
def share_a_file(one: tuple[str, ...], other: tuple[str, ...]) -> str | None:
    """A path that both lists of patterns can name, ``?`` where that is not decided; None: there is none."""
    from plans.errors import UndecidedPatternsError  # noqa: PLC0415 - the automata are for reservations alone
    from plans.intersect import witness  # noqa: PLC0415 - as above
    from plans.patterns import PatternSet  # noqa: PLC0415 - as above

    try:
        found = witness(PatternSet.parse(one), PatternSet.parse(other))
    except UndecidedPatternsError:
        return "?"
    return None if found is None else found.path
