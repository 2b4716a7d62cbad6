"""Bring the checkout one stands in to the target, and land what waited for it.

1. a checkout that ``checkout: detach`` took off the target goes back onto it, edits kept
2. what a dead worker left half-way here is finished (the first thing that any worker does)
3. entries that were blocked are tried again; as the user asks for it, ``checkout: wait`` waits no more

What is in the way is named, path by path, and left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from orchestrator.errors import UsageError
from orchestrator.merging.settle import settle
from orchestrator.services.queue import drain
from orchestrator.services.queuerows import queue_entries
from orchestrator.states import EntryState
from orchestrator.submitting.checkouts import detached_from, forget_detached
from worktrees.changedpaths import changed_between
from worktrees.checkout import attach_checkout, is_attached
from worktrees.errors import CheckoutInTheWayError
from worktrees.follow import obstacles
from worktrees.subfollow import bring_submodules
from worktrees.symbolic import head_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


class Place(StrEnum):
    """Where the checkout is in the end."""

    ON_TARGET = "on-target"
    DETACHED = "detached"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of it. ``paths`` are in the way of the checkout itself, ``detail`` says how.

    ``entries`` are those that had been blocked, as they are now.
    """

    top: Path
    place: Place
    head: str
    paths: tuple[str, ...]
    detail: str
    entries: tuple[Entry, ...]

    @property
    def in_the_way(self) -> tuple[str, ...]:
        """Every path of the user's that something waits for, sorted."""
        found = {path for entry in self.blocked for path in entry.reason.get("paths", ())}
        return tuple(sorted({*self.paths, *found}))

    @property
    def blocked(self) -> tuple[Entry, ...]:
        """The entries that still are."""
        return tuple(entry for entry in self.entries if entry.state is EntryState.BLOCKED)

    @property
    def succeeded(self) -> bool:
        """Whether nothing waits for this checkout any more."""
        return not self.detail and not self.blocked


def sync(
    bench: Workbench,
    session: SessionHandle,
    *,
    cancel: threading.Event,
    on_change: Callable[[], None] = lambda: None,
) -> Synced:
    """See the module's text. Raises UsageError where there is no checkout (a bare repository)."""
    top = bench.repository.top
    if top is None:
        raise UsageError("here is no checkout (a bare repository, or inside .git)")
    paths, detail = _back_onto_target(bench, top)
    entries = _queue_blocked(bench)
    ended = drain(bench, session, [e.id for e in entries], cancel=cancel, on_change=on_change)
    return Synced(top, _place(bench), _head(bench), paths, detail, tuple(ended))


def _back_onto_target(bench: Workbench, top: Path) -> tuple[tuple[str, ...], str]:
    """Step 1; returns what is in the way, in paths and in words; nothing when nothing is."""
    git_dir, store = bench.repository.git_dir, bench.store
    left = detached_from(store, git_dir)
    if left is None:
        return (), ""
    head = head_of(git_dir)
    if head.startswith("ref: "):  # the user went on by other ways
        forget_detached(store, git_dir)
        return (), ""
    target, tip = left[0], bench.references.resolve(left[0])
    if not bench.objects.is_ancestor(head, tip):
        return (), f"HEAD is detached at {head[:12]}, which is on no branch: `git switch -c NAME` keeps it"
    paths = obstacles(bench.git, (git_dir, top), head, tip)
    if paths:
        return paths, "your changes are in the way"
    try:
        attach_checkout(bench.git, top, target.removeprefix("refs/heads/"))
    except CheckoutInTheWayError as error:
        return error.paths, error.reason
    forget_detached(store, git_dir)
    bring_submodules(bench.git, top, changed_between(bench.git, head, tip))
    return (), ""


def _queue_blocked(bench: Workbench) -> list[Entry]:
    with bench.store.transaction():
        blocked = bench.store.entries(target=bench.target, states={EntryState.BLOCKED})
        return [settle(bench, entry, EntryState.QUEUED) for entry in blocked]


def _place(bench: Workbench) -> Place:
    git_dir = bench.repository.git_dir
    if is_attached(git_dir, bench.target):
        return Place.ON_TARGET
    return Place.ELSEWHERE if head_of(git_dir).startswith("ref: ") else Place.DETACHED


def _head(bench: Workbench) -> str:
    head = head_of(bench.repository.git_dir)
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else head


def synced_json(bench: Workbench, synced: Synced) -> dict[str, Any]:
    """``{"checkout", "place", "head", "target", "tip", "detail", "in_the_way", "entries"}``."""
    shown = {e["id"]: e for e in queue_entries(bench.store.entries(target=bench.target), every=True)}
    return {
        "checkout": str(synced.top),
        "place": str(synced.place),
        "head": synced.head,
        "target": bench.settings.project.target,
        "tip": bench.target_tip(),
        "detail": synced.detail,
        "in_the_way": list(synced.in_the_way),
        "entries": [shown[entry.id] for entry in synced.entries],
    }
