"""Ignored files of the main checkout, such as ``.env`` and ``node_modules``, copied or linked into a slot.

Only what git ignores in the main checkout is brought, and nothing over a file that the slot tracks. Links
are copied as links and never followed; a linked source and every target must lie inside their own root
after resolving links. What the slot's base does not ignore by itself (a link called ``node_modules`` is
not matched by ``node_modules/``) is written into planctl's block of excludes, so that it is no leftover.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.effects import step
from plans.systems import WINDOWS
from worktrees.clone_file import clone_file, same_file
from worktrees.exclude import exclude, literal_pattern
from worktrees.removal import delete_tree
from worktrees.slot import run_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worktrees.git import Git
    from worktrees.slot import SlotTree

_GLOB: Final = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Brought:
    """What was brought, as paths from the top; ``skipped`` are (path or pattern, reason)."""

    paths: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


def bring(git: Git, tree: SlotTree, *, copy: Sequence[str], link: Sequence[str]) -> Brought:
    """Bring the files that the patterns name; what is there already and equal stays as it is.

    A pattern without wildcards names one file or folder, brought whole if it is ignored, else its ignored
    files; one with wildcards is git's ``:(glob)`` and brings files one by one. Raises :class:`OSError`,
    :class:`GitFailedError`.
    """
    top = git.repository.primary_top
    if top is None or not (copy or link):
        nothing = "the repository has no main checkout"
        return Brought(skipped=tuple((pattern, nothing) for pattern in (*copy, *link)))
    brought: list[str] = []
    skipped: list[tuple[str, str]] = []
    for patterns, place in ((copy, _copy), (link, _link)):
        paths, missing = _sources(git, top, patterns)
        skipped += missing
        tracked = _tracked(git, tree, paths)
        for path in paths:
            reason = _refusal(top, tree.path, path, tracked) or place(top / path, tree.path / path, top)
            if reason:
                skipped.append((path, reason))
            else:
                brought.append(path)
    skipped += _exclude(git, tree, brought)
    return Brought(tuple(brought), tuple(skipped))


def sources_of(git: Git, patterns: Sequence[str]) -> list[str]:
    """The ignored files and folders of the main checkout that the patterns name now, from its top, sorted."""
    top = git.repository.primary_top
    return sorted(_sources(git, top, patterns)[0]) if top is not None and patterns else []


def _sources(git: Git, top: Path, patterns: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    literal = {p.strip("/") for p in patterns if not _GLOB.search(p) and os.path.lexists(top / p.strip("/"))}
    ignored = _ignored(git, top, sorted(literal))
    found: dict[str, None] = dict.fromkeys(sorted(ignored))
    missing = []
    for pattern in patterns:
        if pattern.strip("/") in ignored:
            continue
        listed = git.run(
            "ls-files",
            "-z",
            "--others",
            "--ignored",
            "--exclude-standard",
            "--",
            f":(top,glob){pattern}",
            at=top,
        ).records
        found.update(dict.fromkeys(path.rstrip("/") for path in listed))
        if not listed:
            missing.append((pattern, "no ignored file of the main checkout matches"))
    return list(found), missing


def _ignored(git: Git, top: Path, paths: list[str]) -> frozenset[str]:
    if not paths:
        return frozenset()
    given = "".join(f"{p}\0" for p in paths).encode("utf-8", "surrogateescape")
    return frozenset(git.run("check-ignore", "-z", "--stdin", at=top, stdin=given, ok=(0, 1)).records)


def _tracked(git: Git, tree: SlotTree, paths: list[str]) -> frozenset[str]:
    """Those of ``paths`` that the slot tracks, and all folders above tracked files among them."""
    if not paths:
        return frozenset()
    given = [f":(top,literal){p}" for p in paths]
    found: set[str] = set()
    for start in range(0, len(given), 1000):  # an argument list has its limit
        for name in run_in(git, tree, "ls-files", "-z", "--", *given[start : start + 1000]).records:
            found.add(name)
            found.update(name[: m.start()] for m in re.finditer("/", name))
    return frozenset(found)


def _refusal(top: Path, slot: Path, path: str, tracked: frozenset[str]) -> str | None:
    if path in tracked:
        return "it is tracked here"
    for root in (top, slot):
        parent = os.path.realpath((root / path).parent)
        if os.path.commonpath([os.path.realpath(root), parent]) != os.path.realpath(root):
            return f"it leads out of {root}"
    return None


def _link(source: Path, target: Path, top: Path) -> str | None:
    real = os.path.realpath(source)
    if os.path.commonpath([os.path.realpath(top), real]) != os.path.realpath(top):
        return f"it leads out of {top}"
    if target.is_symlink() and os.readlink(target) == str(source):  # noqa: PTH115 - its text
        return None
    delete_tree(target)
    with step("bring.link"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.symlink_to(source, target_is_directory=source.is_dir())
        except OSError:
            if not WINDOWS:  # Windows asks for a privilege that most people do not have
                raise
            return _copy(source, target, top)
    return None


def _copy(source: Path, target: Path, top: Path) -> str | None:
    mode = source.lstat().st_mode
    if stat.S_ISDIR(mode):
        if target.is_symlink() or not target.is_dir():
            delete_tree(target)
            with step("bring.folder"):
                target.mkdir(parents=True)
        for entry in source.iterdir():
            _copy(entry, target / entry.name, top)
        return None
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        return "it is neither file, folder nor link"
    if not same_file(source, target):
        delete_tree(target)
        with step("bring.folder"):
            target.parent.mkdir(parents=True, exist_ok=True)
        clone_file(source, target)
    return None


def _exclude(git: Git, tree: SlotTree, brought: list[str]) -> list[tuple[str, str]]:
    """Exclude what the slot does not ignore by itself; report what gitignore cannot name."""
    missing = sorted(set(brought) - _ignored(git, tree.path, brought))
    patterns = {path: literal_pattern(path) for path in missing}
    exclude(git.repository, [p for p in patterns.values() if p])
    return [(path, "its name cannot be excluded") for path, p in patterns.items() if p is None]
