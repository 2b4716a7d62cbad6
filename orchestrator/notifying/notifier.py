"""Beside the work of a command: a thread for each channel, so that none waits for another, nor the work.

Nothing of it stays behind when the command ends: what is then still to be sent has :data:`LAST_WORDS`
seconds, and what is left is sent by the next command that works here, if that comes within an hour.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Final

from orchestrator.notifying.log import NotifyLog
from orchestrator.notifying.outbox import Outbox
from orchestrator.notifying.sending import Post, Sender
from plans.errors import PlanctlError
from plans.notify import Channel, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench

LOOK: Final = 0.5
"""Seconds between two looks for events."""
LAST_WORDS: Final = 5.0
OFF: Final = ("none", "off", "false", "no", "0")
SETTING: Final = "planctl.notify"
"""The user's own git setting: which channels are used, by name, or none; ``desktop`` needs no entry."""


def chosen(channels: Mapping[str, Channel], wanted: Sequence[str]) -> dict[str, Channel]:
    """The channels that the user wants of those of the repository; all where he says nothing."""
    names = [name for value in wanted for name in value.replace(",", " ").split()]
    if not names:
        return dict(channels)
    known = {"desktop": Channel(Way.DESKTOP), **channels}
    return {name: known[name] for name in names if name in known and name.lower() not in OFF}


@contextlib.contextmanager
def notifying(bench: Workbench) -> Iterator[None]:
    """Tell of what happens while the body works, and of what it leaves to be told."""
    channels = chosen(bench.settings.project.notify, bench.git.settings.every(SETTING))
    if not channels:
        yield
        return
    notifier = Notifier(bench, channels)
    notifier.start()
    try:
        yield
    finally:
        notifier.stop()


class Notifier:
    """The threads of one command."""

    def __init__(self, bench: Workbench, channels: Mapping[str, Channel]) -> None:
        self._bench = bench
        self._channels = channels
        self._log = NotifyLog(bench.repository.state_dir, bench.clock)
        self._ended = threading.Event()
        self._deadline: float | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(name,), name=f"notify {name}", daemon=True)
            for name in channels
        ]

    def start(self) -> None:
        """Begin with what happens from now on, or where the last one stopped."""
        try:
            Outbox(self._bench.store, self._bench.clock, self._channels).begin()
        except (PlanctlError, OSError) as error:  # the work must not end for it; the threads try again
            self._tell("all", error)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send what is left, within :data:`LAST_WORDS`."""
        self._deadline = self._bench.clock.monotonic() + LAST_WORDS
        self._ended.set()
        for thread in self._threads:
            thread.join(max(0.0, self._time_left() + 1.0))

    def _time_left(self) -> float:
        deadline = self._deadline
        return LAST_WORDS if deadline is None else deadline - self._bench.clock.monotonic()

    def _run(self, name: str) -> None:
        """The thread of one channel. A store or a disk that refuses is told in the log, and asked again."""
        while True:
            try:
                with contextlib.closing(self._bench.stores()) as store:
                    self._serve(name, store)
            except (PlanctlError, OSError) as error:
                self._tell(name, error)
            if self._bench.clock.wait(self._ended, LOOK):
                return

    def _serve(self, name: str, store: Store) -> None:
        """Until the end, and once more then."""
        bench = self._bench
        post = Post(bench.repository, store, bench.clock, bench.session, os.environ, self._log)
        outbox = Outbox(store, bench.clock, self._channels)
        sender = Sender(name, self._channels[name], post, self._time_left)
        outbox.begin()
        is_last = False
        while not is_last:
            is_last = bench.clock.wait(self._ended, LOOK)
            outbox.fill()
            sender.round()

    def _tell(self, name: str, error: Exception) -> None:
        with contextlib.suppress(OSError):  # the disk that refuses may be that of the log
            self._log.say(name, "cannot be served", str(error))
