"""SIGINT and SIGTERM while a run goes on: the first ends it in order, further ones change nothing (S0.5).

A handler runs between two instructions of the main thread, which may hold a lock or be in the middle of a
write. So it raises nothing and takes no lock: it notes the signal and sets events made of pipes. What it asks
for is done where the main thread looks: before anything is stored (:meth:`Interrupts.check`), and by the
loop. The handlers stay until leases are released and the store is closed.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Final, Self

from orchestrator.errors import InterruptedRunError, SignalledError
from orchestrator.scheduling.loop import Signals

if TYPE_CHECKING:
    from types import TracebackType

_HANDLED: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Catches the signals while it is entered; to be entered before a session is started.

    ``signals`` is what a conductor is given; ``caught`` is the number of the first signal. A signal that was
    ignored when planctl started (``nohup``, ``&`` in a script) stays ignored.
    """

    def __init__(self) -> None:
        self.signals = Signals()
        self.caught: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in _HANDLED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After a signal the process is about to end, and a further one must not break into that."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.caught else handler)

    def _stop(self, number: int, _frame: Any) -> None:
        if self.caught is None:
            self.caught = number
        self.signals.stop.set()
        self.signals.wake.set()

    def check(self) -> None:
        """Raise SignalledError if there was a signal: nothing has been started yet."""
        if self.caught is not None:
            raise SignalledError(self.caught)

    def check_run(self, run: str) -> None:
        """Raise InterruptedRunError if there was a signal: the run was ended in order."""
        if self.caught is not None:
            raise InterruptedRunError(self.caught, run)
