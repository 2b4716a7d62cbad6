"""What ``git sparse-checkout`` turns on in the user's configuration, noted before and undone afterwards.

``sparse:`` is the only thing for which git, run by planctl, writes the shared configuration: it
sets ``extensions.worktreeConfig``, raises ``core.repositoryFormatVersion``, and moves ``core.bare`` and
``core.worktree`` into ``config.worktree``. Promise: where nothing else was changed since, the file is again
as it was, byte for byte; else those settings alone are taken back. Not undone while another worktree has
settings of its own, since git would no longer read them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from plans.effects import step, write_atomic
from worktrees.scratch import scratch_folder
from worktrees.slot import registered

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.repository import Repository

_EXTENSION: Final = "extensions.worktreeconfig"
_VERSION: Final = "core.repositoryformatversion"
_MOVED: Final = ("core.bare", "core.worktree")


@dataclass(frozen=True, slots=True)
class _Before:
    """The configuration's bytes (as Latin-1 text), and whether the main checkout had settings of its own."""

    config: str
    had_own: bool


def note_config(git: Git) -> None:
    """Note how the configuration is, unless the extension is on already; under the metadata lock."""
    repository = git.repository
    note, config = _note(repository), repository.common_dir / "config"
    if note.exists() or _EXTENSION in _values(git, config):
        return
    had_own = (repository.common_dir / "config.worktree").exists()
    before = _Before(config.read_bytes().decode("latin-1"), had_own)
    with step("worktreeconfig.note"):
        write_atomic(note, json.dumps(asdict(before)).encode("ascii"))


def restore_config(git: Git) -> bool:
    """Undo it; the slots are gone. False where another worktree's own settings keep it from being undone."""
    repository = git.repository
    if not _note(repository).exists():
        return True
    if any((git_dir / "config.worktree").exists() for git_dir, _ in registered(repository.common_dir)):
        return False
    before = _Before(**json.loads(_note(repository).read_bytes()))
    own = repository.common_dir / "config.worktree"
    with scratch_folder(git) as scratch:
        _write(repository.common_dir / "config", _taken_back(git, scratch, before, own))
    if not before.had_own:
        with step("worktreeconfig.own"):
            own.unlink(missing_ok=True)
    return True


def _taken_back(git: Git, scratch: Path, before: _Before, own: Path) -> bytes:
    """The configuration as it is, without what the extension changed; the old bytes where that is all."""
    old, new = scratch / "old", scratch / "new"
    with step("worktreeconfig.draft"):
        old.write_bytes(before.config.encode("latin-1"))
        shutil.copyfile(git.repository.common_dir / "config", new)
        then, now, moved = _values(git, old), _values(git, new), _values(git, own) if own.exists() else {}
        wanted = {key: then.get(key) for key in (_EXTENSION, _VERSION)}
        wanted |= {key: moved[key] for key in _MOVED if key in moved and not before.had_own}
        for key, value in wanted.items():
            if value is None and key in now:
                git.run("config", "-f", str(new), "--unset-all", key, writes=True)
            elif value is not None and now.get(key) != value:
                git.run("config", "-f", str(new), key, value, writes=True)
    return old.read_bytes() if _values(git, new) == then else new.read_bytes()


def _write(path: Path, content: bytes) -> None:
    if path.read_bytes() != content:
        with step("worktreeconfig.restore"):
            write_atomic(path.resolve(), content)


def _values(git: Git, path: Path) -> dict[str, str]:
    """Every key and value of one file, in order; values of a key that stands more than once are joined."""
    found: dict[str, str] = {}
    for record in git.run("config", "-z", "-f", str(path), "--list").records:
        key, _, value = record.partition("\n")
        found[key] = f"{found[key]}\0{value}" if key in found else value
    return found


def _note(repository: Repository) -> Path:
    return repository.state_dir / "config-before.json"
