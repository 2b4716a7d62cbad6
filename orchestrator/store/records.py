"""What the store remembers, as frozen values. Times are ISO 8601 UTC; ``version`` guards every write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.states import AttemptState, EntryState, IntentState, RunState, SessionState, SlotState
from orchestrator.store.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Session(Record):
    """A living process that does work. Identity is (pid, process_started); ``expires`` is monotonic.

    ``labels`` are what it can do, ``children`` the processes of its own, ``{pid, started}``: those that it
    told of, and those that a watchdog saw below it. ``worktree`` is the one of its own where a named agent
    works. ``left_behind`` are that and those in which it had tasks when it was found dead. Children and what
    is left behind are emptied once what is left of it has been looked after.
    """

    id: str
    kind: str
    pid: int
    process_started: float
    host: str
    boot: str
    started_at: str
    heartbeat_at: str
    expires: float
    state: SessionState = SessionState.ACTIVE
    parent_pid: int = 0
    terminal: str = ""
    task: str = ""
    note: str = ""
    ended_at: str | None = None
    agent: str = ""
    container: str = ""
    labels: tuple[str, ...] = ()
    children: tuple[Mapping[str, Any], ...] = ()
    left_behind: tuple[str, ...] = ()
    worktree: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Message(Record):
    """One session tells another something; ``read_at`` is None until the receiver has had it."""

    at: str
    sender: str
    receiver: str
    text: str
    read_at: str | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RunRecord(Record):
    """One ``run-multi``; ``frozen`` is the commit under ``refs/planctl/runs/<id>`` with the plan files.

    ``plans`` are the ids in it, ``options`` what it was called with (JSON values).
    """

    id: str
    session: str
    started_at: str
    frozen: str
    target: str
    plans: tuple[str, ...]
    options: Mapping[str, Any]
    state: RunState = RunState.ACTIVE
    finished_at: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Attempt(Record):
    """One execution of one plan in a run. ``number`` counts from 1 within (run, plan).

    ``reason`` is JSON: ``{"code": "overlap", "plan": "api", "detail": "src/a.py"}`` for a wait, and for a
    failure what happened. ``base`` is the commit it started from, ``stacked_on`` the pinned commits merged
    into that base; ``head`` its finished work. ``digest`` names the plan's text (see plans.model). ``holds``
    are its rows of the resource table, ``{"resource", "amount", "until"}``, which count while it is at work.
    ``deferral`` says until when its command asked to wait, and how often (see scheduling.deferral).
    """

    id: str
    run: str
    plan: str
    number: int
    digest: str
    priority: float
    branch: str
    created_at: str
    state: AttemptState = AttemptState.PENDING
    reason: Mapping[str, Any] = field(default_factory=dict)
    slot: str | None = None
    worktree: str | None = None
    base: str | None = None
    stacked_on: tuple[str, ...] = ()
    head: str | None = None
    entry: str | None = None
    landed_commit: str | None = None
    supervisor: str | None = None
    exit_code: int | None = None
    drift: tuple[str, ...] = ()
    counted: bool = True
    started_at: str | None = None
    finished_at: str | None = None
    holds: tuple[Mapping[str, Any], ...] = ()
    deferral: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Entry(Record):
    """A branch head in the merge queue; ``id`` is its landing key (see ``submitting/key.py``).

    ``base`` is the commit its own work starts from, ``explicit_base`` says that the work must be merged
    with exactly that merge base (stacked work). ``after`` are plans that must land first. ``sequence`` is
    when it came, ``arrival`` the sequence of the entry whose age in the queue it has taken over, 0 for its
    own; both survive a retry. ``method`` overrides the settings when not None. ``reads`` are the
    patterns of what its plan says it reads.
    """

    id: str
    plan: str | None
    branch: str
    target: str
    head: str
    base: str
    queued_at: str
    sequence: int
    priority: float = 50
    state: EntryState = EntryState.QUEUED
    explicit_base: bool = False
    after: tuple[str, ...] = ()
    check: str | None = None
    method: str | None = None
    reads: tuple[str, ...] = ()
    run: str | None = None
    attempt: str | None = None
    candidate: str | None = None
    tree: str | None = None
    landed_commit: str | None = None
    unchecked: bool = False
    reason: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    finished_at: str | None = None
    arrival: int = 0
    version: int = 0

    @property
    def age(self) -> int:
        """Its place among all arrivals; less is older."""
        return self.arrival or self.sequence


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Verdict(Record):
    """What a check said of one exact tree. ``passed`` None: no verdict (infrastructure), nobody is blamed."""

    id: str
    tree: str
    command: str
    environment: str
    commit: str
    passed: bool | None
    exit_code: int | None
    started_at: str
    finished_at: str
    seconds: float
    log: str
    tainted: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Intent(Record):
    """A landing about to be made, stored durably before the references move.

    ``members`` maps each entry that lands to the commit that its landed reference is to name. ``old`` and
    ``new`` are the target's commits, ``epoch`` the object the epoch reference must name, ``checkouts`` the
    git folders of the checkouts that follow.
    """

    id: str
    members: Mapping[str, str]
    target: str
    old: str
    new: str
    epoch: str
    created_at: str
    checkouts: tuple[str, ...] = ()
    state: IntentState = IntentState.OPEN
    version: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Slot(Record):
    """A worktree of the pool: a stable folder, reused from plan to plan. ``purpose``: plan or check."""

    name: str
    path: str
    purpose: str
    state: SlotState
    session: str | None = None
    attempt: str | None = None
    plan: str | None = None
    detail: str = ""
    changed_at: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PhaseDone(Record):
    """A completed phase of a plan and the commit that is pinned for it."""

    plan: str
    phase: str
    attempt: str
    commit: str
    at: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StoredEvent(Record):
    """One line of the log of what happened; ``sequence`` rises by one."""

    sequence: int
    ts: str
    event: str
    run: str | None
    plan: str | None
    data: Mapping[str, Any]
