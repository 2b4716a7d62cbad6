"""What can go wrong with a remote, as types with fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.errors import PlanctlError
from worktrees.errors import GitRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnknownRemoteError(PlanctlError):
    """The repository has no remote of that name."""

    def __init__(self, remote: str, known: Sequence[str]) -> None:
        self.remote = remote
        self.known = tuple(known)
        super().__init__(f"there is no remote {remote!r}; known: {', '.join(self.known) or 'none'}")


class SplitRemoteError(PlanctlError):
    """A remote is not one place: what is pushed to it is not what is read from it."""

    def __init__(self, remote: str, urls: int, push_urls: int) -> None:
        self.remote = remote
        self.urls = urls
        self.push_urls = push_urls
        many = urls > 1 or push_urls > 1
        why = f"has {max(urls, push_urls)} URLs" if many else "is read from one place and pushed to another"
        super().__init__(f"the remote {remote} {why}; what lands has to be in one place")


class RemoteUnreachableError(PlanctlError):
    """A remote does not answer, or not to us: nothing is known of what it holds now.

    ``answers``: it can be read, and does not take what is pushed.
    """

    def __init__(self, remote: str, detail: str, *, answers: bool = False) -> None:
        self.remote = remote
        self.detail = detail
        self.answers = answers
        what = "cannot be pushed to" if answers else "cannot be reached"
        super().__init__(f"the remote {remote} {what}: {detail}")


class RemoteBranchMissingError(PlanctlError):
    """A remote has no such branch."""

    def __init__(self, remote: str, branch: str) -> None:
        self.remote = remote
        self.branch = branch
        super().__init__(f"the remote {remote} has no branch {branch}")


class PushRefusedError(GitRefusedError):
    """The remote's server took nothing of a push, although all was as it was expected to be there."""

    def __init__(self, remote: str, why: Sequence[str]) -> None:
        self.remote = remote
        self.why = tuple(why)
        super().__init__(("push", remote), 1, f"error: {'; '.join(self.why) or 'no reason was given'}")
