"""The first files of a project: settings, an example, a new plan. Never overwrites."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import FileExistsAlreadyError, UsageError
from orchestrator.services.plans import load_plans, require_top, usable_settings
from orchestrator.settings import FILE
from plans.edits import Edit, Fate, Seen, write_all
from plans.effects import step
from plans.ids import PlanId
from plans.onchange import OnChange
from plans.templates import example_plan, new_plan, settings_template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worktrees.repository import Repository


@dataclass(frozen=True, slots=True)
class Written:
    """Files written, and files that stood there already and were left alone; relative to the top."""

    made: tuple[Path, ...]
    kept: tuple[Path, ...]


def begin(repository: Repository, *, dry_run: bool = False) -> Written:
    """Write a commented ``planctl.yaml`` and an example plan into the folder of plans that it names.

    Both or none: where one cannot be written, the other is taken back.
    """
    top = require_top(repository)
    settings = usable_settings(repository)
    name, example = example_plan()
    wanted = {
        top / FILE: settings_template(),
        _folder(repository, settings.project.plans) / name: example,
    }
    made = _write_new(wanted, dry_run=dry_run)
    kept = [path for path in wanted if path not in made]
    return Written(tuple(p.relative_to(top) for p in made), tuple(p.relative_to(top) for p in kept))


def write_plan(repository: Repository, name: str, *, dry_run: bool = False) -> Path:
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
    if not _write_new({path: new_plan(plan, None)}, dry_run=dry_run):
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


def _write_new(wanted: Mapping[Path, bytes], *, dry_run: bool) -> list[Path]:
    """Create files, all or none; returns those that were made. A name that is taken is kept, a link too."""
    free = {path: content for path, content in wanted.items() if not os.path.lexists(path)}
    edits = [Edit(Seen(path, None), content) for path, content in free.items()]
    try:
        for folder in {path.parent for path in free}:
            if not folder.is_dir() and not dry_run:
                with step("plans.folder"):
                    folder.mkdir(parents=True, exist_ok=True)
        fates = write_all(edits, OnChange.SKIP, dry_run=dry_run)
    except OSError as error:
        raise UsageError(f"{', '.join(map(str, free))} cannot be written: {error.strerror}") from error
    return [path for path, fate in zip(free, fates, strict=True) if fate is Fate.WRITTEN]
