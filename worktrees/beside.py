"""Drafts beside the user's own files that planctl writes into: where a killed writer may have left one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from plans.effects import DRAFT
from worktrees.hooks import hook_path
from worktrees.hookscripts import HookKind
from worktrees.slot import registered

AGENTS: Final = (".claude/settings.json", ".codex/hooks.json", ".gemini/settings.json")
"""Settings of coding agents, as they are named in ``orchestrator.agents.known``."""

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worktrees.repository import Repository


def drafts_beside(repository: Repository) -> Iterator[Path]:
    """Every draft there is, of living writers too: the caller knows, or asks for the process in its name."""
    draft = re.compile(DRAFT)
    for place in _written(repository):
        for path in sorted(place.parent.glob(f".{place.name}.*.tmp")) if place.parent.is_dir() else ():
            if draft.fullmatch(path.name):
                yield path


def _written(repository: Repository) -> Iterator[Path]:
    yield (repository.common_dir / "info" / "exclude").resolve()
    yield (repository.common_dir / "config").resolve()
    yield from (hook_path(repository, kind) for kind in HookKind)
    if repository.primary_top is not None:
        yield from (repository.primary_top / name for name in AGENTS)
    for top in tops(repository):
        yield top / ".planctl" / "current-plan"


def tops(repository: Repository) -> tuple[Path, ...]:
    """The user's checkouts, and the slots."""
    found = (repository.primary_top, *(worktree for _, worktree in registered(repository.common_dir)))
    return tuple(top for top in found if top is not None)
