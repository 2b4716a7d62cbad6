"""The watchdog at work: it stands for election, sweeps now and then, and stands by while another one does."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from orchestrator.errors import LeaseLostError, SweepStoppedError
from orchestrator.leases.lease import holder_of
from orchestrator.screens import has_screen
from orchestrator.services.watchdog.election import LEASE, Tenure, paused, stand
from orchestrator.services.watchdog.report import Swept
from orchestrator.services.watchdog.sweep import Sweep
from orchestrator.sessions.death import living_session
from orchestrator.states import LIVING_SESSIONS
from plans.errors import PlanctlError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from orchestrator.leases.lease import HeldLease
    from orchestrator.services.watchdog.sweep import Post

EVERY: Final = 10.0
"""Seconds between two sweeps, and between two looks whether a watchdog is wanted."""


def is_turned_off(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user wants none that he did not start as one."""
    return environ.get("PLANCTL_WATCHDOG", "1").lower() in ("0", "off", "false")


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether a run is to have one beside it: not in CI, on a dumb terminal, or where it is turned off."""
    if is_turned_off(environ):
        return False
    return has_screen(environ)


class Watchdog:
    """One process's part in it; ``ended`` makes it stop before the next thing that it would do.

    ``hands`` is held while it sweeps, where others in this process mend things as well.
    """

    def __init__(
        self,
        post: Post,
        ended: threading.Event,
        tell: Callable[[Swept], None] = lambda _swept: None,
        hands: contextlib.AbstractContextManager[object] | None = None,
    ) -> None:
        self._post = post
        self._ended = ended
        self._tell = tell
        self._hands = hands or contextlib.nullcontext()
        self._held: HeldLease | None = None
        self._stays = True

    def once(self) -> Swept:
        """Exactly one sweep; where another watchdog is at work, or all are paused, none, and it says so.

        Raises LeaseLostError and SweepStoppedError when it was not finished; the next one goes on.
        """
        self._stays = False
        why = paused(self._post.store)
        if why is not None:
            return Swept(skipped=f"watchdogs are paused: {why}")
        if not self._is_watchdog():
            return Swept(skipped=f"the watchdog is {holder_of(self._post.store, LEASE)}")
        try:
            return self._sweep()
        finally:
            self._step_down()

    def watch(self, every: float = EVERY, *, until_idle: bool = False) -> None:
        """Sweep every so many seconds until ``ended`` is set, or (``until_idle``) nobody else works here."""
        try:
            while not self._ended.is_set() and self._post.session.is_alive():
                self._turn()
                if until_idle and self._is_alone():
                    return
                self._post.session.clock.wait(self._ended, every)
        finally:
            self._step_down()

    def stand_by(self, every: float = EVERY) -> None:
        """The same beside other work: stands for election at once, and sweeps first after a pause."""
        try:
            self._turn(sweeps=False)
            if not self._post.session.clock.wait(self._ended, every):
                self.watch(every)
        finally:
            self._step_down()

    def _turn(self, *, sweeps: bool = True) -> None:
        """A sweep, if this is the watchdog; what fails is told, and tried again with the next."""
        try:
            if paused(self._post.store) is None and self._is_watchdog() and sweeps:
                swept = self._sweep()
                if swept.found:
                    self._tell(swept)
        except SweepStoppedError:
            return  # the loop sees why
        except LeaseLostError as loss:
            self._post.log.say("taken-over", str(loss), "WARN")
            self._step_down()
        except (PlanctlError, OSError) as error:
            self._post.log.trouble("sweep-failed", f"{type(error).__name__}: {error}")
            self._tell(Swept(failures=[f"{type(error).__name__}: {error}"]))

    def _is_watchdog(self) -> bool:
        if self._held is None:
            self._held = stand(self._post.session, self._post.store)
            if self._held is not None:
                self._say("watchdog-began")
        return self._held is not None

    def _sweep(self) -> Swept:
        assert self._held is not None, "only the watchdog sweeps"
        with self._hands:
            return Sweep(self._post, Tenure(self._held, self._post.store, self._ended)).go()

    def _step_down(self) -> None:
        if self._held is not None:
            self._say("watchdog-ended")
            self._held.release()
            self._held = None

    def _say(self, action: str) -> None:
        """When the watchdog changes; a single sweep is told by what it did."""
        if self._stays and self._held is not None:
            who = f"session {self._post.session.id}, pid {os.getpid()}, token {self._held.token}"
            self._post.log.say(action, who)

    def _is_alone(self) -> bool:
        store, own = self._post.store, self._post.session.id
        others = [s for s in store.sessions(LIVING_SESSIONS) if s.id != own]
        return not any(living_session(store, s.id) for s in others)
