"""The log of an unexpected fault: all that a report of a bug needs, in one file of its own."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import __version__
from plans.effects import step

if TYPE_CHECKING:
    from collections.abc import Iterator


def write_log(error: BaseException, state_dir: Path | None) -> Path | None:
    """Write the log of ``error`` and return its path; None when no folder at all can be written.

    It goes to ``logs`` in planctl's folder of the repository, else to the folder for temporary files.
    Readable by its owner only: a traceback may hold what a command line held. The environment is left out.
    """
    text = "\n".join(_lines(error)).encode("utf-8", "backslashreplace")
    for folder in (state_dir / "logs" if state_dir else None, None):
        try:
            return _write(folder, text)
        except OSError:
            continue  # the next folder; None, and a line without a path, if there is none
    return None


def _write(folder: Path | None, text: bytes) -> Path:
    """Write into a new file of ``folder``, None for the one for temporary files; raises OSError."""
    with step("fault.log"):
        folder = folder or Path(tempfile.gettempdir())  # raises if a full disk lets it try none
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="fault-", suffix=".log", dir=folder)
        try:
            with os.fdopen(handle, "wb") as log:
                log.write(text)
        except OSError:
            Path(name).unlink()
            raise
    return Path(name)


def _lines(error: BaseException) -> Iterator[str]:
    yield f"planctl {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield f"command: {shlex.join(sys.argv)}"
    yield f"error: {type(error).__name__}: {error}"
    yield ""
    yield from (line.rstrip("\n") for line in traceback.format_exception(error))
    said = getattr(error, "stderr", None)
    if isinstance(said, str) and said.strip():
        yield "what git said:"
        yield said.rstrip("\n")
    yield ""
