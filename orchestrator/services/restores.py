"""Restores that a kill cut short are taken back, by whoever comes next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.services.pointers import slot_at
from orchestrator.states import PLACED_ATTEMPTS, SlotState
from worktrees.halfway import TakenBack, half_restored, sweep_closed, undo
from worktrees.restoreerrors import HalfRestoredError, detached
from worktrees.restorejournal import restoring

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from orchestrator.workbench import Workbench
    from worktrees.halfway import HalfRestored


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What was taken back, and the restores that could not be, each with the reason in its error."""

    taken_back: tuple[TakenBack, ...]
    failures: tuple[HalfRestoredError, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """For people; file names are not escaped."""
        return (*map(told, self.taken_back), *map(str, self.failures))


def take_back_restores(
    bench: Workbench, into: Path | None = None, tell: Callable[[str], None] = lambda _line: None
) -> Afterwards:
    """Take back what was cut short, in the worktree ``into`` or in all; waits for one that is at work."""
    if into is None and not (bench.repository.state_dir / "restores").exists():
        return Afterwards((), ())
    done, failures = [], []
    with restoring(bench.repository, lambda holder: tell(f"waiting for {holder}")):
        found = half_restored(bench.repository)
        inner = {half.into / path for half in found for path in half.journal.inner}
        for half in found:
            if into is not None and not _concerns(half, into.resolve(), inner):
                continue
            try:
                done.append(undo(bench.git, half, bench.stamp(), given_on=_is_given_on(bench, half)))
            except HalfRestoredError as error:
                failures.append(error)
        sweep_closed(bench.repository)
    return Afterwards(tuple(done), tuple(failures))


def require_taken_back(
    bench: Workbench, into: Path | None = None, tell: Callable[[str], None] = lambda _line: None
) -> tuple[TakenBack, ...]:
    """The same, and the first that cannot be taken back is raised."""
    found = take_back_restores(bench, into, tell)
    if found.failures:
        raise found.failures[0]
    return found.taken_back


def told(done: TakenBack) -> str:
    """One line for people."""
    if done.left:
        return f"the restore into {done.into} that was cut short is left as it is: {done.left}"
    kept = f"; what stood there is kept at {done.rescued}" if done.rescued else ""
    return f"a restore into {done.into} that was cut short is taken back{kept}{detached(done.moved)}"


def _concerns(half: HalfRestored, into: Path, inner: Collection[Path]) -> bool:
    """Whether it is one into that worktree, or into one that such a restore made inside, or has unmade."""
    place = half.into.resolve()
    is_inside = place.is_relative_to(into) and half.into in inner
    return place == into or is_inside or not Path(half.journal.git_dir).is_dir()


def _is_given_on(bench: Workbench, half: HalfRestored) -> bool:
    """Whether the pool gave it to somebody else; raises HalfRestoredError while work goes on there."""
    slot = slot_at(bench.store, half.into)
    if slot is None:
        return bool(half.journal.owner)
    if slot.state is not SlotState.LEASED or (slot.attempt or "") != half.journal.owner:
        return True
    holder = bench.store.attempt(slot.attempt or "")
    if holder is not None and holder.state in PLACED_ATTEMPTS:
        raise HalfRestoredError(half.into, f"{holder.plan} is at work there")
    return False
