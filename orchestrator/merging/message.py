"""What a landing's commit says, and the trailers by which anybody can tell what it landed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.project import Method
from worktrees.trailers import BATCH_TRAILER, KEY_TRAILER, PLAN_TRAILER, RUN_TRAILER, with_trailers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench

_SHOWN: Final = 3


def landing_message(bench: Workbench, entry: Entry, method: Method, old: str) -> str:
    """The message without trailers: a squash of one commit keeps its message, of several lists them.

    ``old`` is the target's commit that it lands on.
    """
    if method is not Method.SQUASH:
        return f"Merge plan '{entry.plan}'" if entry.plan else f"Merge branch '{entry.branch}'"
    commits = bench.objects.commits(entry.head, entry.base, old)
    messages = [bench.objects.message(c) for c in commits if len(bench.objects.parents(c)) <= 1]
    if len(messages) == 1:
        return messages[0]
    subjects = "\n".join(f"* {m.strip().splitlines()[0]}" for m in messages if m.strip())
    name = f"Plan '{entry.plan}'" if entry.plan else f"Branch '{entry.branch}'"
    return f"{name}\n\n{subjects}" if subjects else name


def batch_message(entries: Sequence[Entry]) -> str:
    """The message of the commit over a batch: who is in it; the commits below carry the keys."""
    names = [entry.plan or entry.branch for entry in entries]
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    listed = "\n".join(f"* {name}" for name in names)
    message = f"Merge {len(names)} at once: {shown}\n\n{listed}"
    return with_trailers(message, ((BATCH_TRAILER, entries[0].id),), replacing=(BATCH_TRAILER,))


def landing_trailers(entry: Entry) -> dict[str, str]:
    """``Plan-Id``, ``Planctl-Key`` and ``Planctl-Run``, as far as there are such."""
    trailers = {PLAN_TRAILER: entry.plan, KEY_TRAILER: entry.id, RUN_TRAILER: entry.run}
    return {name: value for name, value in trailers.items() if value}
