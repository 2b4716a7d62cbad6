"""Who commits, and whether their signature works: asked before a run starts, not at its end."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import GitRefusedError, IdentityMissingError, SigningFailedError

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.settings import Settings

_SPECIAL: Final = tuple(
    f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL", "DATE")
)
_APART: Final = tuple(f"{who}.{what}" for who in ("author", "committer") for what in ("name", "email"))
# What git would write as it is: no control characters, nothing that it strips from the ends.
_PLAIN: Final = re.compile(r"(?=[^\s.,:;<>\"\\'])[^\x00-\x1f\x7f<>]*[^\s\x00-\x1f\x7f.,:;<>\"\\']")


def check_identity(git: Git) -> None:
    """Raise :class:`IdentityMissingError` when git cannot tell who the user is."""
    for variable in ("GIT_COMMITTER_IDENT", "GIT_AUTHOR_IDENT"):
        try:
            git.run("var", variable)
        except GitRefusedError as error:
            raise IdentityMissingError(error.stderr) from error


def trial_signature(git: Git) -> None:
    """If commits are to be signed, sign one that nothing points to; raise :class:`SigningFailedError`."""
    if not wants_signature(git.settings):
        return
    git.ensure_desk()
    try:
        with step("identity.trial"):
            tree = git.run("hash-object", "-t", "tree", "--stdin", stdin=b"").text
            git.run("commit-tree", "-S", "-m", "planctl: trial signature", tree, writes=True)
    except GitRefusedError as error:
        raise SigningFailedError(error.stderr) from error


def wants_signature(settings: Settings) -> bool:
    """Whether the user has commits signed (``commit.gpgSign``), which ``commit-tree`` ignores."""
    return settings.is_true("commit.gpgsign")


def plain_committer(settings: Settings) -> tuple[str, str] | None:
    """Return (name, email) of the user where ``user.*`` says it plainly; else None, and git must be asked.

    An environment or setting that names author, committer or date apart from that is git's business.
    """
    if any(name in os.environ for name in _SPECIAL):
        return None
    *others, name, email = (value or "" for value in settings.several(*_APART, "user.name", "user.email"))
    if any(others):
        return None
    return (name, email) if _PLAIN.fullmatch(name) and _PLAIN.fullmatch(email) else None
