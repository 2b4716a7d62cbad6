"""Tokens of leases rise, also where a store is made for one that was lost, corrupt or deleted.

What has checked a token remembers the highest that it saw, and a new store knows of none. So beside the
store a file stays that says that there was one: the next store that is made begins its tokens at the
milliseconds since 1970, which no store gets to by granting, and above where the last one began, whatever the
wall clock says. Not promised: anything about a store that somebody has put back from a copy.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from plans.effects import step, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

FLOOR: Final = "lease-floor"
"""The value of the store that tokens of names without one begin above."""
_APART: Final = 1_000_000_000
"""How far apart stores begin at least: more than anybody was granted of one name."""


def next_floor(path: Path, now: str, *, is_lost: bool) -> int:
    """Where the tokens of a new store at ``path`` begin: 0 for the first; ``is_lost``: there was one."""
    record = path.with_name(f"tokens-of-{path.name}")  # not what `rm state.db*` takes along
    last = 0
    with contextlib.suppress(FileNotFoundError):
        last, is_lost = _read(record), True
    floor = max(int(datetime.fromisoformat(now).timestamp() * 1000), last + _APART) if is_lost else 0
    with step("store.tokens"):
        write_atomic(record, str(floor).encode())
    return floor


def _read(record: Path) -> int:
    try:
        return int(record.read_bytes())
    except ValueError:
        return 0  # spoiled: that there was a store is what counts
