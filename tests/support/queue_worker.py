"""A process that does nothing but drain the queue of the repository it stands in, until SIGTERM."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from orchestrator.bootstrap import working
from orchestrator.services.queue import serve
from worktrees.repository import find

cancel = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: cancel.set())
with working(find(Path.cwd()), "queue") as (bench, session):
    print("ready", flush=True)
    serve(bench, session, cancel=cancel, once=False)
