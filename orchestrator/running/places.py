"""Where supervisors keep the records of what they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def records_root(state_dir: Path) -> Path:
    """The folder that holds a record folder for each command, inside planctl's own of the repository."""
    return state_dir / "records"


def record_folder(state_dir: Path, name: str) -> Path:
    """The record folder of one command, named as its ``CommandSpec.attempt``."""
    return records_root(state_dir) / name
