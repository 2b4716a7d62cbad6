"""Which sessions a sweep has to look after, and why: pure functions of what is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.sessions.staleness import is_late
from orchestrator.states import SessionState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from orchestrator.store.records import Session


class Why(StrEnum):
    """Why a session is looked after."""

    DEAD = "its process is gone"
    SILENT = "it is not heard of any more"
    LEFT = "it was found dead before"
    """Another process has ended it, and nobody has looked after what it left yet."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment: all sessions, those whose process is proven gone, and those that may be ended for silence.

    ``silent`` are planctl's own and agents' with a name, in a process of their own that is proven to live: no
    shell, terminal or editor, and nothing that the sweeper itself runs below. Empty unless that is asked for.
    """

    sessions: Sequence[Session]
    dead: Collection[str]
    now: float
    boot: str
    silent: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A session to look after."""

    session: Session
    why: Why


def cases(scene: Scene) -> tuple[Case, ...]:
    """Those to look after. One whose process lives is none, unless the silent are to be ended, too."""
    found = ((session, _why(session, scene)) for session in scene.sessions)
    return tuple(Case(session, why) for session, why in found if why is not None)


def _why(session: Session, scene: Scene) -> Why | None:
    if session.state is SessionState.ENDED:
        return Why.LEFT if session.children or session.left_behind else None
    if session.id in scene.dead:
        return Why.DEAD
    if session.id in scene.silent and is_late(session, now=scene.now, boot=scene.boot):
        return Why.SILENT
    return None


def has_come_back(case: Case, known: Session | None, *, now: float, boot: str) -> bool:
    """Whether, by what is ``known`` of it meanwhile, somebody speaks for it again: what it has is his."""
    if known is None or known.state is SessionState.ENDED:
        return False
    seen = case.session
    if (known.pid, known.process_started, known.boot) != (seen.pid, seen.process_started, seen.boot):
        return True
    return case.why is Why.SILENT and not is_late(known, now=now, boot=boot)


def roots(case: Case) -> list[tuple[int, float]]:
    """The processes that were recorded of it, as (pid, start): its children; itself, where it is silent."""
    told = [(int(child["pid"]), float(child["started"])) for child in case.session.children]
    own = [(case.session.pid, case.session.process_started)] if case.why is Why.SILENT else []
    return [*own, *told]
