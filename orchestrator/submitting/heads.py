"""What an entry is to land has a reference of planctl's own before the entry is there (S15).

A branch may be deleted or moved the moment after it was handed in, here or on the remote, and its commits
pruned by the next ``git gc``. The reference goes when the entry has ended; see ``merging/resolving``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from orchestrator.states import OPEN_ENTRIES, EntryState
from orchestrator.submitting.key import head_reference
from worktrees.errors import ReferenceMovedError
from worktrees.references import Create

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.workbench import Workbench

KEPT: Final = OPEN_ENTRIES | {EntryState.RESOLVING}
"""The states of an entry whose head is kept."""


def keep_head(bench: Workbench, key: str, head: str) -> None:
    """Have a reference keep ``head``, if it is there at all; raises GitFailedError."""
    name = head_reference(key)
    if bench.references.read(name) is not None or not bench.objects.has_commit(head):
        return
    with contextlib.suppress(ReferenceMovedError):  # another process has handed in the same
        bench.references.transact([Create(name, head)], message="planctl: entry", step="entry.keep")


@contextlib.contextmanager
def head_kept(bench: Workbench, key: str, head: str) -> Iterator[None]:
    """The same, around what puts an entry into the queue: one that had ended may just be let go."""
    keep_head(bench, key, head)
    yield
    keep_head(bench, key, head)
