"""What is needed to take a restore back: kept from before its first write until it has ended.

``<state>/restores/WORKTREE/`` holds ``journal.json`` and copies of what is written over: ``tree/``, ``own/``
(files in git's folder), ``index.old``. The journal is written last, and synced: without one, nothing has been
written and the folder is litter. One restore at a time in a repository holds ``<state>/restores.lock``.

``index.lock`` of the worktree is made as a hard link to a file in the journal's folder, so that one that a
killed restore left is provably its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from plans import systems
from plans.effects import step, sync_files, sync_folder, write_atomic
from plans.systems import passed_on
from worktrees.beforehand import Before, Kind, put_back, remember
from worktrees.metadata_lock import metadata_lock
from worktrees.removal import delete_tree
from worktrees.restorehead import put_head_back

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from worktrees.git import Git
    from worktrees.repository import Repository

_NAME: Final = "journal.json"


@dataclass(frozen=True, slots=True)
class Journal:
    """A restore that is under way, or was cut short.

    ``commits`` are the HEAD before and the one that the restore wanted, ``head`` and ``wanted`` the same as
    texts of the file HEAD, ``sign`` tells the git folder from another of its name, ``owner`` says for whom
    the pool held the worktree (empty: it is a user's). ``tree`` and ``own`` tell how files were, ``inner``
    are linked worktrees that it makes.
    """

    into: str
    git_dir: str
    reference: str
    commits: tuple[str | None, ...]
    head: str
    wanted: str
    sign: int
    owner: str
    tree: tuple[Before, ...] = ()
    own: tuple[Before, ...] = ()
    inner: tuple[str, ...] = ()


@contextlib.contextmanager
def restoring(
    repository: Repository, waits: Callable[[str], None] = lambda _holder: None
) -> Iterator[tuple[int, ...]]:
    """Hold the right to restore in this repository; waits, and tells ``waits`` for whom. Not reentrant.

    Yields the descriptors that git children in the worktree inherit: one that outlives a killed planctl is
    waited for.
    """
    with _lock_file(repository) as file:
        if not systems.lock(file.fileno(), wait=False):
            waits(_holder(repository))
            systems.lock(file.fileno(), wait=True)
        _name_holder(file, str(os.getpid()))
        try:
            yield passed_on(file.fileno())
        finally:
            with contextlib.suppress(OSError):  # a name that stays is overwritten by the next
                _name_holder(file, "")


@contextlib.contextmanager
def not_restoring(repository: Repository) -> Iterator[None]:
    """Nothing is restored in this repository meanwhile, and whoever restores next waits; many may hold it.

    For who takes a worktree away from its holder: a restore looks at whose it is once, at its beginning.
    """
    with _lock_file(repository) as file:
        systems.lock(file.fileno(), wait=True, shared=True)
        yield


def is_restoring(repository: Repository) -> bool:
    """Whether a restore is at work right now, or a git child of one."""
    if not (repository.state_dir / "restores.lock").exists():
        return False
    with _lock_file(repository) as file:
        return not systems.lock(file.fileno(), wait=False, shared=True)


def _name_holder(file: BinaryIO, name: str) -> None:
    with step("restore.holder"):
        file.truncate(0)
        file.write(name.encode("ascii"))
        file.flush()


def _holder(repository: Repository) -> str:
    """Who restores writes its number into the lock; those that only keep restores away do not."""
    held = (repository.state_dir / "restores.lock").read_bytes().decode("ascii", "replace")
    return f"another restore (process {held})" if held else "worktrees that are given back"


def _lock_file(repository: Repository) -> BinaryIO:
    with step("restore.lock"):
        repository.state_dir.mkdir(parents=True, exist_ok=True)
        return (repository.state_dir / "restores.lock").open("ab")


def folder_of(repository: Repository, git_dir: Path) -> Path:
    """Where the journal of the worktree with that git folder is."""
    own = git_dir == repository.common_dir
    return repository.state_dir / "restores" / ("main" if own else f"worktree-{git_dir.name}")


def read_journal(folder: Path) -> Journal | None:
    """The journal in ``folder``; None where nothing had been written, or all has ended."""
    try:
        value: dict[str, Any] = json.loads((folder / _NAME).read_bytes())
    except FileNotFoundError:
        return None
    for name in ("tree", "own"):
        value[name] = tuple(Before(b["path"], Kind(b["kind"]), b["mode"], b["held"]) for b in value[name])
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    return Journal(**fields)


def journals(repository: Repository) -> dict[Path, Journal | None]:
    """Every folder of a journal, and what is in it."""
    root = repository.state_dir / "restores"
    return {folder: read_journal(folder) for folder in sorted(root.glob("*"))}


def begin(repository: Repository, started: Journal, tree: Collection[str], own: Collection[str]) -> Journal:
    """Remember how ``tree`` and ``own``, paths in the worktree and in its git folder, are. Raises OSError."""
    git_dir = Path(started.git_dir)
    folder = folder_of(repository, git_dir)
    with step("restore.prepare"):
        delete_tree(folder)
        for name in ("tree", "own"):
            (folder / name).mkdir(parents=True)
        if (git_dir / "index").exists():
            shutil.copy2(git_dir / "index", folder / "index.old")
    journal = replace(
        started,
        tree=remember(Path(started.into), tree, folder / "tree"),
        own=remember(git_dir, own, folder / "own"),
    )
    sync_files(*(path for path in folder.rglob("*") if path.is_file()))
    with step("restore.journal"):
        write_atomic(folder / _NAME, json.dumps(asdict(journal)).encode("ascii"))
        sync_folder(folder.parent)
        sync_folder(repository.state_dir)
    return journal


def close(folder: Path) -> None:
    """The restore is whole, or taken back: from here on nothing takes it back."""
    with step("restore.done"):
        (folder / _NAME).unlink(missing_ok=True)
        if folder.is_dir():
            sync_folder(folder)


def sweep(folder: Path) -> None:
    """Delete what a closed journal needed."""
    with step("restore.sweep"):
        delete_tree(folder)
        with contextlib.suppress(OSError):  # other worktrees have journals
            folder.parent.rmdir()


def take_back(
    git: Git, folder: Path, journal: Journal, into: Path, touched: Collection[str] | None = None
) -> str:
    """Make everything as it was before the restore; done again, it goes on.

    On ``touched`` see :func:`put_back`; on what is returned, and what was asked before, restorehead.py.
    Raises :class:`FileExistsError` where another git holds the index, :class:`OSError`; the journal is there
    then.
    """
    git_dir = Path(journal.git_dir)
    release_index(git_dir, folder)
    put_back(git_dir, journal.own, folder / "own")
    moved = put_head_back(git, journal, into, folder)
    with metadata_lock(git.repository):
        for path in journal.inner:
            if (into / path / ".git").is_file():
                with step("restore.unmake"):
                    words = ("worktree", "remove", "--force", "--force", "--", str(into / path))
                    git.run(*words, ok=(0, 128), writes=True)
                delete_tree(into / path)
    put_back(into, journal.tree, folder / "tree", touched)
    old, now = folder / "index.old", git_dir / "index"
    if not old.exists():
        with step("restore.index_back"):
            now.unlink(missing_ok=True)
    elif not now.exists() or old.read_bytes() != now.read_bytes():
        with step("restore.index_back"):
            install_index(old, git_dir, folder)
    close(folder)
    sweep(folder)
    return moved


def install_index(source: Path, git_dir: Path, folder: Path) -> None:
    """Replace the index the way git does: whole, under its lock, its time kept (see scratch.py).

    Raises :class:`FileExistsError` when another git process holds it.
    """
    draft, lock = folder / "index.new", git_dir / "index.lock"
    with step("restore.index_draft"):
        draft.unlink(missing_ok=True)
        shutil.copy2(source, draft)
        sync_files(draft)
    with step("restore.index_lock"):
        _link(draft, lock)
    try:
        with step("restore.index"):
            lock.replace(git_dir / "index")
            sync_folder(git_dir)
    except BaseException:
        release_index(git_dir, folder)
        raise


def _link(draft: Path, lock: Path) -> None:
    try:
        os.link(draft, lock)
    except FileExistsError:
        raise
    except OSError:  # no hard links here: made exclusively, and not provably ours after a kill
        with lock.open("xb") as out, draft.open("rb") as source:
            shutil.copyfileobj(source, out)
        shutil.copystat(draft, lock)


def release_index(git_dir: Path, folder: Path) -> None:
    """Remove the lock on the index that this restore left; that of anybody else stays."""
    lock, draft = git_dir / "index.lock", folder / "index.new"
    if lock.exists() and draft.exists() and lock.samefile(draft):
        with step("restore.index_unlock"):
            lock.unlink()
