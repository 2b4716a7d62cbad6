"""From a plan that may start to a command at work.

The order matters:

1. the base: the target's tip with everything the plan waited for in it
2. room on the disk, free slots removed for it if need be; a slot, made ready at the base
3. the plan's branch, created by reference transaction, and the slot's HEAD on it
4. the pointer and the outputs folder; every stash entry of the user pinned
5. ``setup`` of planctl.yaml, in the slot
6. the command, under its supervisor; only now is the attempt ``running``

An attempt that was deferred has 1 to 5 behind it: its stage is run again where it was.

Whatever fails, the attempt is ``failed`` with the reason; the slot stays with it until it is reclaimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import EventName
from orchestrator.running.spec import shell_argv
from orchestrator.running.waiting import run_to_end
from orchestrator.scheduling.basing import Base, find_base
from orchestrator.scheduling.branching import adopted_commit, put_on_branch
from orchestrator.scheduling.commands import stages
from orchestrator.scheduling.finishing import is_deleted
from orchestrator.scheduling.launching import StageLauncher, command_spec, stage_number
from orchestrator.scheduling.reasons import Code, reason
from orchestrator.slots.keeper import PLAN
from orchestrator.slots.room import make_room, shortage
from orchestrator.slots.saving import set_aside
from orchestrator.states import AttemptState
from plans.errors import PlanctlError
from worktrees.errors import DiskFloorError, RescueIncompleteError, SlotUnavailableError
from worktrees.exclude import exclude
from worktrees.pointer import write_pointer
from worktrees.stash import pin_stashes

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from orchestrator.scheduling.reasons import Reason
    from orchestrator.scheduling.view import View
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan
    from worktrees.pool import SlotTree


class SetupFailedError(PlanctlError):
    """The ``setup`` command of planctl.yaml failed in a plan's worktree."""

    def __init__(self, exit_code: int | None, log: Path) -> None:
        self.exit_code = exit_code
        self.log = log
        super().__init__(f"setup ended with {exit_code}, see {log}")


