"""THE door to the git program: argv lists only, through GitPython's ``Git.execute``.

Where a command runs:

- ``at=None`` (the usual case): ``--git-dir`` is planctl's *desk*, a git folder of planctl's own inside the
  repository's state folder whose ``commondir`` names the repository. Its HEAD and index are nobody's, so a
  reference update never locks the user's HEAD. Where no desk was made (commands that only read), it is the
  common git folder.
- ``work_tree=folder`` beside it: the same, standing at the top of that work tree.
- ``at=folder``: in that worktree, as a user would.

A child that writes references, objects or an index (``writes=True``) inherits a descriptor of
``<state>/git-write.lock`` under a shared flock. Recovery takes that lock exclusively: then no git child of
any planctl lives, not even one that outlived its parent (see ``docs/queue.md``). Windows has no flock to
inherit; there, recovery removes no lock files.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from plans.effects import step, write_atomic
from plans.systems import WINDOWS, lock
from worktrees import environment
from worktrees.conversation import Conversation
from worktrees.errors import (
    GitFailedError,
    GitRefusedError,
    GitTooOldError,
    InvalidReferenceError,
    UnsupportedRepositoryError,
    said,
)
from worktrees.gitwords import REFUSED, SWEPT
from worktrees.keptwriter import KeptWriters
from worktrees.settings import Settings

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
environment.scrub(os.environ)
import git as gitpython  # noqa: E402 - after the environment it looks at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from worktrees.repository import Repository

MINIMUM: Final = (2, 38)  # the first with ``merge-tree --write-tree``
_REFERENCE: Final = re.compile(
    r"(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))(?![-./])[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])"
)
_DESK: Final = {"HEAD": b"ref: refs/planctl/desk\n", "commondir": b"../..\n"}
MAX_REFERENCE: Final = 512
_DIED: Final = 128
_PIPE: Final = -1  # subprocess.PIPE, which GitPython hands on
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class GitResult:
    """What a git child said: exit status, exact output, and messages for people."""

    status: int
    output: bytes
    messages: str

    @property
    def text(self) -> str:
        """The output as text without its last newline; bytes that are not UTF-8 survive as surrogates."""
        return self.output.decode("utf-8", "surrogateescape").removesuffix("\n")

    @property
    def records(self) -> list[str]:
        """The output of a ``-z`` command, split."""
        return [r for r in self.output.decode("utf-8", "surrogateescape").split("\0") if r]


class Git:
    """Runs git for one repository. Safe to share between threads."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._git = gitpython.Git()
        self.kept: KeptWriters | None = None

    @contextlib.contextmanager
    def keep_writers(self) -> Iterator[None]:
        """While this lasts, reference transactions of this door go through children that stay."""
        self.kept = KeptWriters(self)
        try:
            yield
        finally:
            kept, self.kept = self.kept, None
            kept.close()

    @cached_property
    def version(self) -> tuple[int, ...]:
        """The program's version; raises :class:`GitTooOldError` when git is missing or too old."""
        try:
            text = self.run("--version").text
        except GitFailedError as error:
            raise GitTooOldError(None, _dotted(MINIMUM)) from error
        found = re.search(r"\d+(?:\.\d+)+", text)
        version = tuple(int(n) for n in found.group().split(".")) if found else ()
        if version < MINIMUM:
            raise GitTooOldError(text, _dotted(MINIMUM))
        return version

    @cached_property
    def settings(self) -> Settings:
        """The user's git settings, read again only when one of their files has changed."""
        return Settings(self)

    @property
    def desk(self) -> Path:
        """planctl's own git folder; see the module's text. Made by :meth:`ensure_desk`."""
        return self.repository.state_dir / "desk"

    @property
    def _has_desk(self) -> bool:
        return all(path.exists() and path.stat().st_size for path in (self.desk / name for name in _DESK))

    def ensure_desk(self) -> None:
        """Make the desk; harmless when it exists. Whoever writes calls this once."""
        if self._has_desk:
            return
        with step("desk.make"):
            self.desk.mkdir(parents=True, exist_ok=True)
            (self.desk / "empty").mkdir(exist_ok=True)
            for name, content in _DESK.items():  # the last of them makes it one
                write_atomic(self.desk / name, content)

    def run(  # noqa: PLR0913 - one door, and every one of these is its business
        self,
        *arguments: str,
        at: Path | None = None,
        stdin: bytes | None = None,
        ok: Collection[int] = (0,),
        writes: bool = False,
        hooks: bool = False,
        extra: Mapping[str, str] | None = None,
        work_tree: Path | None = None,
        descriptors: tuple[int, ...] = (),
    ) -> GitResult:
        """Run ``git ARGUMENTS`` and return what it said.

        ``ok`` are exit statuses that are answers (an empty collection: all; a killed git never is), ``extra``
        environment variables for this call, ``descriptors`` locks that must live as long as the child.
        A command that failed because a ``git gc`` swept a folder away under it is run again.
        Raises :class:`GitFailedError` for any other status, :class:`UnsupportedRepositoryError` where git
        does not work on this repository at all, :class:`GitTooOldError` where there is no git. The caller
        puts ``--end-of-options`` or ``--`` before whatever came from outside.
        """
        argv = [*self._prefix(at, work_tree), *(() if hooks else environment.NO_HOOKS), *arguments]
        environ = {**environment.ADDED, **(extra or {})}
        for _ in range(_TRIES if writes else 1):
            with _input(stdin) as given, self._write_lock(shared=True, wanted=writes) as held:
                status, output, messages = _execute(self._git, argv, given, environ, (*held, *descriptors))
            result = GitResult(status, output, _text(messages))
            if not status or not SWEPT.search(result.messages):
                break
        if status == _DIED and REFUSED.search(result.messages):
            raise UnsupportedRepositoryError(self.repository.common_dir, said(result.messages))
        if status < 0 or (ok and status not in ok):
            raise (GitRefusedError if status > 0 else GitFailedError)(arguments, status, result.messages)
        return result

    def _prefix(self, at: Path | None, work_tree: Path | None, stand_in: Path | None = None) -> list[str]:
        # attributes are read relative to the working folder, so a work tree is stood in (see merge.py)
        folder = at or work_tree or stand_in or self._own_folder()
        argv = [
            "git",
            "-C",
            str(folder),
            *environment.FLAGS,
        ]  # -C fails loudly where GitPython's cwd would not
        if at is None:
            argv.append(f"--git-dir={self.desk if self._has_desk else self.repository.common_dir}")
        if work_tree is not None:
            argv.append(f"--work-tree={work_tree}")
        return argv

    def _own_folder(self) -> Path:
        own = self.desk / "empty"
        return own if own.exists() else self.repository.common_dir

    def converse(self, *arguments: str, stand_in: Path | None = None) -> Conversation:
        """Start ``git ARGUMENTS`` to talk to; no hooks. It writes only inside :meth:`Conversation.writing`.

        ``stand_in``: what relative paths are meant from. Raises :class:`GitTooOldError` without a git.
        """
        with contextlib.ExitStack() as until_started:
            lock = until_started.enter_context(self._lock_file())
            argv = [*self._prefix(None, None, stand_in), *environment.NO_HOOKS, *arguments]
            process = _start(self._git, argv, environment.ADDED, lock.fileno())
            until_started.pop_all()
        return Conversation(process, lock)

    def _lock_file(self) -> BinaryIO:
        self.repository.state_dir.mkdir(parents=True, exist_ok=True)
        return (self.repository.state_dir / "git-write.lock").open("ab")

    @contextlib.contextmanager
    def exclusive_writes(self) -> Iterator[bool]:
        """Hold the write lock alone, without waiting; yields whether it was had.

        While it is held no git child that writes is alive. For recovery, see the module's text.
        """
        with self._write_lock(shared=False, wanted=True) as descriptors:
            yield bool(descriptors)

    @contextlib.contextmanager
    def _write_lock(self, *, shared: bool, wanted: bool) -> Iterator[tuple[int, ...]]:
        if not wanted or WINDOWS:
            yield ()
            return
        with self._lock_file() as file:
            held = lock(file.fileno(), wait=shared, shared=shared)
            yield (file.fileno(),) if held else ()


