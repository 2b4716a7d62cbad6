"""How a notification is shown on this platform's desktop; None where nothing shows any."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from plans.systems import MACOS

if TYPE_CHECKING:
    from collections.abc import Mapping

_SESSIONS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
# The texts are arguments of the script, never part of it.
_APPLE_SCRIPT: Final = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)


def desktop_argv(
    title: str, text: str, environ: Mapping[str, str], *, urgent: bool
) -> tuple[str, ...] | None:
    """The program and its arguments. ``title`` must not begin with a dash."""
    path = environ.get("PATH")
    if MACOS:
        found = shutil.which("osascript", path=path)
        lines = [word for line in _APPLE_SCRIPT for word in ("-e", line)]
        return (found, *lines, title, text) if found else None
    found = shutil.which("notify-send", path=path)
    if found is None or not any(environ.get(name) for name in _SESSIONS):
        return None
    urgency = "critical" if urgent else "normal"
    return (found, "--app-name=planctl", f"--urgency={urgency}", "--", title, _without_markup(text))


def _without_markup(text: str) -> str:
    """A body may hold Pango markup: what looks like it is shown as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
