"""Submodules of a slot, filled from those of the main repository; nothing is fetched that is there.

git keeps the submodules of a worktree in its own metadata folder (``<git_dir>/modules``). They are cloned
from ``<common>/modules`` by path, with ``protocol.file.allow`` given for exactly those paths, and their
``origin`` is set to the real address afterwards. A submodule that the user never initialised is left alone,
as git itself does. The user's configuration is not written (``submodule init`` would).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.errors import ProvisioningError
from worktrees.removal import delete_tree
from worktrees.slot import run_in

if TYPE_CHECKING:
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.slot import SlotTree


_UPDATE: Final = ("submodule", "update", "-q", "--checkout", "--force", "--")


@dataclass(frozen=True, slots=True)
class _Submodule:
    name: str
    path: str
    source: Path


def update_submodules(
    git: Git, tree: SlotTree, descriptors: tuple[int, ...] = (), *, clean: bool = False
) -> tuple[str, ...]:
    """Bring every submodule that the main repository has to the commit the slot's index names.

    Returns their paths. ``clean`` also deletes untracked and ignored files in them. Raises
    :class:`GitFailedError`, and :class:`ProvisioningError` for a commit that neither the main repository
    nor the submodule's own address has.
    """
    found = _submodules(git, tree)
    for submodule in found:
        _update(git, tree, submodule, descriptors)
        if clean:
            with step("submodules.clean"):
                git.run("clean", "-q", "-ffdx", at=tree.path / submodule.path, writes=True)
    return tuple(submodule.path for submodule in found)


def drop_vanished(git: Git, tree: SlotTree, commit: str) -> None:
    """Delete the folders of filled submodules that ``commit`` does not have; git would leave them behind.

    Their repositories stay in the metadata folder; their work is the rescue's concern, which comes first.
    """
    if not (tree.git_dir / "modules").is_dir():
        return
    now = _gitlinks(run_in(git, tree, "ls-files", "-s", "-z").records, "\t")
    coming = _gitlinks(run_in(git, tree, "ls-tree", "-r", "-z", "--full-tree", commit).records, "\t")
    for path in sorted(now - coming):
        delete_tree(tree.path / path)


def _submodules(git: Git, tree: SlotTree) -> list[_Submodule]:
    file = tree.path / ".gitmodules"
    if file.is_symlink() or not file.is_file():
        return []
    listed = run_in(
        git, tree, "config", "-z", "-f", str(file), "--get-regexp", r"^submodule\..*\.path$", ok=(0, 1)
    ).records
    links = _gitlinks(run_in(git, tree, "ls-files", "-s", "-z").records, "\t")
    modules = git.repository.common_dir / "modules"
    found = []
    for record in listed:
        key, _, path = record.partition("\n")
        name = key.removeprefix("submodule.").removesuffix(".path")
        # a name is a path below modules/: '..' in it is an attack (CVE-2018-11235)
        if path in links and ".." not in PurePosixPath(name).parts and (modules / name / "HEAD").is_file():
            found.append(_Submodule(name, path, modules / name))
    return found


def _update(git: Git, tree: SlotTree, submodule: _Submodule, descriptors: tuple[int, ...]) -> None:
    inner = tree.path / submodule.path
    if (inner / ".git").exists():
        _fetch(git, inner, submodule)
    flags = (
        "-c", "protocol.file.allow=always",
        "-c", f"submodule.{submodule.name}.url={submodule.source}",
        "-c", f"submodule.{submodule.name}.active=true",
    )  # fmt: skip
    fresh = not (inner / ".git").exists()
    with step("submodules.update"):
        done = run_in(git, tree, *flags, *_UPDATE, submodule.path, ok=(), descriptors=descriptors)
    address = git.run("config", "--get", "remote.origin.url", at=submodule.source, ok=(0, 1)).text
    if fresh and address and (inner / ".git").exists():
        with step("submodules.address"):
            git.run("remote", "set-url", "origin", "--", address, at=inner, writes=True)
    if done.status:
        with step("submodules.fetch"):  # the main repository may be behind: ask the real address
            again = run_in(git, tree, *flags[-2:], *_UPDATE, submodule.path, ok=(), descriptors=descriptors)
        if again.status:
            reason = (again.messages or done.messages).strip().splitlines()[-1:]
            raise ProvisioningError(tree.path, f"submodule {submodule.path}: {' '.join(reason)}")


def _fetch(git: Git, inner: Path, submodule: _Submodule) -> None:
    with step("submodules.fetch"):
        git.run(
            "-c", "protocol.file.allow=always", "fetch", "-q", "--no-tags", "--no-write-fetch-head", "--",
            os.fspath(submodule.source), "+refs/*:refs/planctl/main/*", "+HEAD:refs/planctl/main-head",
            at=inner, writes=True,
        )  # fmt: skip


def _gitlinks(records: list[str], separator: str) -> frozenset[str]:
    return frozenset(r.split(separator, 1)[1] for r in records if r.startswith("160000 "))
