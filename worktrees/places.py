"""Whether a remote is one place: what is pushed to it is what is read from it afterwards.

git lets a remote have several URLs, others to push to, and rules that rewrite them. A landing is believed
only where it can be seen, so such a remote is refused, unless both are the same path of the same host: people
read by https and push by ssh.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from worktrees.remoteerrors import SplitRemoteError

if TYPE_CHECKING:
    from worktrees.git import Git

_URL: Final = re.compile(r"(?:https?|ssh|git|git\+ssh)://(?:[^@/]*@)?([^/:]+)(?::\d+)?/(.+)")
_SHORT: Final = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!/)(.+)")


def require_one_place(git: Git, remote: str) -> None:
    """Raise :class:`SplitRemoteError` for a remote that is read from one place and pushed to another."""
    if _is_plainly_one(git, remote):
        return
    asked = ("remote", "get-url", "--all")
    urls = git.run(*asked, "--end-of-options", remote).text.splitlines()
    pushed = git.run(*asked, "--push", "--end-of-options", remote).text.splitlines()
    if len(urls) != 1 or len(pushed) != 1 or (urls != pushed and _place(urls[0]) != _place(pushed[0])):
        raise SplitRemoteError(remote, len(urls), len(pushed))


def _is_plainly_one(git: Git, remote: str) -> bool:
    settings = git.settings
    one = len(settings.every(f"remote.{remote}.url")) == 1
    return (
        one and not settings.every(f"remote.{remote}.pushurl") and not settings.named("url", "pushinsteadof")
    )


def _place(url: str) -> tuple[str, str]:
    """Host and path; for anything else than a host's path the whole text, which equals only itself."""
    found = _URL.fullmatch(url) or _SHORT.fullmatch(url)
    if found is None:
        return "", url
    return found.group(1).lower(), found.group(2).strip("/").removesuffix(".git")
