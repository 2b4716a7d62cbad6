"""Whether a person may be looking on: decided here for all that is shown, asked or left in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.systems import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Mapping

_OFF: Final = ("", "0", "false")
_DUMB: Final = ("", "dumb")


def has_screen(environ: Mapping[str, str]) -> bool:
    """Whether this is no CI, and a terminal that says what it is and can do more than print lines.

    It is not asked whether anything is connected to one. Windows names none: it can, there.
    """
    if environ.get("CI", "").lower() not in _OFF:
        return False
    return environ.get("TERM", "windows" if WINDOWS else "") not in _DUMB
