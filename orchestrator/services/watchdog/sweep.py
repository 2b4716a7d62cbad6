"""One sweep: what crashed sessions left is ended, kept, and given back.

1. look: every session, and whether its process is proven gone; every process that carries a command's mark
2. decide (:mod:`.cases`)
3. what processes of such sessions still live are ended, whole trees: TERM, then KILL
4. uncommitted work in the worktrees where they had tasks, or that were their own, is captured
5. runs, attempts, commands and slots that nobody is in charge of are put right, as ``doctor --fix`` does
6. in one transaction, which makes sure first that this is still the watchdog: the sessions are ended, their
   leases, tasks and places in lines given back, and that they were looked after is noted
7. what living agents have running is noted, for the day when one of them crashes

Processes go before leases: what a dead holder still has at work would meet the next one's. Every step may be
done twice, and nothing is noted before it is done: a sweep that was killed is finished by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.errors import LeaseLostError, SweepStoppedError
from orchestrator.events import MANY_ENDED, EventName
from orchestrator.running.families import Family, known_process, own_line
from orchestrator.running.supervision import marked_processes
from orchestrator.services.orphans import is_anything_orphaned
from orchestrator.services.watchdog.cases import Scene, Why, cases, has_come_back, roots
from orchestrator.services.watchdog.noticing import is_told_of, notice, own_process
from orchestrator.services.watchdog.report import Swept
from orchestrator.sessions.cleanup import reap, worktrees_of
from orchestrator.sessions.death import is_dead
from orchestrator.states import LIVING_SESSIONS, SessionState
from plans.effects import step
from plans.errors import PlanctlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orchestrator.running.families import EndedProcess
    from orchestrator.services.watchdog.cases import Case
    from orchestrator.services.watchdog.election import Tenure
    from orchestrator.services.watchdog.log import CleanupLog
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.protocol import Store
    from orchestrator.store.records import Session
    from orchestrator.workbench import Workbench
    from worktrees.repository import Repository

GRACE: Final = 5.0
"""Seconds between TERM and KILL."""
_NAMED: Final = 20


@dataclass(frozen=True)
class Post:
    """Where a watchdog stands. ``bench`` makes the workbench, which needs git, when there is work for it."""

    repository: Repository
    session: SessionHandle
    store: Store
    bench: Callable[[], Workbench]
    log: CleanupLog
    grace: float = GRACE
    end_silent: bool = False


class Sweep:
    """One sweep, of the watchdog whose time is ``tenure``."""

    def __init__(self, post: Post, tenure: Tenure) -> None:
        self._post = post
        self._store = post.store
        self._clock = post.session.clock
        self._tenure = tenure
        self._swept = Swept()
        self._unsaved: set[str] = set()

    def go(self) -> Swept:
        """Do it, and return what was done. Raises SweepStoppedError and LeaseLostError, the rest undone."""
        self._tenure.check()
        sessions = self._store.sessions()
        found = cases(self._scene(sessions))
        self._guarded("processes", partial(self._end_processes, found))
        for case in found:
            for worktree in self._left_in(case):
                self._guarded(f"session {case.session.id}", partial(self._rescue, case, worktree))
        marked = marked_processes()
        if is_anything_orphaned(self._store, self._post.repository.state_dir, marked):
            self._guarded("orphans", self._mend)
        self._tell_of_many()
        self._give_back(found)
        living = self._store.sessions(LIVING_SESSIONS)
        notice(self._store, living, self._tenure.check)
        if self._post.log.failure:
            self._swept.failures.append(self._post.log.failure)
        return self._swept

    def _scene(self, sessions: Sequence[Session]) -> Scene:
        boot = self._clock.boot()
        living = [s for s in sessions if s.state is not SessionState.ENDED]
        dead = {s.id for s in living if is_dead(self._store, s, boot)}
        silent = self._silent(s for s in living if s.id not in dead) if self._post.end_silent else set()
        return Scene(sessions, dead, self._clock.monotonic(), boot, silent)

    def _silent(self, living: Iterable[Session]) -> set[str]:
        """Those that may be ended when they are not heard of: a person's shell never is."""
        own = own_line()
        told = (s for s in living if is_told_of(s) and s.pid not in own)
        return {session.id for session in told if own_process(session) is not None}

    def _guarded(self, what: str, work: Callable[[], None]) -> None:
        """Do ``work``; what fails of it is told, and keeps nothing else from being done."""
        self._tenure.check()
        try:
            work()
        except (LeaseLostError, SweepStoppedError):
            raise
        except (PlanctlError, OSError) as error:
            self._fail(what, str(error))

    def _fail(self, what: str, why: str) -> None:
        self._swept.failures.append(f"{what}: {why}")
        self._post.log.trouble("not-put-right", f"{what}: {why}")

    def _end_processes(self, found: Sequence[Case]) -> None:
        """Those of all sessions at once: they share one grace."""
        proven = [
            (process, case.session.id)
            for case in found
            for pid, began in roots(case)
            if (process := known_process(pid, began, case.session.boot, case.session.host)) is not None
        ]
        if not proven:
            return
        over = {case.session.id for case in found}
        living = self._store.sessions(LIVING_SESSIONS)
        family = Family(proven, {s.pid for s in living if s.id not in over})
        whose = {key for _, key in proven}
        check = partial(self._require_left, [case for case in found if case.session.id in whose])
        with step("watchdog.end-processes"):
            for ended in family.end(self._post.grace, self._rest, check):
                self._note_process(ended)

    def _require_left(self, found: Sequence[Case]) -> None:
        """Raise unless this still is the watchdog, and nobody has come back to what he left."""
        self._tenure.check()
        now, boot = self._clock.monotonic(), self._clock.boot()
        for case in found:
            if has_come_back(case, self._store.session(case.session.id), now=now, boot=boot):
                why = f"session {case.session.id} came back; the next sweep looks anew"
                self._post.log.say("sweep-stopped", why)
                raise SweepStoppedError(why)

    def _rest(self, seconds: float) -> None:
        self._clock.wait(self._tenure.ended, seconds)

    def _note_process(self, process: EndedProcess) -> None:
        self._swept.processes.append(process)
        said = f"{process.name} (pid {process.pid}) of {process.whose}"
        if process.is_gone:
            self._post.log.say("process-ended", said)
        else:
            self._fail("process", f"{said} could not be ended")

    def _left_in(self, case: Case) -> Sequence[str]:
        """The worktrees where it worked; of one that was ended before, those that nobody has looked after."""
        session, ended = case.session, case.session.state is SessionState.ENDED
        return sorted({*session.left_behind, *(() if ended else worktrees_of(self._store, session))})

    def _rescue(self, case: Case, worktree: str) -> None:
        from orchestrator.services.watchdog.rescuing import rescue_at  # noqa: PLC0415 - git, only now

        self._unsaved.add(case.session.id)
        with step("watchdog.rescue"):
            reference, failure = rescue_at(self._post.bench(), worktree)
        self._unsaved.discard(case.session.id)
        if reference is not None:
            self._swept.rescues.append(reference)
            self._post.log.say("work-rescued", f"{worktree} as {reference}")
        if failure:
            self._fail(f"session {case.session.id}", failure)

    def _mend(self) -> None:
        from orchestrator.services.watchdog.mending import mend  # noqa: PLC0415 - git, only now

        for done in mend(self._post.bench(), self._post.session, self._tenure.check):
            for process in done.processes:
                self._note_process(process)
            if done.failure:
                self._fail(f"{done.code} {done.subject}", done.failure)
            else:
                self._swept.mended.append((done.code, done.subject))
                self._post.log.say(done.code, f"{done.subject} was put right")

    def _tell_of_many(self) -> None:
        ended = self._swept.ended()
        if len(ended) <= MANY_ENDED:
            return
        names = [f"{process.name} (pid {process.pid})" for process in ended[:_NAMED]]
        self._store.emit(
            EventName.WATCHDOG_ENDED_MANY,
            at=self._clock.now(),
            session=self._post.session.id,
            count=len(ended),
            processes=names,
        )
        self._post.log.say("ended-many", f"{len(ended)} processes: {', '.join(names)}", "WARN")

    def _give_back(self, found: Sequence[Case]) -> None:
        """Step 6. What other cleaners have ended meanwhile is ended; nothing is told twice."""
        lock = self._post.repository.state_dir / "cleanup.lock"
        with step("watchdog.give-back"), self._store.transaction():
            self._tenure.check()
            reaped = reap(self._store, self._clock, lock)
            for case in found:
                self._settle(case.session.id)
        whys = {case.session.id: case.why for case in found}
        for session in reaped.ended:
            self._swept.sessions.append(session.id)
            who = f"{session.kind}, pid {session.pid} on {session.host}"
            self._post.log.say("session-ended", f"{session.id} ({who}): {whys.get(session.id, Why.DEAD)}")
        for lease in reaped.released:
            self._swept.leases.append(lease.name)
            self._post.log.say("lease-given-back", f"{lease.name} of {lease.session}, token {lease.token}")

    def _settle(self, key: str) -> None:
        """What it left has been looked after; nothing of a session that somebody has come back to."""
        now = self._store.session(key)
        if now is not None and now.state is SessionState.ENDED:
            left = now.left_behind if key in self._unsaved else ()
            self._store.update_session(now, children=(), left_behind=left)
