"""Whether a session lives, or is over because its process is.

The session of an attempt (it has the attempt's id) has one process after another: the commands of its stages.
Between two of them it is the run that keeps it, or whoever asks just then would take what the next command
is to go on with. Not promised: anything while the attempt is deferred; that may be hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.sessions.identity import is_alive
from orchestrator.states import AttemptState, SessionState

if TYPE_CHECKING:
    from orchestrator.store.leaserecords import LeaseWait
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Session


def is_dead(store: Store, session: Session, boot: str) -> bool:
    """Whether its process is proven gone, and no next one is to be expected; ``boot`` is this one."""
    return not (_lives(session, boot) or _is_between_commands(store, session.id, boot))


def living_session(store: Store, key: str | None, boot: str | None = None) -> Session | None:
    """The session of that id unless it has ended or its process is proven dead."""
    session = store.session(key) if key else None
    if session is None or session.state is SessionState.ENDED:
        return None
    return session if _lives(session, boot) else None


def is_abandoned(wait: LeaseWait, boot: str) -> bool:
    """Whether the process that waits is proven gone; its session may live on."""
    process = (wait.pid, wait.process_started, wait.boot, wait.host)
    return wait.pid > 0 and not is_alive(*process, this_boot=boot)


def _lives(session: Session, boot: str | None) -> bool:
    return is_alive(session.pid, session.process_started, session.boot, session.host, this_boot=boot)


def _is_between_commands(store: Store, key: str, boot: str) -> bool:
    attempt = store.attempt(key)
    if attempt is None or attempt.state is not AttemptState.RUNNING:
        return False
    run = store.run(attempt.run)
    return run is not None and living_session(store, run.session, boot) is not None
