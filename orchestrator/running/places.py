"""Where supervisors keep the records of what they run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_STAGE: Final = re.compile(r"(.+)-([0-9]{1,6})(?:\.([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class StageName:
    """The name of a stage's command: ``<attempt>-<number>``, and ``.<again>`` when it was deferred before."""

    attempt: str
    number: int
    again: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}-{self.number}" + (f".{self.again}" if self.again else "")

    @classmethod
    def parse(cls, name: str) -> StageName | None:
        """None for what is no stage: a set-up, a check."""
        found = _STAGE.fullmatch(name)
        return cls(found[1], int(found[2]), int(found[3] or 0)) if found else None


def records_root(state_dir: Path) -> Path:
    """The folder that holds a record folder for each command, inside planctl's own of the repository."""
    return state_dir / "records"


def record_folder(state_dir: Path, name: str) -> Path:
    """The record folder of one command, named as its ``CommandSpec.attempt``."""
    return records_root(state_dir) / name
