"""Who has which slot of the pool, and what becomes of it.

Taking one is a guarded write in the store; making it ready happens outside, in parallel. Giving one back:

1. what still runs there has been ended by the caller,
2. rescue: everything uncommitted is captured under ``refs/planctl/rescue/``,
3. operations that were in progress are ended, the tree is cleaned and detached,
4. ``free``. Work that cannot be captured whole makes it ``quarantined``; any other failure ``broken``:
   neither is ever recycled by itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import StaleRecordError
from orchestrator.events import EventName
from orchestrator.slots.places import PLAN, holder_of, is_reclaimable
from orchestrator.slots.prepared import is_prepared
from orchestrator.slots.saving import has_nothing_to_save, left_as, save_work
from orchestrator.slots.strangers import require_no_strangers
from orchestrator.states import SUPERSEDED_ATTEMPTS, TERMINAL_ATTEMPTS, AttemptState, SlotState
from orchestrator.store.records import Slot
from plans.ids import PlanId
from worktrees.branches import detach_in_place
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.errors import (
    GitFailedError,
    ProvisioningError,
    RescueIncompleteError,
    SlotUnavailableError,
    UnknownRevisionError,
)
from worktrees.links import link_plan, unlink_plan
from worktrees.parked import require_nothing_staged
from worktrees.pool import CHECK as CHECK_PREFIX
from worktrees.pool import PLAN as SLOT_PREFIX
from worktrees.pool import Pool, SlotOptions, SlotTree, pool_folder, slot_path
from worktrees.restorejournal import not_restoring
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench

__all__ = ["CHECK", "PLAN", "SlotKeeper", "is_over", "slot_of_attempt"]
CHECK: Final = "check"
_PREFIX: Final = {PLAN: SLOT_PREFIX, CHECK: CHECK_PREFIX}


class SlotKeeper:
    """Takes, prepares and gives back slots for one session. Safe to share between threads."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self.folder = pool_folder(bench.repository, bench.settings.project.worktrees)
        self.pool: Final = Pool(bench.git, self.folder)

    def take(self, purpose: str, *, attempt: str | None = None, plan: str | None = None) -> Slot:
        """Lease a free slot, or add one; raises SlotUnavailableError when the pool is full.

        The slot that last held the same plan is preferred, for its warm caches. In a full pool the slot of an
        attempt that has ended is taken back, its work rescued: of one that landed first, else the oldest.
        Slots of a folder that the pool has left (``worktrees:``, a moved repository) are never taken.
        """
        holder: dict[str, Any] = {"attempt": attempt, "plan": plan, "session": self._bench.session}
        while (slot := self._take_now(purpose, plan, holder)) is None:
            victim = self._to_reclaim(purpose)
            if victim is None:
                most = self._bench.settings.project.pool_max
                raise SlotUnavailableError(f"all {most} slots of the pool are taken (pool: max)")
            self.try_give_back(victim)
        return slot

    def _to_reclaim(self, purpose: str) -> Slot | None:
        """The slot that is missed least; each one given back is free, or out of the question, afterwards."""
        held = [(s, holder_of(self._bench, s)) for s in self._bench.store.slots(purpose=purpose)]
        ended = [slot for slot, holder in held if is_reclaimable(self._bench, slot, holder)]

        def loss(slot: Slot) -> tuple[bool, str]:
            holder = holder_of(self._bench, slot)
            return holder is None or holder.state is not AttemptState.LANDED, slot.changed_at

        return min(ended, key=loss, default=None)

    def _take_now(self, purpose: str, plan: str | None, holder: dict[str, Any]) -> Slot | None:
        """A slot that needs no work to be had, or None."""
        store = self._bench.store
        with store.transaction():
            known = store.slots(purpose=purpose)
            slots = [s for s in known if Path(s.path) == slot_path(self.folder, s.name)]
            free = [s for s in slots if s.state is SlotState.FREE]
            free.sort(key=lambda s: (s.plan != plan, s.name))
            if free:
                return store.move_slot(free[0], SlotState.LEASED, **holder, changed_at=self._now())
            gone = [s for s in slots if s.state is SlotState.REMOVED]
            if gone:
                free_again = store.move_slot(gone[0], SlotState.FREE)
                return store.move_slot(free_again, SlotState.LEASED, **holder, changed_at=self._now())
            if len(slots) >= self._bench.settings.project.pool_max:
                return None
            return self._new_slot(purpose, [s.name for s in known], holder)

    def tree_of(self, slot: Slot) -> SlotTree | None:
        """The slot's worktree where its record says that it was made, or None."""
        return Pool(self._bench.git, Path(slot.path).parent).find(slot.name)

    def _new_slot(self, purpose: str, taken: list[str], holder: dict[str, Any]) -> Slot:
        name = self.pool.free_name(_PREFIX[purpose], taken)
        slot = Slot(
            name=name,
            path=str(slot_path(self.folder, name)),
            purpose=purpose,
            state=SlotState.LEASED,
            changed_at=self._now(),
            **holder,
        )
        self._bench.store.add_slot(slot)
        return slot

    def make_ready(self, slot: Slot, commit: str) -> SlotTree:
        """Bring the slot's folder to ``commit``, detached and clean.

        Raises ProvisioningError, and RescueIncompleteError for a slot that holds work which cannot be saved.
        """
        found = self.tree_of(slot)
        options = self._saving(slot, slot.name)  # not of the plan that comes
        if found is None:
            tree = self.pool.add(slot.name, commit, options)
        else:
            self._save_late_work(slot, found, commit, options)
            tree = self.pool.recycle(found, commit, options, spotless=True)
        if slot.plan:
            link_plan(self.folder, PlanId(slot.plan), tree.path)
        return tree

    def _save_late_work(self, slot: Slot, tree: SlotTree, commit: str, options: SlotOptions) -> None:
        """Rescue what came into a slot after it was freed: a person may have worked in the folder.

        A slot that is still as it was left costs one ``git status``; the checkout that follows would discard
        edits, and leave untracked files to be committed as the next plan's.
        """
        if is_gone(tree) or not self.pool.changes(tree):
            return
        self.save(slot, slot.name)
        self.pool.quiesce(tree)
        self.pool.tidy(tree, commit, options)

    def make_ready_for_check(self, slot: Slot, commit: str) -> SlotTree:
        """Bring a check slot to exactly ``commit``: nothing in it but what ``check_keep`` names."""
        found = self.tree_of(slot)
        options = replace(self._options(), sparse=())
        tree = self.pool.add(slot.name, commit, options) if found is None else found
        return self.pool.recycle_for_check(tree, commit, self._bench.settings.project.check_keep, options)

    def is_tainted(self, tree: SlotTree) -> bool:
        """Whether tracked files in a check slot are not what the commit says they are."""
        asked = ("status", "--porcelain", "-z", "--untracked-files=no", ALL_SUBMODULES)
        return bool(self._bench.git.run(*asked, at=tree.path).records)

    def free_check_slot(self, slot: Slot) -> None:
        """Give a check slot back: nobody works there, so there is nothing to rescue."""
        store = self._bench.store
        for state in (SlotState.RESCUING, SlotState.FREE):
            slot = store.move_slot(slot, state, changed_at=self._now())

    def _options(self) -> SlotOptions:
        project = self._bench.settings.project
        return SlotOptions(
            copy=project.copy, link=project.link, sparse=project.sparse, reuse_caches=project.reuse_caches
        )

    def _saving(self, slot: Slot, label: str = "") -> SlotOptions:
        """The options for a slot that people work in: what another base would destroy is rescued first."""
        return replace(
            self._options(),
            before_clean=lambda tree, named: save_work(self._bench, slot, tree, label, named),
        )

    def give_back(self, slot: Slot) -> Slot:
        """Rescue what is there and free the slot; returns it as it is then (free, quarantined, broken).

        Raises StaleRecordError when another process has it by now; then nothing was done.
        """
        with not_restoring(self._bench.repository):
            return self._give_back(self._claim(slot))

    def _give_back(self, slot: Slot) -> Slot:
        store = self._bench.store
        try:
            spotless = has_nothing_to_save(self._bench, self.tree_of(slot))
            if not spotless:
                self.save(slot)
            require_no_strangers(self._bench, slot)
            self._clean(slot, spotless=spotless)
        except RescueIncompleteError as error:
            return store.move_slot(slot, left_as(error), detail=str(error), changed_at=self._now())
        except (GitFailedError, ProvisioningError, UnknownRevisionError, OSError) as error:
            return store.move_slot(slot, SlotState.BROKEN, detail=str(error), changed_at=self._now())
        if slot.plan:
            unlink_plan(self.folder, PlanId(slot.plan))
        return store.move_slot(
            slot, SlotState.FREE, session=None, attempt=None, detail="", changed_at=self._now()
        )

    def try_give_back(self, slot: Slot) -> Slot | None:
        """The same, or None when another process was faster: it is that one's to give back."""
        try:
            return self.give_back(slot)
        except StaleRecordError:
            self._bench.store.emit(EventName.SLOT_PASSED, at=self._now(), plan=slot.plan, slot=slot.name)
            return None

    def _claim(self, slot: Slot) -> Slot:
        """Make the slot this session's to rescue; also one whose rescuer died, in one transaction."""
        store, now = self._bench.store, self._now()
        if is_prepared(self._bench.repository, slot.name):
            raise StaleRecordError("slot", slot.name)  # a resolver's: it is taken back first
        with store.transaction():
            if slot.state is SlotState.RESCUING:
                slot = store.move_slot(slot, SlotState.BROKEN, changed_at=now)
            return store.move_slot(slot, SlotState.RESCUING, session=self._bench.session, changed_at=now)

    def _clean(self, slot: Slot, *, spotless: bool) -> None:
        """Leave the rescued slot tidy at the target's tip; one without a folder is made anew when taken."""
        tree = self.tree_of(slot)
        if tree is None:
            return
        if is_gone(tree):
            if not self.pool.finish_removal(tree.path):
                require_nothing_staged(self._bench.git, tree)
            return
        self.pool.tidy(tree, self._bench.target_tip(), self._saving(slot), spotless=spotless)

    def give_back_earlier(self, attempt: Attempt) -> None:
        """Give back the slots that earlier attempts of the same plan still hold, their work rescued.

        Work of another run that was begun or done and never landed is superseded: its branch is parked when
        this attempt starts on it. A slot that has to be kept lets go of the branch.
        """
        store = self._bench.store
        for slot in store.slots(purpose=PLAN, states={SlotState.LEASED, SlotState.QUARANTINED}):
            holder = store.attempt(slot.attempt) if slot.attempt else None
            if holder is None or holder.plan != attempt.plan or holder.id == attempt.id:
                continue
            if holder.state in SUPERSEDED_ATTEMPTS:
                self._supersede(holder, attempt)
            elif not is_over(holder):
                continue
            kept = self.try_give_back(slot) if slot.state is SlotState.LEASED else slot
            tree = self.tree_of(slot)
            if tree is not None and kept is not None and kept.state is SlotState.QUARANTINED:
                detach_in_place(self._bench.git, tree)

    def _supersede(self, old: Attempt, by: Attempt) -> None:
        why = {"code": "superseded", "detail": f"run anew in run {by.run}"}
        with self._bench.store.transaction():
            self._bench.store.move_attempt(old, AttemptState.CANCELLED, reason=why)
            self._bench.store.emit(
                EventName.PLAN_CANCELLED, at=self._now(), run=old.run, plan=old.plan, reason=why
            )

    def holds_landed(self, run: str) -> bool:
        """Whether a slot is still with an attempt of ``run`` that has landed."""
        return bool(self._landed(run))

    def give_back_landed(self, run: str) -> None:
        """Give back the slots of a run's attempts that have landed: their work is on the target."""
        for slot in self._landed(run):
            self.try_give_back(slot)

    def _landed(self, run: str) -> list[Slot]:
        leased = self._bench.store.slots(purpose=PLAN, states={SlotState.LEASED})
        holders = [(slot, holder_of(self._bench, slot)) for slot in leased]
        return [s for s, a in holders if a and a.run == run and a.state is AttemptState.LANDED]

    def save(self, slot: Slot, label: str = "") -> str | None:
        """Capture uncommitted work of a slot without touching it; returns the rescue reference, if any.

        It is filed under ``label``, else under the slot's plan, else under the slot's name.
        """
        tree = self.tree_of(slot)
        return save_work(self._bench, slot, tree, label) if tree and not is_gone(tree) else None

    def _now(self) -> str:
        return self._bench.clock.now()


def is_over(attempt: Attempt) -> bool:
    """Whether an attempt will not use its slot any more, short of a retry that continues on its head."""
    return attempt.state in TERMINAL_ATTEMPTS


def slot_of_attempt(bench: Workbench, attempt: str) -> Slot | None:
    """The slot that an attempt holds, or None."""
    return next((s for s in bench.store.slots(purpose=PLAN) if s.attempt == attempt), None)
