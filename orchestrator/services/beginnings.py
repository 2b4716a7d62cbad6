"""The first files of a project: settings, an example, a new plan. Never overwrites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import FileExistsAlreadyError, UsageError
from orchestrator.services.plans import load_plans, require_top, usable_settings
from orchestrator.settings import FILE
from plans.effects import create_atomic, step
from plans.ids import PlanId
from plans.templates import example_plan, new_plan, settings_template

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.repository import Repository


@dataclass(frozen=True, slots=True)
class Written:
    """Files written, and files that stood there already and were left alone; relative to the top."""

    made: tuple[Path, ...]
    kept: tuple[Path, ...]


def begin(repository: Repository) -> Written:
    """Write a commented ``planctl.yaml`` and an example plan into the folder of plans that it names."""
    top = require_top(repository)
    settings = usable_settings(repository)
    name, example = example_plan()
    wanted = {
        top / FILE: settings_template(),
        _folder(repository, settings.project.plans) / name: example,
    }
    made = [path for path, content in wanted.items() if _write_new(path, content)]
    kept = [path for path in wanted if path not in made]
    return Written(tuple(p.relative_to(top) for p in made), tuple(p.relative_to(top) for p in kept))


def write_plan(repository: Repository, name: str) -> Path:
    """Write the template of a plan into the first folder of plans; return its path below the top.

    Raises :class:`InvalidNameError`, and :class:`FileExistsAlreadyError` when the id or the file is taken.
    """
    plan = PlanId.parse(name)
    settings = usable_settings(repository)
    catalog = load_plans(repository, settings, ())
    if plan in catalog.plans:
        raise FileExistsAlreadyError(catalog.plans[plan].path)
    path = _folder(repository, settings.project.plans) / f"{plan}.md"
    short = path.relative_to(require_top(repository))
    if not _write_new(path, new_plan(plan, None)):
        raise FileExistsAlreadyError(short)
    return short


def _folder(repository: Repository, folders: tuple[str, ...]) -> Path:
    top = require_top(repository)
    if not folders:
        raise UsageError(f"`plans` in {FILE} names no folder to write into")
    folder = (top / folders[0]).resolve()
    if not folder.is_relative_to(top):
        raise UsageError(f"the folder of plans {folders[0]} lies outside the repository")
    return folder


def _write_new(path: Path, content: bytes) -> bool:
    """Create ``path`` with ``content``; False when anything, a dangling link too, has that name already."""
    try:
        if not path.parent.is_dir():
            with step("plans.folder"):
                path.parent.mkdir(parents=True, exist_ok=True)
        return create_atomic(path, content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
