"""Move references of a remote, all or none, each from exactly what it is expected to be.

``git push --atomic`` with an explicit ``--force-with-lease=REFERENCE:EXPECTED`` for each: the server compares
and swaps under its own locks. A lease also permits what is not a fast-forward, so whoever moves a branch
asserts that before. A reference that would not change is not sent, hence not compared.

The push goes to the remote under another name, so that git moves no remote-tracking branch of the user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.git import valid_reference
from worktrees.network import require_remote, talk
from worktrees.remoteerrors import RemoteUnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worktrees.git import Git

_ALIAS: Final = "planctl-push"
_KEPT: Final = ("url", "pushurl", "proxy", "proxyauthmethod", "receivepack", "vcs", "serveroption")
_MOST_WORDS: Final = 500
_NO_REPORT: Final = "[remote failure]"


@dataclass(frozen=True, slots=True)
class Move:
    """One reference of the remote: ``old`` None means that it must not exist."""

    name: str
    new: str
    old: str | None


class Outcome(StrEnum):
    """What became of a push."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """``why``: what was said of each reference that was refused, or of the end of the connection."""

    outcome: Outcome
    why: tuple[str, ...] = ()


def push(git: Git, remote: str, moves: Sequence[Move], seconds: float, name: str) -> Answer:
    """Make ``moves``, all or none; ``name`` is the step's. Raises UnknownRemoteError.

    Refused: the remote said so of every one, nothing has changed. Unknown: it may have, now or a bit later.
    """
    require_remote(git, remote)
    leases = [f"--force-with-lease={valid_reference(m.name)}:{m.old or ''}" for m in moves]
    options = ("--atomic", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no")
    named = (f"{m.new}:{m.name}" for m in moves)
    alias = _free_name(git)
    arguments = ("push", *options, *leases, "--end-of-options", alias, *named)
    try:
        with step(name):
            found = talk(
                git, remote, *_same(git, remote, alias), *arguments, seconds=seconds, definite=(0, 1)
            )
    except RemoteUnreachableError as error:
        return Answer(Outcome.UNKNOWN, (error.detail,))
    if found.status == 0:
        return Answer(Outcome.TAKEN)
    lines = found.text.splitlines()
    said = [line.split("\t", 2) for line in lines if line.startswith("!\t")]
    there = [line for line in lines if line.startswith("=\t")]
    why = tuple(f"{m[1].partition(':')[2]}: {m[-1]}" for m in said)
    if not said or len(said) + len(there) < len(moves) or any(m[-1].startswith(_NO_REPORT) for m in said):
        return Answer(Outcome.UNKNOWN, why or (found.messages.strip(),))
    return Answer(Outcome.REFUSED, (*why, *_words(found.messages)))


def _words(messages: str) -> tuple[str, ...]:
    """What the server itself said, as one line that cannot steer a terminal."""
    lines = [
        line.removeprefix("remote:").strip() for line in messages.splitlines() if line.startswith("remote:")
    ]
    said = " ".join(line for line in lines if line)[:_MOST_WORDS]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in said)
    return (f"the server says: {shown}",) if shown else ()


def _free_name(git: Git) -> str:
    """A name that no remote has: settings of one that has it would add to those of :func:`_same`."""
    alias, known = _ALIAS, git.settings.named("remote", "url")
    while alias in known:
        alias += "-"
    return alias


def _same(git: Git, remote: str, alias: str) -> tuple[str, ...]:
    """The settings that make ``alias`` mean the same remote, without its references to fetch."""
    found = {key: git.settings.named("remote", key).get(remote) for key in _KEPT}
    return tuple(
        word for key, value in found.items() if value for word in ("-c", f"remote.{alias}.{key}={value}")
    )
