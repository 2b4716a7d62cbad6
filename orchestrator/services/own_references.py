"""planctl's own references that a power cut broke: made anew from what else tells where they were.

| reference | becomes |
| --- | --- |
| ``epoch``, ``candidates/…`` | absent: the next worker makes its own |
| ``entries/…`` | the head that the store knows |
| ``landed/…`` | the commit that the store or the target's history knows; absent where it never landed |
| ``phases/…`` | the commit of the store; absent where it knows none: nobody can be stacked on it any more |
| ``remote/…`` | absent: the next look at the remote brings it, or reads it anew |
| ``runs/…`` | the frozen plans that the store names |

Everything else (what was rescued or archived) has no second witness: its name stays, and ``doctor`` tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.merging.tenure import EPOCH
from orchestrator.scheduling.basing import PHASES
from orchestrator.scheduling.freeze import RUNS
from orchestrator.states import EntryState, IntentState
from orchestrator.submitting.key import CANDIDATES, HEADS, LANDED
from worktrees.damage import broken_references, put_back, remove_broken
from worktrees.mirror import ROOT as REMOTES
from worktrees.mirror import mark_of
from worktrees.references import OWN, Delete
from worktrees.trailers import KEY_TRAILER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.workbench import Workbench

_MADE_ANEW: Final = (EPOCH, f"{CANDIDATES}/", f"{HEADS}/", f"{PHASES}/")


def is_mendable(name: str) -> bool:
    """Whether :func:`mend` may do something about this reference."""
    return name.startswith((f"{REMOTES}/", *_MADE_ANEW, f"{LANDED}/", f"{RUNS}/"))


def mend_all(bench: Workbench) -> None:
    """Mend what can be; after a start of the machine, before anything relies on it."""
    for name in broken_references(bench.objects, OWN):
        if is_mendable(name):
            mend(bench, name)


def mend(bench: Workbench, name: str) -> None:
    """Have a broken reference stand where it was, or nowhere; see the module's text."""
    if name.startswith(f"{REMOTES}/"):
        remove_broken(bench.git, bench.objects, name)
        mark = mark_of(name)
        if mark is not None and (read := bench.references.read(mark)):
            bench.references.transact([Delete(mark, read)], message="planctl: read anew", step="remote.mark")
        return
    tip = bench.target_tip()
    back = put_back(bench.git, bench.objects, name, _places(bench, name, tip), tip)
    if back is None and (name.startswith(_MADE_ANEW) or _never_landed(bench, name)):
        remove_broken(bench.git, bench.objects, name)


def _never_landed(bench: Workbench, name: str) -> bool:
    """Whether it is of a landing that was being made, which the target does not contain."""
    entry = bench.store.entry(name.rpartition("/")[2]) if name.startswith(f"{LANDED}/") else None
    return entry is not None and entry.state is not EntryState.LANDED


def _places(bench: Workbench, name: str, tip: str) -> Iterator[str]:
    """Where it may have been, as far as somebody else knows."""
    last = name.rpartition("/")[2]
    if name.startswith(f"{LANDED}/"):
        yield from (commit for commit in _landings(bench, last, tip) if bench.objects.has_commit(commit))
    elif name.startswith(f"{PHASES}/"):
        plan = name.removeprefix(f"{PHASES}/").rpartition("/")[0]
        yield from (done.commit for done in bench.store.phases_done(plan) if done.phase == last)
    elif name.startswith(f"{HEADS}/") and (entry := bench.store.entry(last)):
        yield entry.head
    elif name.startswith(f"{RUNS}/") and (run := bench.store.run(last)):
        yield run.frozen


def _landings(bench: Workbench, key: str, tip: str) -> Iterator[str]:
    entry = bench.store.entry(key)
    if entry is not None and entry.landed_commit:
        yield entry.landed_commit
    yield from (i.members[key] for i in bench.store.intents({IntentState.DONE}) if key in i.members)
    grep = (f"--grep=^{KEY_TRAILER}: {key}$", "--format=%H", "-1")
    yield from bench.git.run("log", *grep, "--end-of-options", tip).text.split()
