"""A user in the middle of a commit's message, with git's lock on the index held."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Final

from tests.support.repo import GitRepo

INDEX_LOCK: Final = ".git/index.lock"


@contextlib.contextmanager
def open_editor(repo: GitRepo) -> Iterator[Callable[[], None]]:
    """A ``git commit -a`` in the middle of its message; what is yielded closes the editor without one."""
    here, go = (repo.path.with_name(name) for name in ("here", "go"))
    os.mkfifo(here)
    os.mkfifo(go)
    editor = f"echo > '{here}'; cat '{go}'; false"
    process = subprocess.Popen(
        ["git", "commit", "-q", "-a"],
        cwd=repo.path,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GIT_EDITOR": f'sh -c "{editor}" -'},
    )
    here.read_text()
    assert (repo.path / INDEX_LOCK).exists()

    def close() -> None:
        if process.poll() is None:
            go.write_text("")
            process.wait()

    try:
        yield close
    finally:
        close()
