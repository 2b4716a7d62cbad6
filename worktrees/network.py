"""git children that talk to a remote: bounded in time, asking nobody, and standing in nobody's way.

Promise: each ends within its time. After that the child and what it started get SIGTERM, upon which git takes
its lock files and half-written packs away, and SIGKILL some seconds later. Not promised: that what it was
told to do was not done; whoever pushes looks afterwards (see ``orchestrator/merging/publishing.py``).

Nobody is asked for a password or whether a host is known: ssh is told so, unless the user has chosen the
command, and git itself by its environment. What the user has set up (helpers, keys, tokens, proxies) is used.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from worktrees.errors import GitFailedError, said
from worktrees.git import GitResult
from worktrees.places import require_one_place
from worktrees.remoteerrors import RemoteUnreachableError, UnknownRemoteError

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.conversation import Conversation
    from worktrees.git import Git

LOOK: Final = 60.0
"""Seconds for a look at a remote's references, at most."""
_GRACE: Final = 5.0
_SSH: Final = "ssh -oBatchMode=yes -oConnectTimeout=30 -oServerAliveInterval=15 -oServerAliveCountMax=4"


def require_remote(git: Git, remote: str) -> None:
    """Raise :class:`UnknownRemoteError` unless the repository has a remote of that name.

    And SplitRemoteError for one that is not one place.
    """
    if remote not in git.settings.named("remote", "url"):
        raise UnknownRemoteError(remote, tuple(sorted(git.settings.named("remote", "url"))))
    require_one_place(git, remote)


def talk(
    git: Git, remote: str, *arguments: str, seconds: float, definite: tuple[int, ...] = (0,)
) -> GitResult:
    """Run ``git ARGUMENTS``, which talks to ``remote``, for at most ``seconds``.

    Raises :class:`RemoteUnreachableError` for an exit status that is not in ``definite``.
    """
    require_remote(git, remote)
    conversation = git.converse(*_settings(git), *arguments, stand_in=_top(git))
    try:
        status, output, messages = _told(conversation, seconds)
    finally:
        conversation.close()
    if status not in definite:
        raise RemoteUnreachableError(remote, said(messages))
    return GitResult(status, output, messages)


def _top(git: Git) -> Path:
    """Where git itself would read the relative URL of a remote from."""
    top = git.repository.primary_top
    return top if top is not None and top.is_dir() else git.repository.common_dir


def _settings(git: Git) -> tuple[str, ...]:
    chosen = git.settings.get("core.sshcommand") or {"GIT_SSH", "GIT_SSH_COMMAND"} & os.environ.keys()
    return () if chosen else ("-c", f"core.sshCommand={_SSH}")


def _told(conversation: Conversation, seconds: float) -> tuple[int, bytes, str]:
    with conversation.writing():
        told = conversation.listen(seconds)
        if told is not None:
            return told
        for number in (signal.SIGTERM, signal.SIGKILL):
            conversation.signal(number)
            told = conversation.listen(_GRACE)
            if told is not None:
                return -number, told[1], f"fatal: no end after {seconds:g} s"
    raise GitFailedError(("remote",), -signal.SIGKILL, "it does not end")
