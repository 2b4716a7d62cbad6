"""Lock files of git that are somebody else's: for how long they are waited for.

Nothing tells a git that is at work (a ``git commit -a`` keeps the index locked while its editor is open) from
one that was killed. So they are waited for, with the lock named in a stored reason, and not for ever.
"""

from __future__ import annotations

from typing import Final

LOCKED: Final = "locked"
"""The code of the stored reason."""
PATIENCE: Final = 600.0
"""Seconds. What the lock is in the way of stays in the queue afterwards, for ``resume`` or ``sync``."""