class Starter:
    """Starts attempts of one run, each in a thread of the loop's pool."""

    def __init__(
        self, bench: Workbench, keeper: SlotKeeper, launcher: StageLauncher, cancel: threading.Event
    ) -> None:
        self._bench = bench
        self._keeper = keeper
        self._launcher = launcher
        self._cancel = cancel

    def start(self, attempt: Attempt, plan: Plan, view: View) -> None:
        """Take ``attempt`` from ``preparing`` to ``running``, ``prepared`` or ``failed``."""
        try:
            if attempt.supervisor is not None:
                self._go_on(attempt, plan)
                return
            attempt = self._prepare(attempt, plan, view)
            chain = stages(plan)
            if not chain:
                self._prepared(attempt)
            elif self._cancel.is_set():
                raise InterruptedError("the run is being stopped")
            else:
                self._launcher.launch(attempt, plan, 0)
        except DiskFloorError:  # free slots were removed, and that was not enough
            self._wait(attempt, reason(Code.DISK_FLOOR, detail=str(shortage(self._bench) or "")))
        except SlotUnavailableError:  # others took the last ones since the view was made
            self._wait(attempt, reason(Code.POOL))
        except (PlanctlError, OSError) as error:
            self._failed(attempt, error)

    def _go_on(self, attempt: Attempt, plan: Plan) -> None:
        """Run the stage again that was deferred, in the worktree as it was left: what is done is done."""
        if is_deleted(attempt):
            self._fail(attempt, {"code": "worktree-deleted", "detail": "its worktree was deleted"})
            return
        if self._cancel.is_set():
            raise InterruptedError("the run is being stopped")
        self._launcher.launch(attempt, plan, stage_number(attempt))

    def _wait(self, attempt: Attempt, why: Reason) -> None:
        current = self._bench.store.attempt(attempt.id)  # moved on where a slot was set aside
        assert current is not None
        self._bench.store.move_attempt(current, AttemptState.WAITING, reason=why)

    def _prepare(self, attempt: Attempt, plan: Plan, view: View) -> Attempt:
        base, begin = self._where(attempt, plan, view)
        self._keeper.give_back_earlier(attempt)
        attempt, tree = self._place(attempt, base, begin)
        put_on_branch(self._bench, tree, attempt, begin)
        exclude(self._bench.repository)
        write_pointer(tree.path, plan.id)
        pin_stashes(self._bench.git)
        self._set_up(attempt, plan)
        return attempt

    def _place(self, attempt: Attempt, base: Base, begin: str) -> tuple[Attempt, SlotTree]:
        """A slot for the attempt, ready at ``begin``.

        One that turns out to hold work which cannot be saved is set aside and another one taken; each such
        turn leaves the pool one slot fewer, so they end, in SlotUnavailableError if need be. Any other
        failure keeps slot and attempt together.
        """
        store = self._bench.store
        make_room(self._bench, self._keeper)
        while True:
            slot = self._keeper.take(PLAN, attempt=attempt.id, plan=attempt.plan)
            attempt = store.update_attempt(
                attempt, base=base.commit, stacked_on=base.stacked_on, slot=slot.name, worktree=slot.path
            )
            try:
                return attempt, self._keeper.make_ready(slot, begin)
            except RescueIncompleteError as error:
                set_aside(self._bench, slot, error)
                attempt = store.update_attempt(attempt, slot=None, worktree=None)

    def _where(self, attempt: Attempt, plan: Plan, view: View) -> tuple[Base, str]:
        """The base that the work counts from, and the commit to start at.

        They differ when an earlier attempt is continued on its head, or a branch is adopted.
        """
        if attempt.head:
            return Base(attempt.base or attempt.head, attempt.stacked_on), attempt.head
        base = find_base(self._bench, view, plan)
        adopted = adopted_commit(self._bench, attempt)
        if adopted is None:
            return base, base.commit
        bases = self._bench.objects.merge_bases(base.commit, adopted)
        return Base(bases[0] if bases else base.commit, base.stacked_on), adopted

    def _set_up(self, attempt: Attempt, plan: Plan) -> None:
        command = self._bench.settings.project.setup
        if not command:
            return
        stage = "setup"
        spec = command_spec(self._bench, attempt, plan, stage, shell_argv(command))
        ended = run_to_end(spec, self._cancel)
        if not ended.succeeded:
            raise SetupFailedError(ended.exit_code, spec.log)

    def _prepared(self, attempt: Attempt) -> None:
        store = self._bench.store
        with store.transaction():
            why = {
                "code": "prepared",
                "detail": f"work in it, commit, then `planctl queue add {attempt.plan}`",
            }
            store.move_attempt(attempt, AttemptState.PREPARED, reason=why)
            store.emit(
                EventName.PLAN_PREPARED,
                at=self._bench.clock.now(),
                run=attempt.run,
                plan=attempt.plan,
                worktree=attempt.worktree,
            )

    def _failed(self, attempt: Attempt, error: Exception) -> None:
        """The record may have moved on in ``_prepare``: what is stored now is what fails."""
        store, now = self._bench.store, self._bench.clock.now()
        current = store.attempt(attempt.id)
        assert current is not None
        if self._cancel.is_set() and current.supervisor is not None:
            store.move_attempt(current, AttemptState.DEFERRED)
            return
        if self._cancel.is_set():
            why = {"code": "interrupted", "detail": "the run was interrupted"}
            store.move_attempt(current, AttemptState.LOST, reason=why, finished_at=now, counted=False)
            return
        self._fail(current, {"code": error_code(error), "detail": str(error)})

    def _fail(self, attempt: Attempt, why: Reason) -> None:
        store, now = self._bench.store, self._bench.clock.now()
        with store.transaction():
            store.move_attempt(attempt, AttemptState.FAILED, reason=why, finished_at=now)
            store.emit(EventName.PLAN_FAILED, at=now, run=attempt.run, plan=attempt.plan, reason=why)


def error_code(error: Exception) -> str:
    """``BranchExistsError`` -> ``branch-exists``."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
