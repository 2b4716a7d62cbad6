"""Launch the commands of an attempt, one stage after another, under supervisors.

Each stage has its own record folder, ``records/<attempt>-<stage>``; the attempt's ``supervisor`` field names
the one at work. All stages of an attempt write to one log.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.events import EventName
from orchestrator.running.places import StageName, record_folder
from orchestrator.running.ports import acquire_ports
from orchestrator.running.records import RETRY_AT
from orchestrator.running.spec import CommandSpec, ParentDeath
from orchestrator.running.supervision import find, launch
from orchestrator.running.surroundings import Surroundings, plan_environment
from orchestrator.running.waiting import end
from orchestrator.scheduling.commands import argv_of, stages
from orchestrator.scheduling.deferral import count_of
from orchestrator.scheduling.reasons import sentence
from orchestrator.scheduling.resourcetable import ResourceTable
from orchestrator.states import AttemptState
from orchestrator.submitting.published import outputs_of
from plans.effects import write_atomic

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from orchestrator.scheduling.hostshare import HostShare
    from orchestrator.store.records import Attempt
    from orchestrator.workbench import Workbench
    from plans.model import Plan


_AGAIN: Final = 0.5
"""Seconds between two tries for a resource that others on the host have: their locks wake nobody."""


class StageLauncher:
    """Launches stages for attempts of one run."""

    def __init__(self, bench: Workbench, share: HostShare, cancel: threading.Event) -> None:
        self._bench = bench
        self._share = share
        self._cancel = cancel

    def launch(self, attempt: Attempt, plan: Plan, number: int) -> Attempt:
        """Start stage ``number`` (from 0) of ``attempt``; it is ``running`` when this returns.

        Raises LaunchFailedError, UsageError or what the store raises; then nothing runs.
        """
        attempt = self._with_resources(attempt)
        stage = stages(plan)[number]
        folder = Path(attempt.worktree or "")
        places = {"plan_file": str(plan_file(self._bench, plan, folder)), "worktree": str(folder)}
        argv = argv_of(stage, plan, self._bench.settings.project.agents, places)
        spec = self._deferrable(attempt, number, command_spec(self._bench, attempt, plan, str(number), argv))
        with_ports(replace(spec, hold=self._share.descriptors(attempt.id)), launch)
        try:
            return self._record(attempt, stage.phase, spec)
        except BaseException:
            _take_back(spec)
            raise

    def _deferrable(self, attempt: Attempt, number: int, spec: CommandSpec) -> CommandSpec:
        """``spec`` under the stage's name, told how often it was deferred and where it may say until when."""
        name = stage_name(attempt, number)
        folder = record_dir(self._bench, name)
        told = {
            "PLANCTL_RETRY_AT": str(folder / RETRY_AT),
            "PLANCTL_HOLDS": str(count_of(attempt.deferral, number)),
        }
        return replace(
            spec,
            attempt=name,
            record_dir=folder,
            environment={**spec.environment, **told},
            append_log=attempt.supervisor is not None,
        )

    def _with_resources(self, attempt: Attempt) -> Attempt:
        """Wait until the attempt has its resources; they are there but for a later stage after a resume."""
        store = self._bench.store
        while why := self._share.take(attempt.id, ResourceTable(store).held(attempt.id)):
            if attempt.reason != why:
                attempt = store.update_attempt(attempt, reason=why)
                text, now = sentence(why), self._bench.clock.now()
                store.emit(
                    EventName.PLAN_WAITING, at=now, run=attempt.run, plan=attempt.plan, reason=why, text=text
                )
            if self._cancel.wait(_AGAIN):
                raise InterruptedError("the run is being stopped")
        return store.update_attempt(attempt, reason={}) if attempt.reason else attempt

    def _record(self, attempt: Attempt, phase: str | None, spec: CommandSpec) -> Attempt:
        store, now = self._bench.store, self._bench.clock.now()
        with store.transaction():
            if attempt.state is AttemptState.PREPARING:
                attempt = store.move_attempt(attempt, AttemptState.RUNNING, supervisor=spec.attempt)
            else:
                attempt = store.update_attempt(attempt, supervisor=spec.attempt)
            store.emit(
                EventName.PLAN_STARTED,
                at=now,
                run=attempt.run,
                plan=attempt.plan,
                attempt=attempt.id,
                worktree=attempt.worktree,
                log=str(spec.log),
                phase=phase,
            )
        return attempt


def _take_back(spec: CommandSpec) -> None:
    """End a command that the store does not know of; it was begun for nothing, and is to run again."""
    handle = find(spec.record_dir)
    if handle is not None:
        end(handle, for_good=False)


def stage_number(attempt: Attempt) -> int:
    """Which stage of ``attempt`` is at work, from its supervisor's name."""
    found = StageName.parse(attempt.supervisor or "")
    return found.number if found else 0


def stage_name(attempt: Attempt, number: int) -> str:
    """The name of that stage's command, which is another one after each deferral."""
    return str(StageName(attempt.id, number, count_of(attempt.deferral, number)))


def record_dir(bench: Workbench, name: str) -> Path:
    """The record folder of one stage."""
    return record_folder(bench.repository.state_dir, name)


def command_spec(
    bench: Workbench, attempt: Attempt, plan: Plan, stage: str, argv: tuple[str, ...]
) -> CommandSpec:
    """What the supervisor of one stage is told."""
    project, name, folder = bench.settings.project, f"{attempt.id}-{stage}", Path(attempt.worktree or "")
    outputs = outputs_of(bench, plan.id)
    outputs.prepare()
    surroundings = Surroundings(
        plan=plan.id,
        plan_file=plan_file(bench, plan, folder),
        run=attempt.run,
        attempt=attempt.id,
        session=bench.session,
        worktree=folder,
        output_dir=outputs.folder,
        base=attempt.base or "",
    )
    return CommandSpec(
        attempt=name,
        argv=argv,
        cwd=folder,
        environment=plan_environment(os.environ, surroundings),
        log=outputs.log,
        record_dir=record_dir(bench, name),
        timeout=plan.timeout,
        tty=_wants_tty(plan, stage),
        parent_death=ParentDeath(project.parent_death),
    )


def _wants_tty(plan: Plan, stage: str) -> bool:
    return stage.isdigit() and stages(plan)[int(stage)].run.tty


def with_ports(spec: CommandSpec, start: Callable[[CommandSpec], object]) -> None:
    """Launch with a block of ports that the supervisor holds until nothing of the command lives."""
    ports = acquire_ports()
    if ports is None:  # the host has none left; a plan that needs one sees that the variable is missing
        start(spec)
        return
    try:
        environment = {**spec.environment, "PLANCTL_PORT_BASE": str(ports.first)}
        start(replace(spec, environment=environment, hold=(*spec.hold, *ports.hold)))
    finally:
        ports.release()


def plan_file(bench: Workbench, plan: Plan, folder: Path) -> Path:
    """The worktree's own copy of the plan file if it is tracked there, else a copy among the outputs."""
    own = folder / plan.path
    if not plan.path.is_absolute() and own.is_file():
        return own
    outputs = outputs_of(bench, plan.id)
    outputs.prepare()
    copy = outputs.folder / f"plan{plan.path.suffix or '.md'}"
    write_atomic(copy, plan.source, durable=False)
    return copy
