"""The coding agents whose own hooks planctl can be called by, as their makers document them (docs/hooks.md).

All three read the same shape: ``{"hooks": {EVENT: [{"hooks": [{"type": "command", …}]}]}}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from worktrees.hookscripts import HookKind

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS: Final = {"SessionStart": "start", "SessionEnd": "end"}
"""The agents' events, and what planctl is told; in the order in which entries are written."""


@dataclass(frozen=True, slots=True)
class Agent:
    """``folder`` is in the project and in the home; ``variable`` moves the one of the home."""

    name: str
    folder: str
    file: str
    variable: str | None
    timeout: int

    def settings(self, project: Path) -> Path:
        """The settings of a project, which a team may share."""
        return project / self.folder / self.file

    def own_settings(self, environment: Mapping[str, str]) -> Path:
        """The user's settings, for all projects."""
        moved = environment.get(self.variable, "") if self.variable else ""
        return (Path(moved) if moved else Path.home() / self.folder) / self.file

    def entry(self, event: str, made: str) -> dict[str, Any]:
        """The group that is written for ``event``. ``made`` is for the one who takes it out again."""
        handler = {"type": "command", "command": self.command(event, made), "timeout": self.timeout}
        return {"hooks": [handler]}

    def command(self, event: str, made: str) -> str:
        """One line for any shell, and the same on every machine: what it calls knows where planctl is.

        Outside a repository, and in one without that script, it does nothing. It has no ``$NAME``: Gemini
        puts variables of its own environment in their place.
        """
        call = f'exec sh "$1/hooks/{HookKind.SESSION}" {self.name} {EVENTS[event]}'
        found = f'[ ! -f "$1/hooks/{HookKind.SESSION}" ] || {call}'
        inner = f': {made}; set -- "$(git rev-parse --git-common-dir)"; {found}'
        return f"sh -c '{inner}' 2>/dev/null || true"


AGENTS: Final = {
    agent.name: agent
    for agent in (
        Agent("claude", ".claude", "settings.json", "CLAUDE_CONFIG_DIR", 3),
        Agent("codex", ".codex", "hooks.json", "CODEX_HOME", 3),  # of SessionEnd it allows no more than 3 s
        Agent("gemini", ".gemini", "settings.json", None, 3000),  # milliseconds
    )
}
