"""Whether what the store calls landed is on its target at this moment (S8 of ``docs/queue.md``).

Every landing is stored with the target before and after it. As long as these join up to where the target
stands now, they prove it without git, which keeps ``status`` fast; where somebody else has moved the target,
the history itself is asked.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.states import IntentState
from worktrees.tips import read_tip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Intent
    from worktrees.objects import Objects
    from worktrees.repository import Repository


class Landings:
    """Answers for one moment of one repository."""

    def __init__(self, repository: Repository, store: Store) -> None:
        self._repository = repository
        self._store = store
        self._proven: dict[str, frozenset[str]] = {}

    def is_on(self, target: str, commit: str) -> bool:
        """Whether ``commit`` is, or is part of, what the reference ``target`` names."""
        if target not in self._proven:
            tip = read_tip(self._repository.common_dir, target)
            done = [i for i in self._store.intents({IntentState.DONE}) if i.target == target]
            self._proven[target] = _joined(tip, done)
        return commit in self._proven[target] or self._is_ancestor(target, commit)

    def _is_ancestor(self, target: str, commit: str) -> bool:
        tip = self._objects.reference(target)
        if tip is None or not self._objects.has_commit(commit):
            return False
        return self._objects.is_ancestor(commit, tip)

    @cached_property
    def _objects(self) -> Objects:
        from worktrees.objects import Objects  # noqa: PLC0415 - pygit2 and GitPython cost 150 ms

        return Objects(self._repository)


def _joined(tip: str | None, done: Sequence[Intent]) -> frozenset[str]:
    """The commits of the landings, newest first, each of which ended where the next one began."""
    proven = set()
    for intent in reversed(done):
        if intent.new != tip:
            break
        proven.add(intent.new)
        tip = intent.old
    return frozenset(proven)
