"""S1.1: what excludes what."""

from __future__ import annotations

from itertools import product

import pytest

from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.scopes import Scope, excludes
from tests.support.records import a_lease

R, W, N = Scope.READ, Scope.WRITE, Scope.NONE


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        ((R, "main"), (R, "main"), False),
        ((R, "main"), (R, "dev"), True),
        ((R, ""), (R, ""), False),
        ((R, ""), (R, "main"), True),
        ((R, "main"), (W, "main"), True),
        ((W, "main"), (W, "dev"), True),
        ((N, "main"), (W, "main"), False),
        ((N, ""), (N, ""), False),
        ((N, "dev"), (R, "main"), False),
    ],
)
def test_s1_1_reads_of_one_branch_share_and_a_write_excludes_all(
    one: tuple[Scope, str], other: tuple[Scope, str], excluded: bool
) -> None:
    a = a_lease(session="s1", scope=one[0], branch=one[1])
    b = a_lease(session="s2", scope=other[0], branch=other[1])
    assert excludes(a, b) is excluded
    assert excludes(b, a) is excluded
    store = MemoryStore()
    assert store.grant(a, now=0.0)
    assert (store.grant(b, now=0.0) is None) is excluded


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        (("src/**",), ("src/a.py",), True),
        (("src/a*.py",), ("src/*b.py",), True),  # src/ab.py may come to be
        (("src/a.py",), ("src/b.py",), False),
        (("src/**", "!src/gen/**"), ("src/gen/x.py",), False),
        ((), ("src/a.py",), True),
        (("docs/",), ("src/",), False),
    ],
)
def test_reservations_of_files_are_compared_exactly(
    one: tuple[str, ...], other: tuple[str, ...], excluded: bool
) -> None:
    for (a, b), (sa, sb) in product([(one, other), (other, one)], [(W, W), (W, R)]):
        first = a_lease("files", "s1", scope=sa, patterns=a)
        second = a_lease("files", "s2", scope=sb, patterns=b)
        assert excludes(first, second) is excluded
    readers = [a_lease("files", f"s{n}", scope=R, patterns=one) for n in (1, 2)]
    assert not excludes(*readers)


def test_a_session_is_not_in_its_own_way_and_holds_the_newest_of_the_same() -> None:
    store = MemoryStore()
    first = store.grant(a_lease(session="s1"), now=0.0)
    files = store.grant(a_lease(session="s1", patterns=("src/**",)), now=0.0)
    again = store.grant(a_lease(session="s1", branch="dev"), now=0.0)
    assert first
    assert files
    assert again
    assert [lease.token for lease in store.leases()] == [files.token, again.token]
    assert not store.release(first)
