"""The only place that picks a store, and that puts a workbench together."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from orchestrator.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from orchestrator.clock import Clock
    from orchestrator.leases.heartbeat import Pace
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.settings import Settings
    from orchestrator.store.protocol import Store, StoreOpened
    from orchestrator.workbench import Workbench
    from plans.project import ProjectSettings
    from worktrees.repository import Repository


def store_path(repository: Repository) -> Path:
    """Where the store of ``repository`` is, shared by all its worktrees."""
    return repository.state_dir / "state.db"


def open_store(repository: Repository, *, verify: bool = True) -> StoreOpened:
    """Open the store for the calling thread, and make, migrate or replace it where that is needed.

    ``verify=False`` leaves out the look through the whole file (2 ms per MB), for commands that are called
    often. Raises :class:`~orchestrator.errors.StoreUnusableError` or :class:`~orchestrator.errors.BusyError`.
    """
    from orchestrator.store.sqlite.opening import open_sqlite  # noqa: PLC0415 - not before a store is opened

    return open_sqlite(store_path(repository), SystemClock(), verify=verify)


def open_readonly_store(repository: Repository, *, verify: bool = True) -> Store:
    """The store as it is now, for who only reads: a copy, no byte on disk is changed.

    An empty one where there is none. A corrupt store is left where it is:
    :class:`~orchestrator.errors.StoreUnusableError`. ``verify=False``: whole pages of it are not looked at.
    """
    from orchestrator.errors import StoreUnusableError  # noqa: PLC0415 - as above
    from orchestrator.store.sqlite.snapshot import open_snapshot  # noqa: PLC0415 - as above

    if not repository.state_dir.is_dir() and os.path.lexists(repository.state_dir):
        raise StoreUnusableError(store_path(repository), f"{repository.state_dir} is not a folder")
    return open_snapshot(store_path(repository), SystemClock().boot(), verify=verify) or memory_store()


def memory_store() -> Store:
    """An empty store in memory, shared by all threads that are given it."""
    from orchestrator.store.memory.store import MemoryStore  # noqa: PLC0415 - as above

    return MemoryStore()


def thread_store(repository: Repository) -> Callable[[], Store]:
    """A factory: each call opens the store for the thread that calls, which closes it."""
    return lambda: open_store(repository, verify=False).store


@dataclass(frozen=True, slots=True)
class Remote:
    """``name`` is that of ``--remote``; without, ``remote:`` of the settings counts.

    ``is_asked``: before the work begins.
    """

    name: str | None = None
    is_asked: bool = True


OFFLINE: Final = Remote(is_asked=False)
"""What is known of the remote counts; it is not asked."""


@contextlib.contextmanager
def attending(repository: Repository) -> Iterator[tuple[Store, Clock]]:
    """The store, for commands that keep the books of those who work here: no git, no session of their own.

    Raises what opening the store does, and BusyError while planctl is being uninstalled.
    """
    from orchestrator.leases.presence import present  # noqa: PLC0415 - as below
    from worktrees.repository import require_writable  # noqa: PLC0415 - as below

    require_writable(repository)
    with present(repository.state_dir), contextlib.closing(thread_store(repository)()) as store:
        yield store, SystemClock()


@contextlib.contextmanager
def holding(repository: Repository, kind: str, note: str) -> Iterator[SessionHandle]:
    """A session of this process that holds leases and beats, no more. Raises as :func:`attending`."""
    from orchestrator.leases.presence import present  # noqa: PLC0415 - as below
    from orchestrator.sessions.registry import start_session  # noqa: PLC0415 - as above
    from orchestrator.settings import working_settings  # noqa: PLC0415 - as above
    from worktrees.repository import require_writable  # noqa: PLC0415 - as above

    require_writable(repository)
    pace = _pace(working_settings(repository).project)
    with (
        present(repository.state_dir),
        start_session(thread_store(repository), SystemClock(), kind, note=note, pace=pace) as session,
    ):
        yield session


@contextlib.contextmanager
def working(
    repository: Repository,
    kind: str,
    *,
    override: Callable[[ProjectSettings], ProjectSettings] = lambda project: project,
    note: str = "",
    tell: Callable[[str], None] = lambda _line: None,
    remote: Remote = OFFLINE,
) -> Iterator[tuple[Workbench, SessionHandle]]:
    """A session of ``kind`` and the workbench it works at, for commands that change something.

    ``override`` puts the command line's options over the settings, again after each reload. ``tell`` is given
    a line when the store had to be rebuilt. ``remote`` says which remote's target counts, and whether it is
    asked first. While it works, and for a moment at its end, people are told of what happens.

    Raises what opening the store does, UnsupportedRepositoryError, GitTooOldError, InvalidPlansError for a
    ``planctl.yaml`` that cannot be used, and BusyError while planctl is being uninstalled.
    """
    from orchestrator.leases.presence import present  # noqa: PLC0415 - as below
    from orchestrator.notifying.notifier import notifying  # noqa: PLC0415 - as below

    presence = present(repository.state_dir)
    with _begun(repository, kind, presence, override=override, note=note, tell=tell, remote=remote.name) as (
        bench,
        session,
    ):
        if remote.is_asked and bench.mirror is not None:
            from orchestrator.merging.upstream import begin  # noqa: PLC0415 - for who lands there

            begin(bench)
            bench = bench.refreshed()  # noqa: PLW2901 - it knows what the remote said
        with contextlib.closing(bench), notifying(bench):
            yield bench, session


@contextlib.contextmanager
def dismantling(repository: Repository) -> Iterator[tuple[Workbench, SessionHandle] | None]:
    """As :func:`working`, with everybody else kept out; left without an error, planctl's folder is gone.

    None when others are at work: then nothing has changed.
    """
    from orchestrator.leases.presence import alone  # noqa: PLC0415 - as below
    from worktrees.dismantle import remove_state  # noqa: PLC0415 - as below

    with alone(repository.state_dir) as had:
        if not had:
            yield None
            return
        with _begun(repository, "uninstall", contextlib.nullcontext()) as pair:
            yield pair
        remove_state(repository)


@contextlib.contextmanager
def _begun(  # noqa: PLR0913 - what the two above hand on
    repository: Repository,
    kind: str,
    presence: contextlib.AbstractContextManager[None],
    *,
    override: Callable[[ProjectSettings], ProjectSettings] = lambda project: project,
    note: str = "",
    tell: Callable[[str], None] = lambda _line: None,
    remote: str | None = None,
) -> Iterator[tuple[Workbench, SessionHandle]]:
    from orchestrator.scheduling.broken import put_branches_back  # noqa: PLC0415 - for those who only read
    from orchestrator.services.rebuilding.marks import is_needed  # noqa: PLC0415 - for those who only read
    from orchestrator.sessions.cleanup import reap  # noqa: PLC0415 - for those who only read
    from orchestrator.sessions.registry import start_session  # noqa: PLC0415 - for those who only read
    from orchestrator.settings import load_settings, require_usable  # noqa: PLC0415 - as above
    from orchestrator.workbench import Workbench  # noqa: PLC0415 - GitPython and pygit2
    from worktrees.damage import remove_empty_objects  # noqa: PLC0415 - as above
    from worktrees.git import Git  # noqa: PLC0415 - as above
    from worktrees.objects import Objects  # noqa: PLC0415 - as above
    from worktrees.repository import require_main_checkout, require_writable  # noqa: PLC0415 - as above

    git, clock = Git(repository), SystemClock()
    _ = git.version  # too old a git is refused before anything is written
    objects = Objects(repository)  # and so is a repository of a kind that libgit2 cannot open
    require_main_checkout(repository)

    def reload() -> Settings:
        settings = require_usable(load_settings(repository, git, objects, remote=remote))
        return replace(settings, project=override(settings.project))

    settings = reload()
    require_writable(repository)
    with presence:
        opened = open_store(repository)
        opened.store.close()
        git.ensure_desk()
        stores = thread_store(repository)
        with contextlib.closing(stores()) as store:  # the leases of the provably dead are free at once
            reap(store, clock, repository.state_dir / "cleanup.lock")
            is_new = is_needed(store)
        if opened.after_boot or is_new:
            remove_empty_objects(repository)  # before anything is written that they would be taken for
        with (
            start_session(stores, clock, kind, note=note, pace=_pace(settings.project)) as session,
            git.keep_writers(),
        ):
            bench = Workbench(
                repository=repository,
                git=git,
                settings=settings,
                clock=clock,
                stores=stores,
                session=session.id,
                reload=reload,
                main_checkout=repository.primary_top,
            )
            if opened.after_boot or is_new:
                from orchestrator.services.own_references import mend_all  # noqa: PLC0415 - after a start of the machine

                mend_all(bench)
            if is_new:
                from orchestrator.services.rebuilding.restore import restore  # noqa: PLC0415 - once in its life

                if (rebuilt := restore(bench)) is not None:
                    tell(f"planctl: {rebuilt}")
            put_branches_back(bench)
            yield bench, session


def _pace(project: ProjectSettings) -> Pace:
    from orchestrator.leases.heartbeat import pace_of  # noqa: PLC0415 - for those who only read

    return pace_of(project)


def looking(repository: Repository, remote: str | None = None) -> Workbench:
    """A workbench for ``--dry-run``: everything can be read, and no byte on disk is changed.

    Its session is nobody's, its store a copy. Raises as :func:`working` does.
    """
    return _bench(repository, lambda: open_readonly_store(repository), "", remote)


@contextlib.contextmanager
def watching(
    repository: Repository, note: str, kind: str = "watchdog"
) -> Iterator[tuple[SessionHandle, Callable[[], Workbench]]]:
    """A session of ``kind`` that looks after others, and what makes its workbench when there is work for it.

    From then on people are told of what happens. Raises as :func:`attending`, the latter as :func:`working`.
    """
    from orchestrator.notifying.notifier import notifying  # noqa: PLC0415 - as above

    with holding(repository, kind, note) as session, contextlib.ExitStack() as until_the_end:

        @cache
        def bench() -> Workbench:
            made = _bench(repository, thread_store(repository), session.id)
            made.git.ensure_desk()
            until_the_end.enter_context(notifying(made))
            return made

        yield session, bench


def _bench(
    repository: Repository, stores: Callable[[], Store], session: str, remote: str | None = None
) -> Workbench:
    from orchestrator.settings import load_settings, require_usable  # noqa: PLC0415 - as above
    from orchestrator.workbench import Workbench  # noqa: PLC0415 - GitPython and pygit2
    from worktrees.git import Git  # noqa: PLC0415 - as above
    from worktrees.objects import Objects  # noqa: PLC0415 - as above
    from worktrees.repository import require_main_checkout  # noqa: PLC0415 - as above

    git = Git(repository)
    _ = git.version
    objects = Objects(repository)
    require_main_checkout(repository)

    def reload() -> Settings:
        return require_usable(load_settings(repository, git, objects, remote=remote))

    return Workbench(
        repository=repository,
        git=git,
        settings=reload(),
        clock=SystemClock(),
        stores=stores,
        session=session,
        reload=reload,
    )
