"""Hooks that call planctl: as they were written, and still found by git."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.agents.entries import EntryState
from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from orchestrator.services.hooking import GIT, SESSION, places, refresh
from worktrees.hooks import HookState, looked_for, uninstall_hooks
from worktrees.hookscripts import GIT_HOOKS, HookKind

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.services.hooking import Place
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

_ALTERED: Final = "changed since planctl wrote it: it is yours, and `planctl hooks install` leaves it alone"
_OUTDATED: Final = "it asks a planctl that is gone, is of another version or target, or is not executable"
_DISPLACED: Final = "your hook waits there, for planctl's to call it"


def examine_hooks(ward: Ward) -> Examined:
    """Where no hook of planctl's was ever installed nothing is missing."""
    found = places(ward.repository, ward.target)
    issues = [issue for place in found for issue in _issues(place, ward.target)]
    standing = [place for place in found if place.state not in ("absent", "foreign")]
    issues += _missing(found)
    issues += _uncalled(ward, found)
    if any(place.what == GIT for place in standing):
        issues += _bypassed(ward)
    return Examined("hooks", f"{len(standing)} places call planctl", tuple(issues))


def _issues(place: Place, target: str) -> list[Issue]:
    subject = str(place.path)
    if place.state in (HookState.ALTERED, EntryState.ALTERED):
        return [Issue("hook-altered", Gravity.HINT, subject, _ALTERED)]
    if place.state == HookState.OUTDATED:
        cure = partial(_refresh, kind=HookKind(place.path.name), target=target)
        return [Issue("hook-outdated", Gravity.WARNING, subject, _OUTDATED, cure)]
    if place.kept is not None and place.state == HookState.ABSENT:
        cure = partial(_put_back, kind=HookKind(place.path.name))
        return [Issue("hook-displaced", Gravity.WARNING, str(place.kept), _DISPLACED, cure)]
    if place.kept is not None and place.state == HookState.FOREIGN:
        detail = f"{place.path.name} is another one now, which may not call it"
        return [Issue("hook-displaced", Gravity.WARNING, str(place.kept), detail)]
    return []


def _missing(found: tuple[Place, ...]) -> list[Issue]:
    """One of git's two, one of an agent's two, or what a project's settings call."""
    hint = "others of the kind are there: `planctl hooks install {}`"
    absent = [place for place in found if place.what == GIT and place.state in ("absent", "foreign")]
    if len(absent) < len(GIT_HOOKS):
        yes = [Issue("hook-missing", Gravity.HINT, str(p.path), hint.format(GIT)) for p in absent]
    else:
        yes = []
    partly = [place for place in found if place.state == EntryState.PARTIAL]
    return yes + [Issue("hook-missing", Gravity.HINT, str(p.path), hint.format(p.what)) for p in partly]


def _uncalled(ward: Ward, found: tuple[Place, ...]) -> list[Issue]:
    """The script that this project's settings call; entries in the user's own do well without it."""
    absent = [place for place in found if place.what == SESSION and place.state == HookState.ABSENT]
    top = ward.repository.primary_top
    whole = (EntryState.INSTALLED, EntryState.PARTIAL)
    callers = [p for p in found if p.state in whole and top is not None and p.path.is_relative_to(top)]
    callers = [place for place in callers if place.what not in (GIT, SESSION)]
    if not absent or not callers:
        return []
    cure = partial(_refresh, kind=HookKind.SESSION, target=ward.target)
    detail = f"{callers[0].path} calls it"
    return [Issue("hook-missing", Gravity.WARNING, str(absent[0].path), detail, cure)]


def _bypassed(ward: Ward) -> list[Issue]:
    own, place = ward.repository.common_dir / "hooks", looked_for(ward.git)
    if _is_same(own, place):
        return []
    detail = f"planctl's hooks are in {own}, where git does not look while core.hooksPath is set"
    return [Issue("hook-bypassed", Gravity.WARNING, str(place), detail)]


def _is_same(own: Path, place: Path) -> bool:
    return place.resolve() == own.resolve()


def _refresh(bench: Workbench, _session: SessionHandle, kind: HookKind, target: str) -> None:
    refresh(bench.git, kind, target)


def _put_back(bench: Workbench, _session: SessionHandle, kind: HookKind) -> None:
    uninstall_hooks(bench.repository, (kind,))
