"""Whose words the output of a stage is: an agent of ``planctl.yaml``, a program whose limits are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.agents.limits import program_of
from orchestrator.agents.profiles import profiles
from plans.project import ShareLimit

if TYPE_CHECKING:
    from plans.model import Run
    from plans.phrases import Phrase
    from plans.project import ProjectSettings


@dataclass(frozen=True, slots=True)
class Speaker:
    """``agent`` as it is called in ``planctl.yaml``, None for a plain command; ``profile`` None: unknown."""

    agent: str | None
    profile: str | None

    def shares_with(self, agent: str | None, profile: str | None, share: ShareLimit) -> bool:
        """Whether a limit that ``agent`` of ``profile`` met is this one's, too."""
        match share:
            case ShareLimit.PROFILE:
                return self.profile is not None and self.profile == profile
            case ShareLimit.AGENT:
                known = self.agent is not None or self.profile is not None
                return known and (self.agent, self.profile) == (agent, profile)
            case ShareLimit.NONE:
                return False


class Speakers:
    """Tells the speakers of one repository apart, by its settings."""

    def __init__(self, settings: ProjectSettings) -> None:
        self._agents = settings.agents
        self._profiles = profiles(settings.rate_limits_phrases)

    def speaker(self, run: Run) -> Speaker:
        """Who a command is: as it says itself, else as its agent is called, else its first program."""
        line = run.command or self._agents.get(run.agent or "", "")
        named = run.agent if run.agent in self._profiles else None
        profile = run.profile or named or program_of(line, self._profiles) or run.agent
        return Speaker(run.agent, profile)

    def phrases(self, speaker: Speaker) -> tuple[Phrase, ...]:
        """What it says when it met a limit; none where it is not known."""
        return self._profiles.get(speaker.profile or "", ())
