"""Who is at work on a repository, in words: for whoever needs it to himself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.running.places import records_root
from orchestrator.running.spec import Running
from orchestrator.running.supervision import find, marked_processes, poll
from orchestrator.sessions.death import living_session
from orchestrator.states import LIVING_SESSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.store.protocol import Store


def at_work(store: Store, state_dir: Path, own: str | None = None) -> tuple[str, ...]:
    """Sessions whose process lives, ``own`` aside, and commands of plans of which anything lives."""
    return (*_sessions(store, own), *_commands(state_dir))


def _sessions(store: Store, own: str | None) -> tuple[str, ...]:
    known = store.sessions(LIVING_SESSIONS)
    living = [s for s in known if s.id != own and living_session(store, s.id) is not None]
    return tuple(f"{s.kind} {s.id} (pid {s.pid})" for s in living)


def _commands(state_dir: Path) -> tuple[str, ...]:
    root, found = records_root(state_dir), dict[str, str]()
    marked = marked_processes()
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        handle = find(folder)
        if handle is None:
            continue
        state = poll(handle)
        alive = isinstance(state, Running) or state.command_alive
        pids = {*marked.get(folder.name, ()), *((handle.pid,) if alive else ())}
        if pids:
            found[folder.name] = ", ".join(map(str, sorted(pids)))
    return tuple(f"command {name} (pid {pids})" for name, pids in found.items())
