"""What everything that works on one repository shares: git, objects, settings, store, clock, session."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.clock import Clock, new_id
from orchestrator.errors import RemoteUnseenError, TargetMissingError
from orchestrator.settings import target_reference
from plans.effects import step
from worktrees.errors import GitFailedError
from worktrees.git import Git
from worktrees.mirror import LANDED, mirror_of, shown_target
from worktrees.objects import Objects
from worktrees.references import References
from worktrees.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.settings import Settings
    from orchestrator.store.protocol import Store
    from worktrees.mirror import Mirror


@dataclass(frozen=True)
class Workbench:
    """Shared by the threads of one process; what may not be shared is made once per thread.

    ``stores`` opens a store for the thread that calls. ``session`` is the id of the session that works here.
    ``reload`` reads the settings again, the caller's own overrides included. ``main_checkout`` is where the
    main checkout was when the session began.
    """

    repository: Repository
    git: Git
    settings: Settings
    clock: Clock
    stores: Callable[[], Store]
    session: str
    reload: Callable[[], Settings]
    main_checkout: Path | None = None
    _own: threading.local = field(default_factory=threading.local)

    @property
    def store(self) -> Store:
        """The calling thread's store."""
        if not hasattr(self._own, "store"):
            self._own.store = self.stores()
        found: Store = self._own.store
        return found

    def close(self) -> None:
        """Close the calling thread's store; harmless when there is none, and the next use opens it again."""
        if (store := self._own.__dict__.pop("store", None)) is not None:
            store.close()

    @property
    def objects(self) -> Objects:
        """The calling thread's view of the object database (libgit2 handles are not for sharing)."""
        if not hasattr(self._own, "objects"):
            self._own.objects = Objects(self.repository)
        found: Objects = self._own.objects
        return found

    @property
    def references(self) -> References:
        """Reads and moves references, with the calling thread's own objects."""
        return References(self.git, self.objects)

    @property
    def target(self) -> str:
        """The full name of the reference that work lands on; of a remote's branch that of its mirror here."""
        return target_reference(self.settings.project)

    @property
    def mirror(self) -> Mirror | None:
        """What is known here of the remote's branch that work lands on; None when it lands on a local one."""
        project = self.settings.project
        return None if project.remote is None else mirror_of(project.remote, project.target)

    @property
    def landed(self) -> str:
        """The folder of the target's landed references."""
        return LANDED if (mirror := self.mirror) is None else mirror.landed

    def refreshed(self) -> Workbench:
        """The same with the settings as they are now: what guards the target is read from its tip."""
        return replace(self, settings=self.reload())

    def target_tip(self) -> str:
        """The target's commit now; raises TargetMissingError when there is no such branch."""
        try:
            tip = self.references.read(self.target)
        except GitFailedError as error:
            raise TargetMissingError(shown_target(self.target)) from error
        if tip is None and self.mirror is not None:
            raise RemoteUnseenError(shown_target(self.target))
        if tip is None or not self.objects.has_commit(tip):
            raise TargetMissingError(shown_target(self.target))
        return tip

    def seen_tip(self) -> str | None:
        """The same, None for that of a remote which has not been looked at from here yet."""
        try:
            return self.target_tip()
        except RemoteUnseenError:
            return None

    def stamp(self) -> str:
        """A new ULID, for references and records."""
        return new_id()

    def folder(self, *names: str) -> Path:
        """A folder of planctl's own inside the repository's state folder, made when missing."""
        path = self.repository.state_dir.joinpath(*names)
        with step("workbench.folder"):
            path.mkdir(parents=True, exist_ok=True)
        return path
