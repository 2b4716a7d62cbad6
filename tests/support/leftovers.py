"""What nothing may leave behind: looked for on disk, in the store and among the processes of this machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.states import (
    OPEN_ENTRIES,
    AttemptState,
    EntryState,
    IntentState,
    RunState,
    SessionState,
    SlotState,
    TaskState,
)
from tests.support.gates import store_of
from tests.support.repo import GitRepo

# Locks of the kernel on empty files that stay; nobody holds them by being there.
_KERNEL_LOCKS = re.compile(
    r"planctl/(state\.db\.lock|cleanup\.lock|git-write\.lock|worktrees\.lock|[a-z-]+\.lock|follow/[^/]+/lock)"
)
# Files that are in use only while a process is at work. What git left half written in objects is gc's.
_TEMPORARY = re.compile(
    r"(?!objects/)(.*\.tmp|.*\.new|.*\.holder|planctl/snapshot-[^/]*|planctl/trash/.*"
    r"|planctl/restores/.*|planctl/attributes/new-.*"
    r"|planctl/follow/[^/]+/(?!lock$).*|planctl/checks/environment-.*|.*/planctl-index)"
)
_WORKING = {AttemptState.PREPARING, AttemptState.RUNNING}
_HOLDING = {*AttemptState} - _WORKING - {AttemptState.LANDED, AttemptState.PENDING, AttemptState.WAITING}
_HALF_WAY = {EntryState.MERGING, EntryState.CHECKING, EntryState.LANDING}


def leftovers(repo: GitRepo) -> list[str]:
    """One line for each thing that is left over of ended processes; empty when all is in order."""
    return [*held(repo), *_files(repo), *_worktrees(repo), *_records(repo)]


def held(repo: GitRepo) -> list[str]:
    """Of those, what keeps others waiting and needs no person: processes, and rights of sessions."""
    return [*_processes(repo), *_rights(repo)]


def _processes(repo: GitRepo) -> Iterator[str]:
    """Processes that stand in the repository or its pool, or name them or carry their names; not this one."""
    near = os.fsencode(repo.path)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, cwd = (folder / "cmdline").read_bytes(), os.fsencode((folder / "cwd").readlink())
            told = (folder / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is not ours to look at
        if (near in line + told or cwd.startswith(near)) and int(folder.name) != os.getpid():
            yield f"process {folder.name}: {line.replace(bytes(1), b' ').decode(errors='replace')[:200]}"


def _files(repo: GitRepo) -> Iterator[str]:
    git, pool = repo.path / ".git", repo.path.with_name(f"{repo.path.name}.worktrees")
    for path in git.rglob("*"):
        name = path.relative_to(git).as_posix()
        if path.name.endswith(".lock") and not _KERNEL_LOCKS.fullmatch(name):
            yield f"lock {name} ({path.read_bytes()[:60]!r})"
        elif _TEMPORARY.fullmatch(name):
            yield f"temporary {name}"
        elif path.suffix == ".making" and path.stat().st_size:
            yield f"slot half made {name}"
    yield from (f"temporary {p}" for p in repo.path.glob("**/.*.tmp") if ".git" not in p.parts)
    for path in (*pool.glob("*"), *pool.glob("plans/*")):
        if path.is_symlink() and not path.exists():
            yield f"link to nowhere {path.name}"
        elif path.name.startswith(".") or (path.name != "plans" and not (path / ".git").exists()):
            yield f"in the pool {path.name}, which is no worktree"


def _worktrees(repo: GitRepo) -> Iterator[str]:
    """What git knows of as a worktree of the pool is a slot, and each slot is such a worktree."""
    pool = f"{repo.path}.worktrees/"
    told = repo.git("worktree", "list", "--porcelain", "-z").split("\0")
    known = {line.removeprefix("worktree ") for line in told if line.startswith("worktree ")}
    with store_of(repo) as store:
        slots = {slot.path for slot in store.slots() if slot.state is not SlotState.REMOVED}
    yield from (f"worktree {path} is no slot" for path in known - slots if path.startswith(pool))
    yield from (f"slot {path} is no worktree" for path in slots - known)


def _rights(repo: GitRepo) -> Iterator[str]:
    with store_of(repo) as store:
        yield from (f"lease {lease.name} of {lease.session}" for lease in store.leases())
        yield from (f"place of {wait.session} in the line for {wait.name}" for wait in store.waits())
        yield from (
            f"session {s.id} is {s.state}" for s in store.sessions() if s.state is not SessionState.ENDED
        )
        yield from (
            f"children of session {s.id}, which nobody looked after: {s.children} {s.left_behind}"
            for s in store.sessions()
            if s.children or s.left_behind
        )
        yield from (
            f"task {task.id} is {task.state} by {task.claimed_by}"
            for task in store.tasks()
            if task.state in (TaskState.CLAIMED, TaskState.IN_PROGRESS)
        )


def _records(repo: GitRepo) -> Iterator[str]:
    with store_of(repo) as store:
        yield from (f"run {r.id} is {r.state}" for r in store.runs() if r.state is not RunState.FINISHED)
        yield from (f"intent {i.id} is open" for i in store.intents({IntentState.OPEN}))
        attempts = {a.id: a for a in store.attempts()}
        yield from (f"{a.plan} is {a.state}" for a in attempts.values() if a.state in _WORKING)
        entries = {e.id: e for e in store.entries()}
        yield from (f"entry {e.branch} is {e.state}" for e in entries.values() if e.state in _HALF_WAY)
        for slot in store.slots():
            holder = attempts.get(slot.attempt or "")
            rightly = slot.state is SlotState.LEASED and holder is not None and holder.state in _HOLDING
            if slot.state not in (SlotState.FREE, SlotState.REMOVED) and not rightly:
                held = f"{holder.plan} {holder.state}" if holder else "nobody"
                yield f"slot {slot.name} is {slot.state} of {held} {json.dumps(slot.detail)}"
        for line in repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/candidates").split():
            entry = entries.get(line.rpartition("/")[2])
            if entry is None or entry.state not in OPEN_ENTRIES:
                yield f"candidate {line}"
        for line in repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/runs").split():
            if store.run(line.rpartition("/")[2]) is None:
                yield f"plan files of no run {line}"
