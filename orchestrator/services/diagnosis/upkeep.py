"""How git's own folder is kept: the commit-graph, loose objects, worktrees that are gone, a gc that races."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.services.diagnosis.ward import Examined, Gravity, Issue
from plans.effects import step
from worktrees.commitgraph import is_wanting, what_is_broken, write_anew
from worktrees.upkeep import half_written, keeps_for, loose_objects, prunable_worktrees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.services.diagnosis.ward import Ward
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.workbench import Workbench

MANY_LOOSE: Final = 20_000
"""Three times what git's own gc lets pass."""
DAY: Final = 24 * 3600.0
_MIB: Final = 1 << 20
RACES: Final = (("gc.pruneExpire", "gc-prunes-early"), ("gc.worktreePruneExpire", "gc-forgets-worktrees"))
"""Settings of git's that may take away what is just being made, and the codes of the findings."""


def examine_upkeep(ward: Ward) -> Examined:
    """Nothing here keeps planctl from working; a damaged commit-graph keeps git from it."""
    loose = loose_objects(ward.repository)
    issues = [*_graph(ward), *_objects(ward, loose), *_gone(ward), *_races(ward)]
    return Examined("upkeep", f"about {loose} loose objects", tuple(issues))


def _graph(ward: Ward) -> Iterator[Issue]:
    subject = "objects/info/commit-graph"
    if broken := what_is_broken(ward.git):
        yield Issue("commit-graph-broken", Gravity.ERROR, subject, broken, _write_graph)
        return
    tip = ward.references.read(ward.target)
    if tip is not None and ward.objects.has_commit(tip) and is_wanting(ward.git, ward.objects, tip):
        detail = "history is long, and much of it is in no commit-graph"
        yield Issue("commit-graph-missing", Gravity.HINT, subject, detail, _write_graph)


def _write_graph(bench: Workbench, _session: SessionHandle) -> None:
    write_anew(bench.git, bench.objects, bench.target_tip())


def _objects(ward: Ward, loose: int) -> Iterator[Issue]:
    if loose > MANY_LOOSE:
        yield Issue("objects-loose", Gravity.HINT, "objects", f"about {loose} of them", _pack)
    half = half_written(ward.repository, ward.seconds() - DAY)
    if half.count:
        detail = f"{half.count} temporary packs, {half.size / _MIB:.1f} MiB"
        yield Issue("objects-half-written", Gravity.HINT, "objects/pack", detail)


def _pack(bench: Workbench, _session: SessionHandle) -> None:
    """Twice: git packs them the first time, and removes those that are in a pack the next time."""
    for _ in range(2):
        with step("doctor.pack"):
            bench.git.run("maintenance", "run", "--quiet", "--task=loose-objects", writes=True)


def _gone(ward: Ward) -> Iterator[Issue]:
    for path in prunable_worktrees(ward.repository, ward.pool.folder):
        yield Issue("worktree-prunable", Gravity.HINT, str(path), "its folder is gone")


def _races(ward: Ward) -> Iterator[Issue]:
    for setting, code in RACES:
        kept = keeps_for(ward.git, setting, ward.seconds())
        if kept is not None and kept < DAY:
            detail = f"{setting} is {ward.git.settings.get(setting.lower())}"
            yield Issue(code, Gravity.WARNING, setting, detail)
