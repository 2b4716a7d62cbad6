"""What a resolver is told: variables, and files for what is too long for them or holds odd bytes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.running.surroundings import Surroundings, command_environment, plan_environment
from orchestrator.scheduling.freeze import thaw
from orchestrator.scheduling.launching import plan_file
from orchestrator.slots.prepared import folder_of
from orchestrator.submitting.published import outputs_of
from plans.effects import step
from plans.errors import InvalidNameError
from plans.ids import PlanId
from worktrees.mirror import shown_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.mending.place import Place
    from orchestrator.slots.prepared import Prepared
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from plans.model import Plan


@dataclass(frozen=True, slots=True)
class Told:
    """The conflict as it stands; ``base`` is the merge base, empty where there are several."""

    base: str
    paths: tuple[str, ...]
    messages: str


def tell_resolver(
    bench: Workbench, entry: Entry, place: Place, prepared: Prepared, told: Told
) -> dict[str, str]:
    """Write the files, and return the complete environment of the resolver."""
    folder = folder_of(bench.repository) / prepared.record
    files: dict[str, bytes] = {
        "conflict.json": json.dumps(_facts(entry, place, prepared, told), indent=1).encode(),
        "paths": b"".join(os.fsencode(path) + b"\0" for path in told.paths),
        "messages": told.messages.encode("utf-8", "surrogateescape") + b"\n",
    }
    with step("resolver.tell"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return {
        **_surroundings(bench, entry, place),
        "PLANCTL_WORKTREE": str(place.tree.path),
        "PLANCTL_SESSION": bench.session,
        "PLANCTL_ENTRY": entry.id,
        "PLANCTL_CONFLICT": str(folder / "conflict.json"),
        "PLANCTL_CONFLICT_PATHS": str(folder / "paths"),
        "PLANCTL_CONFLICT_MESSAGES": str(folder / "messages"),
        "PLANCTL_CONFLICT_BASE": told.base,
        "PLANCTL_CONFLICT_OURS": prepared.ours,
        "PLANCTL_CONFLICT_THEIRS": prepared.theirs,
        "PLANCTL_CONFLICT_PLANS": " ".join(_plans(entry)),
    }


def _plans(entry: Entry) -> list[str]:
    """The plans that landed what the work conflicts with, newest first; a trailer may say anything."""
    said = dict.fromkeys(other["plan"] for other in entry.reason.get("others", ()))
    return [plan for plan in said if _is_plan(plan)]


def _is_plan(text: str) -> bool:
    try:
        PlanId.parse(text)
    except InvalidNameError:
        return False
    return True


def _facts(entry: Entry, place: Place, prepared: Prepared, told: Told) -> dict[str, Any]:
    return {
        "entry": entry.id,
        "plan": entry.plan,
        "branch": entry.branch,
        "target": shown_target(entry.target),
        "worktree": str(place.tree.path),
        "base": told.base or None,
        "ours": prepared.ours,
        "theirs": prepared.theirs,
        "paths": list(told.paths),
        "messages": told.messages,
        "others": list(entry.reason.get("others", ())),
    }


def _surroundings(bench: Workbench, entry: Entry, place: Place) -> Mapping[str, str]:
    """A plan's own, where it is a plan's; its ports are not: they belong to its command."""
    attempt = bench.store.attempt(entry.attempt) if entry.attempt else None
    run = bench.store.run(attempt.run) if attempt else None
    if attempt is None or run is None:
        return command_environment(os.environ, place.tree.path)
    plan = _plan(bench, run.frozen, attempt.plan)
    outputs = outputs_of(bench, plan.id)
    outputs.prepare()
    values = Surroundings(
        plan=plan.id,
        plan_file=plan_file(bench, plan, place.tree.path),
        run=attempt.run,
        attempt=attempt.id,
        session=bench.session,
        worktree=Path(place.tree.path),
        output_dir=outputs.folder,
        base=attempt.base or "",
    )
    return plan_environment(os.environ, values)


def _plan(bench: Workbench, frozen: str, name: str) -> Plan:
    return next(plan for plan in thaw(bench, frozen) if plan.id == PlanId(name))
