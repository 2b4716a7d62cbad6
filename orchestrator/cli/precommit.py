"""What the commit hook asks: :func:`end`, with staged names on stdin, NUL after each.

Starts without click, git and all else that is heavy: each commit waits for it. Exit 0: go on; 7
(``worktrees.hooks.REFUSED``): refused. Either way stdout holds one line at most, for the hook to pass on.
What hangs is ended by the kernel, and the commit goes through.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

from orchestrator.bootstrap import open_readonly_store
from orchestrator.services.committing import refusal
from worktrees import repository

_REFUSED: Final = 7
_SECONDS: Final = 20


def end() -> NoReturn:
    """Answer and be gone: taking the interpreter down in order costs 10 ms, and nothing is open any more."""
    if hasattr(signal, "alarm"):
        signal.alarm(_SECONDS)
    code = main()
    sys.stdout.flush()
    os._exit(code)


def main() -> int:
    """Answer; whatever is broken lets the commit through, and is said."""
    names = [os.fsdecode(name) for name in sys.stdin.buffer.read().split(b"\0") if name]
    try:
        here = repository.find(Path.cwd())
        refused = refusal(here, names, lambda: open_readonly_store(here))
    except Exception as error:  # noqa: BLE001 - the one place that reports whatever comes
        _say(f"planctl: this commit was not compared with its plan: {error}")
        return 0
    if not refused:
        return 0
    _say(f"planctl: refused: {refused}; unstage it, or commit with --no-verify: submission will judge again")
    return _REFUSED


def _say(line: str) -> None:
    sys.stdout.buffer.write(" ".join(line.split()).encode("utf-8", "backslashreplace") + b"\n")