def _execute(
    git: gitpython.Git, argv: list[str], given: BinaryIO, env: Mapping[str, str], held: tuple[int, ...]
) -> tuple[int, bytes, str | bytes]:
    try:
        answer: tuple[int, bytes, str | bytes] = git.execute(
            argv,
            istream=given,
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            env=env,
            **_process(held),
        )
    except gitpython.GitCommandNotFound as error:
        raise GitTooOldError(None, _dotted(MINIMUM)) from error
    return answer


def _start(git: gitpython.Git, argv: list[str], env: Mapping[str, str], held: int) -> object:
    try:
        return git.execute(argv, istream=_PIPE, as_process=True, env=env, **_process((held,)))
    except gitpython.GitCommandNotFound as error:
        raise GitTooOldError(None, _dotted(MINIMUM)) from error


@contextlib.contextmanager
def _input(stdin: bytes | None) -> Iterator[BinaryIO]:
    """GitPython hands stdin to the child as it is, so it must be a real file."""
    if stdin is None:
        with Path(os.devnull).open("rb") as nothing:
            yield nothing
        return
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        yield cast("BinaryIO", given)


def _process(descriptors: tuple[int, ...]) -> dict[str, Any]:
    """A process group of its own: Ctrl-C ends planctl in order, not a git child in the middle of a write."""
    if WINDOWS:
        return {}
    return {"pass_fds": descriptors, "process_group": 0}


def _text(messages: str | bytes) -> str:
    return messages.decode("utf-8", "replace") if isinstance(messages, bytes) else messages


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def branch_reference(branch: str) -> str:
    """Return ``refs/heads/BRANCH``; raise :class:`InvalidReferenceError` for a name that git refuses."""
    reference = f"refs/heads/{branch}"
    if branch.startswith("-") or branch == "HEAD":
        raise InvalidReferenceError(branch)
    return valid_reference(reference)


def valid_reference(name: str) -> str:
    """Return ``name``; raise :class:`InvalidReferenceError` if git-check-ref-format would refuse it."""
    if len(name) > MAX_REFERENCE or "/" not in name or not _REFERENCE.fullmatch(name):
        raise InvalidReferenceError(name)
    return name
