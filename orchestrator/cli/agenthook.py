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


def main() -> NoReturn:
    """``now|later AGENT start|end [PID]``, with the agent's event on stdin when it is later."""
    mode, agent, event, *pid = sys.argv[1:]
    if hasattr(signal, "alarm"):
        signal.alarm(_SECONDS[mode])
    told: dict[str, Any] = {}
    if mode == "later":
        with contextlib.suppress(OSError, AttributeError):  # a leader already, or a system without sessions
            os.setsid()  # agents that go away take their process group along
        told = _told()
    if event == "end" and told.get("reason") == "clear":
        sys.exit(0)  # the conversation ends, the agent goes on
    _tell(arguments(agent, event, pid))


def arguments(agent: str, event: str, pid: list[str]) -> list[str]:
    """The command line of planctl."""
    if event == "start":
        return ["session", "start", "--agent", agent, *(f"--pid={number}" for number in pid), "--json"]
    return ["session", "end", *(f"--pid={number}" for number in pid), "--json"]


def _tell(line: list[str]) -> NoReturn:
    from orchestrator.cli.main import cli  # noqa: PLC0415 - after the alarm is set

    cli.main(line)


def _told() -> dict[str, Any]:
    """The agent's event; empty where it is none. An agent that never closes its end is waited for in vain."""
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(sys.stdin.buffer.read(_MOST_BYTES))
        return told if isinstance(told, dict) else {}
    return {}
