"""What the trailers of a remote's target tell: its landings, noted in the mirror's folder ``told``.

Only of the target's first-parent history, and of the side chains of batches: whoever writes a branch may
write what trailers they like. Also what a landed reference tells as well: anybody may delete that on the
remote, at any time. A mark beside them, for each target, says to which commit it has been read. It is a
reference as well, and moves with what was read: whatever takes all of them away has them read anew.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from orchestrator.submitting.key import BY_KEY, landed_folder
from plans.errors import InvalidNameError
from plans.ids import PlanId
from worktrees.errors import ReferenceMovedError
from worktrees.references import Create, Update
from worktrees.shallow import is_shallow
from worktrees.trailers import BATCH_TRAILER, KEY_TRAILER, PLAN_TRAILER, trailers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.workbench import Workbench
    from worktrees.mirror import Mirror
    from worktrees.references import Change

_DIGITS: Final = 20
_MERGED: Final = 2


def note_landings(bench: Workbench, mirror: Mirror, tip: str) -> None:
    """Note the landings that are new on the target since the mark, and move it; all, where that was lost.

    A commit that the target has lost again is replaced by that of a later landing of the same key. In a
    shallow clone there is no mark: what lies behind its edge is still to be read.
    """
    read = bench.references.read(mirror.read)
    if read == tip:
        return
    known = read is not None and bench.objects.is_ancestor(read, tip)
    made: dict[str, str] = {}
    for name, commit in _landings(bench, mirror, tip, (f"^{read}",) if known else ()):
        made.setdefault(name, commit)  # the newest comes first
    marks = not is_shallow(bench.repository)
    _change(bench, lambda: [*_untold(bench, made, tip), *(_marked(bench, mirror, tip) if marks else ())])


def tell(bench: Workbench, made: Mapping[str, str], tip: str) -> None:
    """Have references in the folder ``told`` name these commits, unless the target has what they name."""
    _change(bench, lambda: _untold(bench, made, tip))


def _change(bench: Workbench, changes_now: Callable[[], list[Change]]) -> None:
    while changes := changes_now():
        # another process of this clone has made some of them meanwhile
        with contextlib.suppress(ReferenceMovedError):
            bench.references.transact(changes, message="planctl: remote", step="remote.trailers")
            return


def _marked(bench: Workbench, mirror: Mirror, tip: str) -> list[Change]:
    found = bench.references.read(mirror.read)
    if found == tip:
        return []
    return [Update(mirror.read, tip, found) if found else Create(mirror.read, tip)]


def _untold(bench: Workbench, made: Mapping[str, str], tip: str) -> list[Change]:
    changes: list[Change] = []
    for name, commit in made.items():
        found = bench.references.read(name)
        if found is None:
            changes.append(Create(name, commit))
        elif found != commit and not bench.objects.is_ancestor(found, tip):
            changes.append(Update(name, commit, found))
    return changes


def _landings(
    bench: Workbench, mirror: Mirror, tip: str, since: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    greps = (f"--grep=^{KEY_TRAILER}: ", f"--grep=^{BATCH_TRAILER}: ")
    asked = ("log", "--first-parent", "-z", "--format=%H %P%n%B", *greps)
    for record in bench.git.run(*asked, "--end-of-options", tip, *since).records:
        heading, _, message = record.lstrip("\n").partition("\n")
        commit, *parents = heading.split()
        trailers = trailers_of(message)
        key = trailers.get(KEY_TRAILER, "")
        if BATCH_TRAILER in trailers and len(parents) == _MERGED:
            yield from _landings(bench, mirror, parents[1], (f"^{parents[0]}",))
        elif len(key) == _DIGITS and key.isalnum():
            yield f"{landed_folder(mirror.told, _subject(trailers))}/{key}", commit


def _subject(trailers: Mapping[str, str]) -> str:
    """Whose landing it is; whoever may push may write whatever there, also what is no name of a reference."""
    try:
        return PlanId.parse(trailers[PLAN_TRAILER])
    except (KeyError, InvalidNameError):
        return BY_KEY
