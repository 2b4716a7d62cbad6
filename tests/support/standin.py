"""A script that stands before git in PATH, to kill it or to count it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def before_git(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every ``git`` run ``script`` (sh) first; unless that ends, the real one goes on.

    ``folder`` is made, for the script alone.
    """
    real = shutil.which("git")
    assert real is not None
    folder.mkdir()
    stand_in = folder / "git"
    stand_in.write_text(f'#!/bin/sh\n{script}\nexec "{real}" "$@"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
