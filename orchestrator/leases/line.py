"""Who is in whose way, whose turn it is, who waits in a circle, and for how long: pure functions.

The line is first come, first served; a point of priority is worth a second of waiting. So the place in it
does not change with time, and nobody is overtaken for longer than the difference of priorities in seconds.
What asks for something that is in nobody's way passes: readers of one branch go in together, and a reader
that came after a waiting writer waits behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.store.scopes import Scope, excludes, is_over, stands_against

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.store.leaserecords import Lease, LeaseWait

SECONDS_PER_POINT: Final = 1.0
"""How much waiting a point of priority is worth."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a wait is not over: grants in its way, and waits before it in whose way it would be."""

    holders: tuple[Lease, ...]
    ahead: tuple[LeaseWait, ...]

    @property
    def position(self) -> int:
        """Its number in the line: 1 is next."""
        return len(self.ahead) + 1

    @property
    def sessions(self) -> tuple[str, ...]:
        """The sessions that are waited for, holders first."""
        return tuple(dict.fromkeys([*(h.session for h in self.holders), *(w.session for w in self.ahead)]))


def turn(wait: LeaseWait) -> tuple[float, int]:
    """What the line is sorted by; a wait that has no ticket yet is behind all that have one."""
    return wait.asked - wait.priority * SECONDS_PER_POINT, wait.ticket or 2**63


def blocked(
    wait: LeaseWait, leases: Iterable[Lease], waits: Iterable[LeaseWait], *, now: float
) -> Blocked | None:
    """What is in the way of ``wait``, among grants and waits of its name; None when it may go in."""
    holders = tuple(
        lease
        for lease in leases
        if stands_against(lease, wait) and not is_over(lease, now=now, boot=wait.boot)
    )
    ahead = tuple(
        other
        for other in sorted(waits, key=turn)
        if turn(other) < turn(wait)
        and other.ticket != wait.ticket
        and stands_against(other, wait)
        and not is_over(other, now=now, boot=wait.boot)
    )
    return Blocked(holders, ahead) if holders or ahead else None


def waits_for(
    leases: Sequence[Lease], waits: Sequence[LeaseWait], *, now: float, boot: str
) -> dict[int, tuple[str, ...]]:
    """The wait-for graph: for each ticket the sessions that it waits for."""
    found = {}
    for wait in waits:
        if not is_over(wait, now=now, boot=boot):
            why = blocked(
                wait,
                [lease for lease in leases if lease.name == wait.name],
                [other for other in waits if other.name == wait.name],
                now=now,
            )
            if why is not None:
                found[wait.ticket] = why.sessions
    return found


def circle(
    wait: LeaseWait, waits: Iterable[LeaseWait], graph: Mapping[int, tuple[str, ...]]
) -> list[LeaseWait]:
    """The waits of a circle that ``wait`` is part of, itself first; empty where it is in none.

    A session waits for another through any of its waits: it is held up as a whole.
    """
    by_session: dict[str, list[LeaseWait]] = {}
    for other in waits:
        by_session.setdefault(other.session, []).append(other)
    path: list[LeaseWait] = []
    seen: set[int] = set()

    def found(at: LeaseWait) -> bool:
        path.append(at)
        seen.add(at.ticket)
        for session in graph.get(at.ticket, ()):
            if session == wait.session:
                return True
            for following in by_session.get(session, ()):
                if following.ticket not in seen and found(following):
                    return True
        path.pop()
        return False

    return path if found(wait) else []


def victim(members: Sequence[LeaseWait]) -> LeaseWait:
    """Who of a circle has to give way: the last in the line. The same for whoever asks."""
    return max(members, key=turn)


def expected_wait(why: Blocked, spells: Mapping[Scope, Sequence[float]], *, now: float) -> float | None:
    """Seconds until a wait is over, by how long the name was held before; None without any history.

    ``spells`` are past seconds of holding by scope. Waits ahead that share (readers) count once. What is held
    without a token, beside all grants, has no history.
    """
    if not all(held.token for held in why.holders):
        return None
    usual = {scope: _median(found) for scope, found in spells.items() if found}
    scopes = {held.scope for held in why.holders} | {other.scope for other in why.ahead}
    if not scopes <= usual.keys():
        return None
    rest = max((max(0.0, usual[held.scope] - (now - held.since)) for held in why.holders), default=0.0)
    groups: list[list[LeaseWait]] = []
    for other in why.ahead:
        if groups and not any(excludes(member, other) for member in groups[-1]):
            groups[-1].append(other)
        else:
            groups.append([other])
    return rest + sum(max(usual[member.scope] for member in group) for group in groups)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
