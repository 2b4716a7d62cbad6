"""Write the commits that planctl makes, as the user: identity, signature, UTF-8.

Where nothing but a plain identity is asked for, the commit is written in process, byte for byte as
``commit-tree`` would (a test compares them); signatures, dates from the environment and identities that git
has to guess are left to ``git commit-tree``, with ``-S`` because it ignores ``commit.gpgSign``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plans.effects import step
from worktrees.commit import Author, CommitText
from worktrees.errors import GitFailedError, SigningFailedError
from worktrees.identity import plain_committer, wants_signature

if TYPE_CHECKING:
    from worktrees.git import Git
    from worktrees.objects import Objects


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit to be made. Without ``author`` it is the user's own; the committer always is the user."""

    tree: str
    parents: tuple[str, ...]
    message: str
    author: Author | None = None


def write_commit(git: Git, objects: Objects, draft: Draft) -> str:
    """Write a commit durably and return its id.

    Raises :class:`SigningFailedError`, or :class:`GitFailedError` (no identity, for one).
    """
    signed = wants_signature(objects.settings)
    plain = None if signed else plain_committer(objects.settings)
    if plain is None:
        objects.flush()
        return _by_git(git, draft, signed=signed)
    committer = Author(*plain, *objects.now())
    text = CommitText(draft.tree, draft.parents, draft.author or committer, committer, _ended(draft.message))
    return objects.write_commit(text)


def _ended(message: str) -> str:
    return message.replace("\0", "").rstrip("\n") + "\n"


def _by_git(git: Git, draft: Draft, *, signed: bool) -> str:
    git.ensure_desk()
    command = ["-c", "i18n.commitEncoding=UTF-8", "commit-tree", *(("-S",) if signed else ())]
    for parent in draft.parents:
        command += ["-p", parent]
    extra = {}
    if draft.author is not None:
        line = draft.author.line()
        extra = {
            "GIT_AUTHOR_NAME": draft.author.name
            or draft.author.email
            or "unknown",  # git refuses an empty one
            "GIT_AUTHOR_EMAIL": draft.author.email,
            "GIT_AUTHOR_DATE": "@" + line[line.rindex(">") + 2 :],
        }
    stdin = _ended(draft.message).encode("utf-8", "surrogateescape")
    try:
        with step("writer.commit"):
            return git.run(*command, "-F", "-", draft.tree, stdin=stdin, extra=extra, writes=True).text
    except GitFailedError as error:
        if signed:
            raise SigningFailedError(error.stderr) from error
        raise
