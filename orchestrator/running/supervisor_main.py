"""The program of a supervisor: ``python -I -S supervisor_main.py READY_DESCRIPTOR ATTEMPT``.

A script only finds its way to the packages; what it does is in ``supervisor.py``, which Python keeps
compiled. Isolated and without site-packages it sees the standard library first, then planctl's own packages.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.append(__file__.replace("\\", "/").rsplit("/", 3)[0])
    from orchestrator.running.supervisor import main

    main(int(sys.argv[1]))
