"""Who commits, and whether their signature works: asked before a run starts, not at its end."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import GitFailedError, IdentityMissingError, SigningFailedError
from worktrees.settings import Settings

if TYPE_CHECKING:
    from worktrees.git import Git

# What git would write as it is: no control characters, nothing that it strips from the ends.
_PLAIN: Final = re.compile(r"(?=[^\s.,:;<>\"\\'])[^\x00-\x1f\x7f<>]*[^\s\x00-\x1f\x7f.,:;<>\"\\']")


def check_identity(git: Git) -> None:
    """Raise :class:`IdentityMissingError` when git cannot tell who the user is."""
    for variable in ("GIT_COMMITTER_IDENT", "GIT_AUTHOR_IDENT"):
        try:
            git.run("var", variable)
        except GitFailedError as error:
            raise IdentityMissingError(error.stderr) from error


def trial_signature(git: Git) -> None:
    """If commits are to be signed, sign one that nothing points to; raise :class:`SigningFailedError`."""
    if not wants_signature(Settings(git)):
        return
    git.ensure_desk()
    try:
        with step("identity.trial"):
            tree = git.run("hash-object", "-t", "tree", "-w", "--stdin", stdin=b"", writes=True).text
            git.run("commit-tree", "-S", "-m", "planctl: trial signature", tree, writes=True)
    except GitFailedError as error:
        raise SigningFailedError(error.stderr) from error


def wants_signature(settings: Settings) -> bool:
    """Whether the user has commits signed (``commit.gpgSign``), which ``commit-tree`` ignores."""
    return settings.is_true("commit.gpgsign")


def plain_committer(settings: Settings) -> tuple[str, str] | None:
    """Return (name, email) of the committer where they are set plainly; else None, and git must be asked.

    In git's order: environment, ``committer.*``, ``user.*``. A date from the environment, and an author of
    the user's that differs from the committer, are git's business.
    """
    if os.environ.get("GIT_COMMITTER_DATE") is not None or not _author_follows(settings):
        return None
    found = []
    for key in ("name", "email"):
        value = (
            os.environ.get(f"GIT_COMMITTER_{key.upper()}")  # an empty one: git decides, below
            or settings.get(f"committer.{key}")
            or settings.get(f"user.{key}")
        )
        if not value or not _PLAIN.fullmatch(value):
            return None
        found.append(value)
    return found[0], found[1]


def _author_follows(settings: Settings) -> bool:
    given = any(f"GIT_AUTHOR_{part}" in os.environ for part in ("NAME", "EMAIL", "DATE"))
    return not given and settings.get("author.name") is None and settings.get("author.email") is None
