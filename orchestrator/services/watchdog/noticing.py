"""What agents have running below them, noted while they live: once one has crashed, nobody can tell.

Of sessions that a coding agent registered (they have a name), and of `lock run`. Not of a shell, a terminal,
an editor or the like: what a person starts there is meant to outlive it. What is a session itself or a plan's
command is spared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.running import platforms
from orchestrator.running.families import below, known_process, own_line, words_of
from orchestrator.services.speaking import AGENT, LOCK
from orchestrator.sessions.ancestry import is_home, is_shell
from orchestrator.sessions.identity import proven
from orchestrator.states import SessionState
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from orchestrator.running.platforms import Process
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Session

_MOST: Final = 500


def notice(store: Store, sessions: Sequence[Session], check: Callable[[], None]) -> None:
    """Write down the processes below each agent that lives; those that are gone are forgotten.

    ``check`` is called in each transaction, before it writes; it may raise.
    """
    living = [s for s in sessions if s.state is not SessionState.ENDED]
    agents = [s for s in living if s.kind in {LOCK, AGENT} and is_told_of(s)]
    if not agents:
        return
    table = platforms.all_processes()
    spared = {*own_line(), *(s.pid for s in living)}
    for session in agents:
        found = _children(session, table, spared)
        if found is not None and found != session.children:
            _write(store, session.id, found, check)


def is_told_of(session: Session) -> bool:
    """Whether its process is said to be an agent's (it has a name), or is planctl's own."""
    return session.kind != AGENT or bool(session.agent)


def own_process(session: Session) -> Process | None:
    """The session's process, where it is proven to live and to be no place where people are at home."""
    root = known_process(session.pid, session.process_started, session.boot, session.host)
    words = words_of(session.pid)
    return None if not words[0] or is_shell(words) or is_home(words) else root


def _children(
    session: Session, table: Mapping[int, Process], spared: Collection[int]
) -> tuple[Mapping[str, Any], ...] | None:
    """Those that were known and live, and those that are new; None where it is not for us to tell."""
    root = own_process(session)
    if root is None:
        return None
    kept = [c for c in session.children if proven(c["pid"], c["started"], session.boot, session.host)]
    known = {child["pid"] for child in kept}
    fresh = sorted(p.pid for p in below(table, (root.pid,), spared) if p.pid not in known)
    told = [{"pid": pid, "started": platforms.seconds(table[pid].started)} for pid in fresh]
    return (*kept, *told)[:_MOST]


def _write(
    store: Store, key: str, children: tuple[Mapping[str, Any], ...], check: Callable[[], None]
) -> None:
    with step("watchdog.notice"), store.transaction(durable=False):
        check()
        now = store.session(key)
        if now is not None and now.state is not SessionState.ENDED:
            store.update_session(now, children=children)
