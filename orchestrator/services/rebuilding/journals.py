"""Files that tell of attempts: ``status.json`` of plans, which their commands may have written, and records.

Whatever is torn, of another shape or names what is not there tells nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.running.places import record_folder
from orchestrator.running.records import STARTED, read_record
from orchestrator.running.spec import Running
from orchestrator.running.supervision import find, poll
from orchestrator.services.rebuilding.evidence import Launched, Said
from orchestrator.states import AttemptState
from orchestrator.submitting.published import outputs_of
from plans.ids import PlanId
from worktrees.pool import Pool, pool_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.workbench import Workbench


def said_by(bench: Workbench, plans: Iterable[str]) -> dict[str, Said]:
    """What the outputs of ``plans`` say, where it can be believed."""
    pool = Pool(bench.git, pool_folder(bench.repository, bench.settings.project.worktrees))
    folders = {str(tree.path) for tree in pool.list()}
    found = {}
    for plan in plans:
        value = outputs_of(bench, PlanId(plan)).read_status()
        said = None if value is None else _said(bench, plan, value, folders)
        if said is not None:
            found[plan] = said
    return found


def _said(bench: Workbench, plan: str, value: dict[str, Any], folders: set[str]) -> Said | None:
    run, attempt, state = (_text(value, name) for name in ("run", "attempt", "state"))
    number, worktree, code = value.get("number"), _text(value, "worktree"), value.get("exit_code")
    if value.get("plan") != plan or not (run and attempt and isinstance(number, int) and number > 0):
        return None
    if state not in set(AttemptState) or record_folder(Path(), attempt).name != attempt:
        return None
    stacked = _texts(value, "stacked_on")
    reason = value.get("reason")
    return Said(
        run=run,
        attempt=attempt,
        number=number,
        state=state,
        reason=reason if isinstance(reason, dict) else {},
        base=_commit(bench, _text(value, "base")),
        head=_commit(bench, _text(value, "head")),
        stacked_on=tuple(c for c in stacked if _commit(bench, c)),
        worktree=worktree if worktree in folders else None,
        exit_code=code if isinstance(code, int) else None,
        drift=_texts(value, "drift"),
        started_at=_text(value, "started_at"),
        finished_at=_text(value, "finished_at"),
    )


def _text(value: dict[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) and found else None


def _texts(value: dict[str, Any], name: str) -> tuple[str, ...]:
    found = value.get(name)
    return tuple(t for t in found if isinstance(t, str)) if isinstance(found, list) else ()


def _commit(bench: Workbench, text: str | None) -> str | None:
    known = text is not None and len(text) == 40 and bench.objects.has_commit(text)  # noqa: PLR2004 - hex digits of an id
    return text if known else None


def launched(state_dir: Path) -> tuple[Launched, ...]:
    """Every command of this repository that a record is left of."""
    root = record_folder(state_dir, "x").parent
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        name = folder.name
        value, handle = read_record(str(folder), STARTED), find(folder)
        if value is None or handle is None or handle.attempt != name:
            continue
        state = poll(handle)
        alive = isinstance(state, Running) or state.command_alive
        told = {field: _bytes(value, field) for field in ("cwd", "plan", "run", "base")}
        found.append(Launched(name, alive=alive, **told))
    return tuple(found)


def _bytes(value: dict[str, Any], field: str) -> str | None:
    """A field in which bytes are written as Latin-1 text."""
    text = _text(value, field)
    try:
        return None if text is None else os.fsdecode(text.encode("latin-1"))
    except UnicodeEncodeError:
        return None
