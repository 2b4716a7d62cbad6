"""What a power cut leaves of what nobody had synced: files of git's with a name and nothing in them.

An empty object file is no object. git and libgit2 take it for one all the same when they are about to write
the very object: they see the name and write nothing, so that the next commit with that content is broken.
git writes objects under another name first, so an empty one is never one that is just being written.

An empty reference file is no reference, and one may name a commit that is gone. git refuses to read and to
move it, and does not go back to what it was before; only its log may tell. git replaces references whole,
so a broken one is never one that is just being written either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import GitRefusedError
from worktrees.metadata_lock import metadata_lock
from worktrees.references import Create, References

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.objects import Objects
    from worktrees.repository import Repository

_OBJECT: Final = re.compile(rb"[0-9a-f]{40}")
_LOGGED: Final = re.compile(rb"[0-9a-f]{40} ([0-9a-f]{40}) ")


def empty_objects(repository: Repository) -> tuple[Path, ...]:
    """The loose objects that are empty files, by name; about 1 ms per 1,000 loose objects."""
    root = repository.common_dir / "objects"
    folders = sorted(root.glob("[0-9a-f][0-9a-f]"))
    return tuple(p for folder in folders for p in sorted(folder.iterdir()) if p.stat().st_size == 0)


def remove_empty_objects(repository: Repository) -> tuple[Path, ...]:
    """Remove them, so that the objects can be written again; returns what was removed."""
    found = empty_objects(repository)
    for path in found:
        with step("objects.remove-empty"):
            path.unlink(missing_ok=True)
    return found


def is_broken(objects: Objects, reference: str) -> bool:
    """Whether the loose file of ``reference`` (a full name) names no object that is here."""
    try:
        content = (objects.repository.common_dir / reference).read_bytes().strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    if content.startswith(b"ref:"):
        return False
    return not (_OBJECT.fullmatch(content) and objects.has(content.decode("ascii")))


def broken_references(objects: Objects, *folders: str) -> tuple[str, ...]:
    """The full names of the broken references below ``folders``, such as ``refs/heads``."""
    common = objects.repository.common_dir
    files = (p for folder in folders for p in (common / folder).rglob("*") if p.is_file())
    names = (p.relative_to(common).as_posix() for p in files if p.suffix != ".lock" and p.name[0] != ".")
    return tuple(sorted(name for name in names if is_broken(objects, name)))


def logged(repository: Repository, reference: str) -> tuple[str, ...]:
    """Where ``reference`` has been, newest first, as far as its log tells; torn lines do not count."""
    return _read_log(repository.common_dir / "logs" / reference)


def logged_commits(git_dir: Path) -> tuple[str, ...]:
    """Where the HEAD of a worktree has been, newest first; ``git_dir`` is the worktree's own."""
    return tuple(commit for commit in _read_log(git_dir / "logs" / "HEAD") if commit.strip("0"))


def _read_log(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ()
    found = (_LOGGED.match(line) for line in reversed(lines))
    return tuple(dict.fromkeys(match[1].decode("ascii") for match in found if match))


def put_back(git: Git, objects: Objects, reference: str, places: Iterable[str], base: str) -> str | None:
    """Have a broken ``reference`` stand at the first of ``places`` that is here whole, beyond ``base``.

    Returns that commit, or None: it was not broken any more, or no place is whole; then nothing has changed.
    Raises :class:`GitFailedError` when somebody holds its lock: then it is absent, no longer broken.
    """
    with metadata_lock(git.repository):
        if not is_broken(objects, reference):
            return None
        commit = next((place for place in places if _is_whole(git, objects, place, base)), None)
        if commit is not None:
            with step("branch.remove-broken"):
                (git.repository.common_dir / reference).unlink()
            References(git, objects).transact(
                [Create(reference, commit)], message="planctl: put back", step="branch.put-back"
            )
    return commit


def remove_broken(git: Git, objects: Objects, reference: str) -> None:
    """Remove a broken ``reference``: nothing can be made in its place while it is there."""
    with metadata_lock(git.repository):
        if is_broken(objects, reference):
            with step("references.remove-broken"):
                (git.repository.common_dir / reference).unlink()


def _is_whole(git: Git, objects: Objects, commit: str, base: str) -> bool:
    if not objects.has_commit(commit):
        return False
    try:
        git.run("rev-list", "--objects", "--quiet", "--end-of-options", commit, f"^{base}")
    except GitRefusedError:
        return False
    return True
