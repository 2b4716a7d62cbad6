"""Work that somebody else's git wrote is made to survive a power cut before planctl promises anything of it.

git's own default syncs neither loose objects nor references (``core.fsync``), so a plan's ``git commit`` may
be lost with the machine, and what landed on top of it would be broken.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from plans.effects import sync_files

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.objects import Objects


def sync_work(git: Git, objects: Objects, branch: str, head: str, base: str) -> None:
    """Sync every loose object of ``base..head``, and the branch. Raises OSError, GitFailedError.

    Objects that are missing are the landing's business, which holds such work; a partial clone fetches none.
    """
    asked = ("rev-list", "--objects", "--no-object-names", "--missing=allow-any", "--end-of-options")
    objects.sync_loose(git.run(*asked, head, f"^{base}").text.split())
    reference = git.repository.common_dir / "refs" / "heads" / branch
    with contextlib.suppress(FileNotFoundError):  # it is packed, perhaps this moment, and git syncs packs
        sync_files(reference)
