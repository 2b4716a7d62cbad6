"""What a store remembers of its own origin: whether it was looked at, and what was rebuilt into it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from orchestrator.store.protocol import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.protocol import Store

LOOKED: Final = "store.looked"
"""Set when the store has been compared with what git tells, or was found to have records of its own."""
REBUILT: Final = "store.rebuilt"
"""JSON of what was rebuilt: ``aside`` (the old store or null), ``sentence``, ``unknown``."""


def is_needed(store: Store) -> bool:
    """Whether nobody has looked at this store yet, or it stands for one that was set aside."""
    return store.value(LOOKED) is None or store.value(SET_ASIDE) is not None


def what_was_rebuilt(store: Store) -> tuple[str | None, str, Sequence[str]] | None:
    """Where the old store lies (if it does), what was rebuilt, and what is not known; None: nothing was."""
    text = store.value(REBUILT)
    if text is None:
        return None
    said = json.loads(text)
    return said["aside"], said["sentence"], said["unknown"]
