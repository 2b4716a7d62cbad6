"""Best common ancestors found with what is kept of a growing tip are those that a search of all finds."""

from __future__ import annotations

from random import Random

import pytest

from worktrees.bases import Bases
from worktrees.history import near_bases

Parents = dict[str, tuple[str, ...]]


class History:
    """Commits made up by chance: a target that grows by merges of branches, and branches of every kind."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.parents: Parents = {}
        self._times: dict[str, int] = {}
        self.looks = 0
        self.target = self.add()
        self.branches: list[str] = []

    def look(self, commit: str) -> tuple[int, tuple[str, ...]]:
        self.looks += 1
        return self._times[commit], self.parents[commit]

    def add(self, *parents: str) -> str:
        name = f"c{len(self.parents):04}"
        self.parents[name] = parents
        self._times[name] = len(self.parents) + self._dice.choice((0, 0, 0, -9, 9))  # clocks are skewed
        return name

    def branch(self) -> str:
        """A new branch, from the target or another branch, of some commits, merges among them."""
        start = self.target
        for _ in range(self._dice.choice((0, 0, 1, 2, 5, 9))):
            start = self._dice.choice(self.parents[start] or (start,))
        if self.branches and self._dice.random() < 0.2:
            start = self._dice.choice(self.branches)
        for _ in range(self._dice.choice((0, 1, 1, 1, 2, 3))):
            also = (self._dice.choice(list(self.parents)),) if self._dice.random() < 0.15 else ()
            start = self.add(start, *also)
        self.branches.append(start)
        return start

    def land(self, branch: str) -> None:
        how = self._dice.random()
        parents = (
            (self.target, branch) if how < 0.8 else (self.target,) if how < 0.95 else (branch, self.target)
        )
        self.target = self.add(*parents)

    def ancestors(self, commit: str) -> set[str]:
        found, waiting = {commit}, [commit]
        while waiting:
            fresh = set(self.parents[waiting.pop()]) - found
            found |= fresh
            waiting += fresh
        return found

    def best(self, one: str, other: str) -> set[str]:
        common = self.ancestors(one) & self.ancestors(other)
        below = {old for commit in common for old in self.ancestors(commit) if old != commit}
        return common - below


@pytest.mark.parametrize("seed", range(60))
def test_what_is_found_is_what_a_search_of_all_history_finds(seed: int) -> None:
    dice = Random(seed)
    history = History(dice)
    bases = Bases(history.look)
    told = 0
    for _ in range(60):
        branch = history.branch() if dice.random() < 0.8 else dice.choice(list(history.parents))
        for tip, other in ((history.target, branch), (branch, history.target)):
            found = bases.near(tip, other)
            if found is None:
                bases.note(tip, other, tuple(history.best(tip, other)))  # as git would tell
            else:
                assert set(found) == history.best(tip, other)
                told += 1
        if dice.random() < 0.7:
            history.land(branch)
        if dice.random() < 0.03:
            history.target = dice.choice(list(history.ancestors(history.target)))  # somebody resets it
    assert told > 60


def test_a_landing_looks_at_no_more_commits_when_hundreds_have_landed() -> None:
    history = History(Random(1))
    for _ in range(5):
        history.target = history.add(history.target)
    fork, bases, counted = history.target, Bases(history.look), []
    older = history.parents[fork][0]
    for number in range(400):
        branch = history.add(older if number % 10 == 9 else fork)
        before = history.looks
        found = bases.near(history.target, branch)
        counted.append(history.looks - before)
        if found is None:
            assert number % 10 == 9, "one that began below is searched for, and then asked of git"
            bases.note(history.target, branch, (older,))
        else:
            assert found == (history.parents[branch][0],)
        history.target = history.add(history.target, branch)
    assert near_bases(history.look, history.target, history.add(fork)) is None, "too far for a search"
    usual = [count for number, count in enumerate(counted) if number % 10 != 9]
    assert max(usual[-50:]) <= max(usual[10:60])
