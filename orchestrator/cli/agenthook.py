"""What the hooks of coding agents start, by ``planctl-session``: tells planctl that a session begins or ends.

Nobody reads what it prints, and nobody waits for it unless there is to be no background process (CI, a dumb
terminal). So the kernel ends it after some seconds, whatever it may hang on.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any, Final, NoReturn

_SECONDS: Final = {"now": 1, "later": 20}
_MOST_BYTES: Final = 1 << 16
_GOES_ON: Final = frozenset({"clear", "resume"})
"""Reasons for which a conversation ends and the agent goes on with another."""


def main() -> NoReturn:
    """``now|later AGENT start|end PID``, with the agent's event on stdin when it is later."""
    mode, agent, event, pid = sys.argv[1:]
    if hasattr(signal, "alarm"):
        signal.alarm(_SECONDS[mode])
    told: dict[str, Any] = {}
    if mode == "later":
        with contextlib.suppress(OSError, AttributeError):  # a leader already, or a system without sessions
            os.setsid()  # agents that go away take their process group along
        told = _told()
    if event == "end" and told.get("reason") in _GOES_ON:
        sys.exit(0)
    _speak_for(int(pid))
    _tell(["session", event, "--agent", agent, "--json"])


def _speak_for(agent: int) -> None:
    """Let the agent be the process above this one, to which planctl ties a session.

    The shells in between are gone by now, and whoever adopts orphans here has taken their place.
    """
    os.getppid = lambda: agent


def _tell(line: list[str]) -> NoReturn:
    from orchestrator.cli.main import cli  # noqa: PLC0415 - after the alarm is set

    cli.main(line)


def _told() -> dict[str, Any]:
    """The agent's event; empty where it is none. An agent that never closes its end is waited for in vain."""
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(sys.stdin.buffer.read(_MOST_BYTES))
        return told if isinstance(told, dict) else {}
    return {}
