"""Header and body put together: phases of both, tasks under their phases, defaults that need both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from plans.body import MAX_PARTS
from plans.codes import Code
from plans.errors import Problem, Severity
from plans.model import DEFAULT_PRIORITY, Phase, Plan, Task

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plans.body import Body, Heading
    from plans.ids import PhaseId
    from plans.kinds import Reporter


def assemble(
    values: dict[str, Any], body: Body, path: Path, source: bytes, reporter: Reporter
) -> Plan | None:
    """The plan, from what the header gave and the body holds; None without an id."""
    phases = _phases(values.get("phases", ()), body.phases, reporter)
    tasks = _tasks(body.tasks, phases, reporter)
    _hint_at_unnumbered(body, reporter)
    if body.cut_at:
        message = f"the body has more than {MAX_PARTS} phases and checkboxes"
        reporter.add(Problem(reporter.path, Code.BODY_TOO_LONG, message, body.cut_at, 1))
    plan_id = values.get("plan")
    if plan_id is None:
        return None
    return Plan(
        id=plan_id,
        title=values.get("title") or body.title or plan_id,
        path=path,
        source=source,
        digest=values["digest"],
        body=values["body"],
        priority=values.get("priority", float(DEFAULT_PRIORITY)),
        branch=values.get("branch") or f"plan/{plan_id}",
        base=values.get("base"),
        dependencies=values.get("dependencies", ()),
        manifest=values.get("files"),
        resources=values.get("resources", {}),
        conflicts_with=values.get("conflicts_with", ()),
        labels=values.get("labels", ()),
        run=values.get("run"),
        check=values.get("check"),
        timeout=values.get("timeout"),
        retries=values.get("retries", 0),
        phases=phases,
        tasks=tasks,
    )


def _phases(declared: Sequence[Phase], headings: Sequence[Heading], reporter: Reporter) -> tuple[Phase, ...]:
    """The header's phases in its order, then those that only the body has; titles from either."""
    phases: dict[str, Phase] = {phase.id: phase for phase in declared}
    seen: dict[str, int] = {}
    for heading in headings:
        if heading.id in seen:
            message = f"the phase {heading.id} begins here again, first in line {seen[heading.id]}"
            reporter.add(Problem(reporter.path, Code.DUPLICATE_PHASE, message, heading.line, 1))
            continue
        seen[heading.id] = heading.line
        if declared and heading.id not in phases:
            _hint(reporter, Code.PHASE_NOT_IN_HEADER, heading.line, f"the header does not list {heading.id}")
        known = phases.get(heading.id, Phase(heading.id))
        phases[heading.id] = known if known.title else replace(known, title=heading.title)
    return tuple(phases.values())


def _tasks(tasks: Sequence[Task], phases: Sequence[Phase], reporter: Reporter) -> tuple[Task, ...]:
    """Tasks under no heading belong to the phase that their number begins with, where there is one."""
    by_id: dict[str, PhaseId] = {phase.id: phase.id for phase in phases}
    seen: dict[str, int] = {}
    placed = []
    for task in tasks:
        if task.id in seen:
            message = f"the task {task.id} stands here again, first in line {seen[task.id]}"
            hint = "give it a number of its own"
            reporter.add(Problem(reporter.path, Code.DUPLICATE_TASK, message, task.line, 1, hint=hint))
            continue
        seen[task.id] = task.line
        phase = task.phase or by_id.get(task.id.partition(".")[0])
        placed.append(replace(task, phase=phase))
    return tuple(placed)


def _hint_at_unnumbered(body: Body, reporter: Reporter) -> None:
    if body.unnumbered:
        count = len(body.unnumbered)
        message = f"{count} checkbox{'es' if count > 1 else ''} without a number: not a task of planctl"
        hint = "number it to make it one: '- [ ] 1.1 …'"
        _hint(reporter, Code.TASK_WITHOUT_NUMBER, body.unnumbered[0], message, hint)


def _hint(reporter: Reporter, code: Code, line: int, message: str, hint: str = "") -> None:
    reporter.add(Problem(reporter.path, code, message, line, 1, hint=hint, severity=Severity.HINT))
