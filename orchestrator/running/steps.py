"""Named steps for the supervisor: those of ``plans.effects``, imported only when a test asks for them."""

from __future__ import annotations

import os

from orchestrator.running.lean import Ignoring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Final

_ARMED: Final = any(os.environ.get(f"PLANCTL_{name}") for name in ("KILL_AT", "FAIL_AT", "STEP_TRACE"))


def step(name: str) -> AbstractContextManager[None]:
    """See :func:`plans.effects.step`."""
    if not _ARMED:
        return Ignoring()
    from plans.effects import step as armed  # noqa: PLC0415 - 10 ms and 1 MB that no supervisor should pay

    return armed(name)
