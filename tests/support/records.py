"""Records for tests, each valid as it stands; name only what the test is about."""

from __future__ import annotations

from typing import Any

from orchestrator.states import SlotState
from orchestrator.store.leaserecords import Lease, LeaseWait
from orchestrator.store.records import Attempt, Entry, Intent, RunRecord, Session, Slot, Verdict

AT = "2026-11-21T00:56:01.123Z"


def a_session(key: str = "s1", **fields: Any) -> Session:
    known: dict[str, Any] = {
        "kind": "run",
        "pid": 100,
        "process_started": 12.5,
        "host": "here",
        "boot": "boot-1",
        "started_at": AT,
        "heartbeat_at": AT,
        "expires": 60.0,
    }
    return Session(id=key, **{**known, **fields})


def a_lease(name: str = "queue.main", session: str = "s1", **fields: Any) -> Lease:
    known: dict[str, Any] = {"token": 0, "boot": "boot-1", "expires": 60.0, "acquired_at": AT}
    return Lease(name=name, session=session, **{**known, **fields})


def a_run(key: str = "r1", **fields: Any) -> RunRecord:
    known: dict[str, Any] = {
        "session": "s1",
        "started_at": AT,
        "frozen": "f" * 40,
        "target": "main",
        "plans": ("api", "web"),
        "options": {"jobs": 2, "check": ["make", "test"]},
    }
    return RunRecord(id=key, **{**known, **fields})


def an_attempt(key: str = "a1", **fields: Any) -> Attempt:
    known: dict[str, Any] = {
        "run": "r1",
        "plan": "api",
        "number": 1,
        "digest": "d" * 64,
        "priority": 50,
        "branch": "plan/api",
        "created_at": AT,
    }
    return Attempt(id=key, **{**known, **fields})


def an_entry(key: str = "e1", **fields: Any) -> Entry:
    known: dict[str, Any] = {
        "plan": "api",
        "branch": "plan/api",
        "target": "main",
        "head": "1" * 40,
        "base": "2" * 40,
        "queued_at": AT,
        "sequence": 0,
    }
    return Entry(id=key, **{**known, **fields})


def a_verdict(key: str = "v1", **fields: Any) -> Verdict:
    known: dict[str, Any] = {
        "tree": "t1",
        "command": "make test",
        "environment": "env",
        "commit": "c" * 40,
        "passed": True,
        "exit_code": 0,
        "started_at": AT,
        "finished_at": AT,
        "seconds": 1.5,
        "log": "/logs/v1",
    }
    return Verdict(id=key, **{**known, **fields})


def an_intent(key: str = "i1", **fields: Any) -> Intent:
    known: dict[str, Any] = {
        "members": {"e1": "2" * 40},
        "target": "refs/heads/main",
        "old": "1" * 40,
        "new": "2" * 40,
        "epoch": "3" * 40,
        "created_at": AT,
    }
    return Intent(id=key, **{**known, **fields})


def a_slot(name: str = "slot-01", **fields: Any) -> Slot:
    known: dict[str, Any] = {"path": f"/pool/{name}", "purpose": "plan", "state": SlotState.FREE}
    return Slot(name=name, **{**known, **fields})


def a_wait(session: str = "s1", **fields: Any) -> LeaseWait:
    known: dict[str, Any] = {
        "name": "queue.main",
        "boot": "boot-1",
        "expires": 30.0,
        "asked_at": AT,
        "asked": 0.0,
    }
    return LeaseWait(session=session, **{"expires": 30.0, **known, **fields})
