"""The command line in this process, exit code and both streams as a shell would see them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from orchestrator.cli import main as frame


class Said:
    """What one call of planctl said."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @property
    def data(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def planctl(*arguments: str, repo: Path | None = None) -> Said:
    """Run ``planctl --repo REPO ARGUMENTS`` from the home folder.

    What is not an exit is raised, as a bug of the frame.
    """
    where = ["--repo", str(repo)] if repo else []
    with contextlib.chdir(os.environ["HOME"]):  # never by accident in the repository that planctl is made in
        result = CliRunner().invoke(frame.cli, [*where, *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def add_command(monkeypatch: pytest.MonkeyPatch, command: click.Command) -> None:
    """Put ``command`` into the table for one test."""
    name = str(command.name)
    monkeypatch.setitem(frame.COMMANDS, name, (name, "only in a test"))  # type: ignore[misc]
    monkeypatch.setitem(sys.modules, f"orchestrator.cli.commands.{name}", SimpleNamespace(command=command))
