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

from orchestrator.events import EventName
from orchestrator.states import TERMINAL_ATTEMPTS, AttemptState, SlotState
from orchestrator.store.records import Slot
from plans.ids import PlanId
from worktrees.errors import GitFailedError, ProvisioningError, RescueIncompleteError, SlotUnavailableError
from worktrees.links import link_plan, unlink_plan
from worktrees.pool import CHECK as CHECK_PREFIX
from worktrees.pool import PLAN as SLOT_PREFIX
from worktrees.pool import Pool, SlotOptions, SlotTree, pool_folder, slot_path
from worktrees.rescue import rescue
from worktrees.slot import is_gone

if TYPE_CHECKING:
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench

PLAN: Final = "plan"
CHECK: Final = "check"
_PREFIX: Final = {PLAN: SLOT_PREFIX, CHECK: CHECK_PREFIX}


class SlotKeeper:
    """Takes, prepares and gives back slots for one session. Safe to share between threads."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self.folder = pool_folder(bench.repository, bench.settings.project.worktrees)
        self._pool = Pool(bench.git, self.folder)

    @property
    def pool(self) -> Pool:
        """The folders on disk."""
        return self._pool

    def take(self, purpose: str, *, attempt: str | None = None, plan: str | None = None) -> Slot:
        """Lease a free slot, or add one; raises SlotUnavailableError when the pool is full.

        The slot that last held the same plan is preferred, for its warm caches. Slots of a folder that the
        pool has left (another ``worktrees:``, a repository that was moved or copied) are never taken: what
        is recorded of them is not where this pool works.
        """
        store = self._bench.store
        holder: dict[str, Any] = {"attempt": attempt, "plan": plan, "session": self._bench.session}
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
                raise SlotUnavailableError(f"all {len(slots)} slots of the pool are taken (pool: max)")
            return self._new_slot(purpose, [s.name for s in known], holder)

    def _tree_of(self, slot: Slot) -> SlotTree | None:
        """The slot's worktree where its record says that it was made, or None."""
        return Pool(self._bench.git, Path(slot.path).parent).find(slot.name)

    def _new_slot(self, purpose: str, taken: list[str], holder: dict[str, Any]) -> Slot:
        name = self._pool.free_name(_PREFIX[purpose], taken)
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
        found = self._tree_of(slot)
        options = self._options()
        if found is None:
            tree = self._pool.add(slot.name, commit, options)
        else:
            self._save_late_work(slot, found, commit)
            tree = self._pool.recycle(found, commit, options)
        if slot.plan:
            link_plan(self.folder, PlanId(slot.plan), tree.path)
        return tree

    def _save_late_work(self, slot: Slot, tree: SlotTree, commit: str) -> None:
        """Rescue what came into a slot after it was freed: a person may have worked in the folder.

        A slot that is still as it was left costs one ``git status``; the checkout that follows would discard
        edits, and leave untracked files to be committed as the next plan's.
        """
        if is_gone(tree) or not self._pool.changes(tree):
            return
        self.save(slot, slot.name)
        self._pool.quiesce(tree)
        self._pool.tidy(tree, commit, self._options())

    def make_ready_for_check(self, slot: Slot, commit: str) -> SlotTree:
        """Bring a check slot to exactly ``commit``: nothing in it but what ``check_keep`` names."""
        found = self._tree_of(slot)
        options = replace(self._options(), sparse=())
        tree = self._pool.add(slot.name, commit, options) if found is None else found
        keep = self._bench.settings.project.check_keep
        return self._pool.recycle_for_check(tree, commit, keep, options)

    def is_tainted(self, tree: SlotTree) -> bool:
        """Whether tracked files in a check slot are not what the commit says they are."""
        status = ("status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=none")
        return bool(self._bench.git.run(*status, at=tree.path).records)

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

    def give_back(self, slot: Slot) -> Slot:
        """Rescue what is there and free the slot; returns it as it is then (free, quarantined, broken)."""
        store = self._bench.store
        slot = store.move_slot(slot, SlotState.RESCUING, changed_at=self._now())
        try:
            self.save(slot)
            tree = self._tree_of(slot)
            if tree is not None:
                self._pool.quiesce(tree)
                self._pool.tidy(tree, self._bench.target_tip(), self._options())
        except RescueIncompleteError as error:
            return store.move_slot(slot, SlotState.QUARANTINED, detail=str(error), changed_at=self._now())
        except (GitFailedError, ProvisioningError, OSError) as error:
            return store.move_slot(slot, SlotState.BROKEN, detail=str(error), changed_at=self._now())
        if slot.plan:
            unlink_plan(self.folder, PlanId(slot.plan))
        return store.move_slot(
            slot, SlotState.FREE, session=None, attempt=None, detail="", changed_at=self._now()
        )

    def give_back_earlier(self, attempt: Attempt) -> None:
        """Give back the slots that earlier attempts of the same plan still hold, their work rescued."""
        store = self._bench.store
        for slot in store.slots(purpose=PLAN, states={SlotState.LEASED}):
            holder = store.attempt(slot.attempt) if slot.attempt else None
            if holder and holder.plan == attempt.plan and holder.id != attempt.id and is_over(holder):
                self.give_back(slot)

    def holds_landed(self, run: str) -> bool:
        """Whether a slot is still with an attempt of ``run`` that has landed."""
        return bool(self._landed(run))

    def give_back_landed(self, run: str) -> None:
        """Give back the slots of a run's attempts that have landed: their work is on the target."""
        for slot in self._landed(run):
            self.give_back(slot)

    def _landed(self, run: str) -> list[Slot]:
        store = self._bench.store
        leased = store.slots(purpose=PLAN, states={SlotState.LEASED})
        holders = [(slot, store.attempt(slot.attempt)) for slot in leased if slot.attempt]
        return [s for s, a in holders if a and a.run == run and a.state is AttemptState.LANDED]

    def save(self, slot: Slot, label: str = "") -> str | None:
        """Capture uncommitted work of a slot without touching it; returns the rescue reference, if any.

        It is filed under ``label``, else under the slot's plan, else under the slot's name.
        """
        tree = self._tree_of(slot)
        if tree is None or not tree.path.exists():
            return None
        label = label or slot.plan or slot.name
        ignored = self._bench.settings.project.rescue_ignored
        rescued = rescue(self._bench.git, tree.path, label, ignored=ignored, stamp=self._bench.stamp())
        if rescued is None:
            return None
        self._bench.store.emit(
            EventName.RESCUED, at=self._now(), plan=slot.plan, reference=rescued.reference, slot=slot.name
        )
        return rescued.reference

    def _now(self) -> str:
        return self._bench.clock.now()


def is_over(attempt: Attempt) -> bool:
    """Whether an attempt will not use its slot any more, short of a retry that continues on its head."""
    return attempt.state in TERMINAL_ATTEMPTS


def slot_of_attempt(bench: Workbench, attempt: str) -> Slot | None:
    """The slot that an attempt holds, or None."""
    return next((s for s in bench.store.slots(purpose=PLAN) if s.attempt == attempt), None)
