"""Hot files that a command makes anew in the merged tree, before the check (``regenerate: COMMAND``).

The command runs in a check slot at the merged tree, in which the file is as the target has it; what is then
in the file is what is landed. Other tracked files must be as they were: what else the command changes is
nobody's work. A command that fails on the target as well blames nobody (S12).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.merging.checknames import REGENERATE
from orchestrator.merging.checks import Check
from orchestrator.merging.judge import Judgement, Outcome
from orchestrator.running.spec import shell_argv
from plans.effects import step
from plans.errors import PlanctlError
from worktrees.changedpaths import ALL_SUBMODULES
from worktrees.commit import Author, CommitText
from worktrees.trees import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.merging.checkroom import CheckRoom, Said
    from orchestrator.store.records import Entry as QueueEntry
    from orchestrator.store.records import Verdict
    from orchestrator.workbench import Workbench
    from worktrees.pool import SlotTree

_NOBODY: Final = Author("planctl", "planctl@localhost", 0, 0)


class NotRegeneratedError(PlanctlError):
    """The command failed, or nothing can be said of it; ``judgement`` says which."""

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement
        super().__init__("a hot file could not be made anew")


class BeyondHotFilesError(PlanctlError):
    """The command changed more than the files that are its own, or left one of these away."""

    def __init__(self, command: str, paths: Sequence[str], what: str) -> None:
        self.paths = tuple(paths)
        super().__init__(f"`{command}` {what}: {', '.join(self.paths[:5])}")


@dataclass(frozen=True, slots=True)
class _Found:
    """In a slot, after the command: what its own files are, by object, and which others are changed."""

    own: dict[str, str | None]
    others: tuple[str, ...]


class Regenerator:
    """Makes hot files anew for one entry that is merged onto the commit ``old``."""

    def __init__(self, bench: Workbench, room: CheckRoom, entry: QueueEntry, old: str) -> None:
        self._bench = bench
        self._room = room
        self._entry = entry
        self._old = old

    def __call__(self, tree: str, paths: frozenset[str]) -> dict[str, Entry]:
        """The files ``paths`` as their commands make them in ``tree``; see ``Hot.rebuild``.

        Raises NotRegeneratedError, BeyondHotFilesError, CancelledCheckError.
        """
        files, objects = self._bench.settings.project.hot_files, self._bench.objects
        made: dict[str, Entry] = {}
        for command in sorted({files[path].by for path in paths}):
            own = sorted(path for path in paths if files[path].by == command)
            found = self._run(command, self._commit(tree), own)
            if found.others:
                raise BeyondHotFilesError(command, found.others, "changed what is not its own")
            lost = [path for path, blob in found.own.items() if blob is None]
            if lost:
                raise BeyondHotFilesError(command, lost, "left no regular file")
            for path, blob in found.own.items():
                known = objects.entry(tree, path)
                assert known is not None
                assert blob is not None
                made[path] = Entry(known.mode, blob)
        return made

    def _commit(self, tree: str) -> str:
        """A commit for the slot to stand at; nothing refers to it but the slot."""
        text = CommitText(tree, (self._old,), _NOBODY, _NOBODY, "merged, before hot files are made anew\n")
        return self._bench.objects.write_commit(text, durable=False)

    def _run(self, command: str, commit: str, own: list[str]) -> _Found:
        check = Check(REGENERATE, shell_argv(command), command)
        verdict, said = self._once(check, commit, own)
        if said.passed is None:
            raise NotRegeneratedError(Judgement(Outcome.NO_VERDICT, check, verdict))
        if not said.passed:
            base, on_target = self._once(check, self._old, own)
            if on_target.passed:
                raise NotRegeneratedError(Judgement(Outcome.RED, check, verdict))
            raise NotRegeneratedError(Judgement(Outcome.NO_VERDICT, check, base))
        assert said.seen is not None
        return said.seen

    def _once(self, check: Check, commit: str, own: list[str]) -> tuple[Verdict, Said[_Found]]:
        entry, of_target = self._entry, commit == self._old
        about: dict[str, Any] = {"entry": entry.id, "plan": entry.plan, "run": entry.run}
        about |= {"commit": commit, "check": check.name, "of_target": of_target}
        verdict, said = self._room.try_out(check, commit, about, look=lambda tree: self._look(tree, own))
        self._room.tell_finished(verdict, about)
        fails = "" if said.passed or verdict.detail else f"`{check.text}` fails on the target as well"
        return replace(verdict, detail=verdict.detail or fails), said

    def _look(self, tree: SlotTree, own: list[str]) -> _Found:
        """Blobs are made as git would add them: through the filters and line ends of the attributes."""
        git = self._bench.git
        status = (
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            ALL_SUBMODULES,
            "HEAD",
            "--",
        )
        changed = git.run(*status, at=tree.path).records
        blobs: dict[str, str | None] = {}
        for path in own:
            file = tree.path / path
            is_file = file.is_file() and not file.is_symlink()
            command = ("hash-object", "-w", "--", path)
            with step("checks.hot-file"):
                blobs[path] = git.run(*command, at=tree.path, writes=True).text if is_file else None
        return _Found(blobs, tuple(sorted(set(changed) - set(own))))
