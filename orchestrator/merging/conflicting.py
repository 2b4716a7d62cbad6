"""What becomes of an entry that does not merge: a resolver has it next, or a person.

| | the entry is |
| --- | --- |
| no `resolver:` is set | conflicted |
| it is landed by rebase, which keeps no merges | conflicted, `resolver-method` |
| so many heads in a row were resolved, and the last conflicts again | conflicted, `resolver-again` |
| else | resolving |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.merging.evidence import conflict
from orchestrator.states import EntryState
from plans.project import Method
from worktrees.whochanged import who_changed

if TYPE_CHECKING:
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.merge import Conflicted

MOST_RESOLUTIONS: Final = 3
"""Resolved heads in a row that may conflict again before a person must look."""
TIMES: Final = "resolutions"
"""The field of a reason that counts them."""


def conflicted(
    bench: Workbench, entry: Entry, made: Conflicted, old: str
) -> tuple[EntryState, dict[str, Any]]:
    """The state that follows, and its reason: the conflict on ``old``, and who else is in it."""
    why = conflict(made) | {"target_commit": old, "others": _others(bench, entry, made, old)}
    hindrance = _hindrance(bench, entry)
    if not bench.settings.project.resolver:
        return EntryState.CONFLICTED, why
    if hindrance:
        code, detail = hindrance
        return EntryState.CONFLICTED, {**why, "code": code, "detail": f"{why['detail']}; {detail}"}
    return EntryState.RESOLVING, {**why, "code": "resolving"}


def _hindrance(bench: Workbench, entry: Entry) -> tuple[str, str] | None:
    if (entry.method or bench.settings.project.method) == Method.REBASE:
        return "resolver-method", "a resolver makes a merge, which a rebase cannot land"
    if int(entry.reason.get(TIMES, 0)) >= MOST_RESOLUTIONS:
        return "resolver-again", f"it was resolved {MOST_RESOLUTIONS} times, and conflicts again"
    return None


def _others(bench: Workbench, entry: Entry, made: Conflicted, old: str) -> list[dict[str, str]]:
    """What landed on these paths since the work began, newest first, told by the commits' trailers."""
    bases = (entry.base,) if entry.explicit_base else bench.objects.merge_bases(old, entry.head)
    if not bases:
        return []
    touches = who_changed(bench.git, bases[0], old, made.paths)
    return [{"commit": t.commit, "plan": t.plan, "entry": t.key, "subject": t.subject} for t in touches]
