"""Look at a remote's target, and bring what is new there into its :class:`Mirror`.

One look is one connection that asks for two references (``ls-remote``); only where one of them has moved do
objects and landed references follow (``fetch``). Every landing moves the epoch, so nothing is missed.

Promise: afterwards the mirror is as the remote was at some moment of this call. One process of a clone looks
at a time, so that an older look hardly ever comes after a newer one. Not promised: that it is so still; who
lands names what it expects.
"""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans import systems
from plans.effects import step
from worktrees.mirror import EPOCH, LANDED, Mirror
from worktrees.network import LOOK, talk
from worktrees.references import Delete
from worktrees.remoteerrors import RemoteBranchMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from worktrees.git import Git
    from worktrees.references import References
    from worktrees.repository import Repository

_KEYED: Final = re.compile(r"[A-Za-z0-9_-]{1,250}/[0-9a-f]{20}")
_NOTHING_ELSE: Final = (
    "--quiet",
    "--atomic",
    "--no-tags",
    "--no-prune-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
    "--no-show-forced-updates",
    "--refmap=",  # the user's remote-tracking branches are moved by the user's own fetch
)
PATIENCE: Final = 10.0
_BETWEEN: Final = 0.02
_WAITED_FOR: Final = set[Path]()
"""Locks that this process has waited for in vain; until one is had again it is not waited for any more."""
_GLOB: Final = re.compile(r"[*?\[\\]")


@contextlib.contextmanager
def mirror_lock(repository: Repository) -> Iterator[None]:
    """Hold what is mirrored still: one at a time in a clone, released by the kernel when its holder dies.

    A holder that is stopped, or takes long, is waited for only so long (:data:`PATIENCE`), and once: an older
    look that comes after a newer one is put right by the next, and no landing depends on it.
    """
    path = repository.state_dir / "remote.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lock:
        tries = range(1 if path in _WAITED_FOR else round(PATIENCE / _BETWEEN))
        if any(systems.lock(lock.fileno(), wait=False) or threading.Event().wait(_BETWEEN) for _ in tries):
            _WAITED_FOR.discard(path)
        else:
            _WAITED_FOR.add(path)
        yield


def refresh(git: Git, references: References, mirror: Mirror, seconds: float, *, whole: bool) -> None:
    """Look, and follow what has moved.

    ``whole``: even if neither target nor epoch has, for somebody may have deleted landed references.
    Raises RemoteUnreachableError, UnknownRemoteError, RemoteBranchMissingError.
    """
    with mirror_lock(git.repository):
        theirs = f"refs/heads/{mirror.branch}"
        seen = look(git, mirror.remote, theirs, EPOCH, seconds=seconds)
        if theirs not in seen:
            raise RemoteBranchMissingError(mirror.remote, mirror.branch)
        known = {name: references.read(mirror.own(name)) for name in (theirs, EPOCH)}
        if not whole and all(known[name] == seen.get(name) for name in known):
            return
        before = references.list(f"{mirror.landed}/")
        _forget_heads(references, mirror, lambda n: _is_in_the_way(n, theirs))
        _fetch(git, mirror, [*seen, f"{LANDED}/*"], seconds, prune=True)
        if EPOCH not in seen and known[EPOCH]:
            _forget(references, [Delete(mirror.epoch, known[EPOCH])])
        after = references.list(f"{mirror.landed}/")
        _forget(
            references, [Delete(n, o) for n, o in after.items() if n not in before and not _is_key(mirror, n)]
        )


def fetch_branches(
    git: Git, references: References, mirror: Mirror, patterns: Iterable[str], seconds: float
) -> dict[str, str]:
    """Mirror at least the branches that match one of ``patterns``; return branch to commit, of all mirrored.

    ``patterns`` are as ``git for-each-ref`` takes them; what is asked for is what begins like one of them.
    What the remote has no more goes first: nothing lands from here that was deleted there, and its name may
    be the folder of another.
    """
    begin = {_GLOB.split(pattern, maxsplit=1)[0] for pattern in patterns}
    if not begin:
        return {}
    with mirror_lock(git.repository):
        heads = "refs/heads/"
        listed = look(git, mirror.remote, f"{heads}*", seconds=seconds)
        wanted = {
            name.removeprefix(heads): commit
            for name, commit in listed.items()
            if name.removeprefix(heads).startswith(tuple(begin))
        }
        wanted.pop(mirror.branch, None)
        _forget_heads(references, mirror, lambda name: name not in listed)
        if wanted:
            _fetch(git, mirror, [f"{heads}{start}*" for start in sorted(begin)], seconds)
        return wanted


def look(git: Git, remote: str, *patterns: str, seconds: float) -> Mapping[str, str]:
    """Name to object of the remote's references of these names; of all branches for ``refs/heads/*``."""
    found = talk(
        git,
        remote,
        *("ls-remote", "--quiet", "--end-of-options", remote),
        *patterns,
        seconds=min(LOOK, seconds),
    )
    listed = (line.partition("\t") for line in found.text.splitlines())
    heads = "refs/heads/*" in patterns
    return {
        name: object_
        for object_, _, name in listed
        if name in patterns or (heads and name.startswith("refs/heads/"))
    }


def _fetch(git: Git, mirror: Mirror, names: Iterable[str], seconds: float, *, prune: bool = False) -> None:
    """``prune``: what the remote lacks of those names goes here as well."""
    specifications = [f"+{name}:{mirror.own(name)}" for name in names]
    with step("remote.fetch"):
        talk(
            git,
            mirror.remote,
            *("fetch", *_NOTHING_ELSE, "--prune" if prune else "--no-prune"),
            *("--end-of-options", mirror.remote),
            *specifications,
            seconds=seconds,
        )


def _forget(references: References, changes: list[Delete]) -> None:
    if changes:
        references.transact(changes, message="planctl: remote", step="remote.forget")


def _forget_heads(references: References, mirror: Mirror, is_gone: Callable[[str], bool]) -> None:
    """Take mirrored branches away, but for the target, of whose name on the remote ``is_gone`` says so."""
    known = references.list(mirror.own("refs/heads/"))
    gone = [name for name in known if name != mirror.target and is_gone(mirror.theirs(name))]
    _forget(references, [Delete(name, known[name]) for name in gone])


def _is_in_the_way(name: str, wanted: str) -> bool:
    """Whether one of the two references is a folder of the other's name, so that only one can exist."""
    return name.startswith(f"{wanted}/") or wanted.startswith(f"{name}/")


def _is_key(mirror: Mirror, name: str) -> bool:
    """Whether it is the name of a landing. Whatever else stands there is nobody's word about landings."""
    return bool(_KEYED.fullmatch(name.removeprefix(f"{mirror.landed}/")))
