"""The conflict of one entry, from the resolver's start to the new head in the queue, or back to a person.

The order matters; killed anywhere, whoever looks next goes on or has put everything back:

1. the place: the plan's worktree, or a free slot
2. the journal of the slot (slots/prepared.py): from here on nobody else gets it; it is put on the branch
3. the merge of the target's tip is prepared, as ``git merge`` leaves it
4. the resolver runs under a supervisor, as long as it likes; others land meanwhile
5. it ended well: the merge is committed, the journal ``done``; in one transaction the new head is queued in
   the old one's place and the old one is dropped; then the journal goes.
   It did not: the worktree is put back (returning.py), then the entry is conflicted

Found with a journal: without a command it is put back and begun anew, with one it goes on at 4 or 5.
The caller holds the lease of :func:`lease_of`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BusyError, LeaseLostError, StaleRecordError, StoreUnusableError
from orchestrator.events import EventName
from orchestrator.mending.handing import again, back, merges_now, resolved, tell
from orchestrator.mending.holding import current, own_worktree, require_held, rewrite
from orchestrator.mending.judging import outcome
from orchestrator.mending.place import TAKEN, Back, Place, find_place, leave, move_in
from orchestrator.mending.preparing import keep_ignored, merge_into, merges_by_now
from orchestrator.mending.returning import end_command, put_back
from orchestrator.mending.telling import Told, tell_resolver
from orchestrator.running.places import record_folder
from orchestrator.running.spec import CommandSpec, Ended, Outcome, ParentDeath, shell_argv
from orchestrator.running.supervision import find, launch, poll, stop_tree, stop_wish
from orchestrator.running.waiting import make_wake, wait
from orchestrator.slots.prepared import Prepared, begin, journals
from orchestrator.states import EntryState
from plans.errors import PlanctlError
from worktrees.marked import marked, marked_in, marker_sizes
from worktrees.merge import Conflicted, merge_trees
from worktrees.preparedmerge import fingerprint, unmerged
from worktrees.stash import pin_stashes

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.leases.lease import HeldLease
    from orchestrator.running.spec import Supervised
    from orchestrator.slots.keeper import SlotKeeper
    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench
    from worktrees.slot import SlotTree

LATER: Final = "resolver-later"
_NOT_NOW: Final = 75
"""``EX_TEMPFAIL``."""
_LOOK: Final = 0.2
"""Seconds between two looks whether the resolver is still wanted."""


class _NotWantedError(Exception):
    """planctl is asked to end, or somebody has dropped the entry."""


class Resolution:
    """Resolves one entry; ``halted`` says that planctl is asked to end."""

    def __init__(
        self,
        bench: Workbench,
        keeper: SlotKeeper,
        entry: Entry,
        lease: HeldLease,
        halted: Callable[[], bool],
    ) -> None:
        self._bench = bench
        self._keeper = keeper
        self._entry = entry
        self._lease = lease
        self._halted = halted

    def go(self) -> None:
        """Bring the entry, which is ``resolving``, as far as it goes.

        It is ``resolving`` still when it is to be tried again. Raises StaleRecordError when somebody moved
        it meanwhile; then everything is put back. Raises LeaseLostError when another process has it by now,
        BusyError when one is in the middle of putting it back: then nothing is: the worktree, and the command
        in it, are that one's.
        """
        prepared = self._found()
        try:
            if prepared is None:
                prepared = self._begin()
            if prepared is not None:
                # once it is noted, what lies in the worktree beside it is somebody's later work
                self._end(prepared, prepared.commit or self._answer(prepared))
        except _NotWantedError:
            self._take_back()
        except StaleRecordError:
            self._take_back()
            raise
        except (StoreUnusableError, LeaseLostError, BusyError):
            raise  # it is another process' by now, or nothing can be written at all
        except (PlanctlError, OSError) as error:
            why = Back("resolver-failed", str(error))
            back(self._bench, self._keeper, self._entry, why, self._journal(), lease=self._lease)

    def _take_back(self) -> None:
        require_held(self._bench, self._lease)
        found = self._journal()
        if found is not None:
            end_command(self._bench, found, for_good=False)
            put_back(self._bench, self._keeper, found)

    def _journal(self) -> Prepared | None:
        return next((p for p in journals(self._bench.repository) if p.entry == self._entry.id), None)

    def _found(self) -> Prepared | None:
        """What a dead process had begun and can be gone on with."""
        prepared = self._journal()
        if prepared is None:
            return None
        handle = self._command(prepared)
        if prepared.done or (handle is not None and stop_wish(handle) is not False):
            return prepared
        end_command(self._bench, prepared, for_good=False)
        put_back(self._bench, self._keeper, prepared)
        return None

    def _command(self, prepared: Prepared) -> Supervised | None:
        return find(record_folder(self._bench.repository.state_dir, prepared.record))

    # -- steps 1 to 4: up to a command at work ---------------------------------------------------------

    def _begin(self) -> Prepared | None:
        """None where there is nothing to wait for: the entry has moved on."""
        bench, entry, project = self._bench, self._entry, self._bench.settings.project
        self._require_wanted()
        if not project.resolver:
            back(bench, self._keeper, entry, Back("conflict", ""), lease=self._lease)
            return None
        name = f"{TAKEN}{bench.stamp().lower()}"
        place = find_place(bench, self._keeper, entry, name)
        if isinstance(place, Back):
            back(bench, self._keeper, entry, place, lease=self._lease)
            return None
        log = bench.folder("logs") / f"{name}.log"
        prepared = Prepared(
            entry=entry.id,
            slot=place.slot.name,
            branch=entry.branch,
            ours=entry.head,
            theirs=bench.target_tip(),
            record=name,
            log=str(log),
            taken=place.taken,
            holder=place.slot.attempt or "",
            made=place.made,
        )
        try:
            current(bench, self._lease, entry)
            begin(bench.repository, prepared)
        except (BusyError, OSError, LeaseLostError, StaleRecordError):
            found = self._journal()
            if place.taken and (found is None or found.record != name):
                leave(bench, self._keeper, name)
            raise
        why = move_in(bench, entry, place)
        if why is not None:
            back(bench, self._keeper, entry, why, prepared, lease=self._lease)
            return None
        return self._prepare(place, prepared)

    def _prepare(self, place: Place, prepared: Prepared) -> Prepared | None:
        bench, entry, tree = self._bench, self._entry, place.tree
        if bench.objects.is_ancestor(prepared.theirs, prepared.ours):
            merges_now(bench, self._keeper, entry, prepared, lease=self._lease)
            return None
        base = entry.base if entry.explicit_base else None
        if merges_by_now(bench, entry, prepared.theirs):
            merges_now(bench, self._keeper, entry, prepared, lease=self._lease)
            return None
        kept = keep_ignored(bench, place.slot, tree, prepared.theirs)
        if kept:
            prepared = rewrite(bench, prepared, rescue=kept)
        with own_worktree(bench, prepared):
            merge = merge_into(bench, entry, tree, prepared.theirs)
        if merge.clean:
            merges_now(bench, self._keeper, entry, prepared, lease=self._lease)
            return None
        paths = unmerged(bench.git, tree)
        with_markers = self._marked(prepared, tree, base)
        self._require_mine()
        prepared = rewrite(bench, prepared, marked=with_markers, print=fingerprint(bench.git, tree))
        if not paths:  # rerere.autoupdate: the user trusts what was recorded
            self._end(prepared, self._outcome(prepared, tree))
            return None
        bases = (base,) if base else bench.objects.merge_bases(prepared.ours, prepared.theirs)
        told = Told(bases[0] if len(bases) == 1 else "", paths, merge.messages)
        self._launch(prepared, tree, tell_resolver(bench, entry, place, prepared, told))
        return prepared

    def _marked(self, prepared: Prepared, tree: SlotTree, base: str | None) -> tuple[str, ...]:
        """Paths with markers; also where a recorded resolution has taken them out of the file again."""
        bench = self._bench
        merged = merge_trees(bench.git, bench.objects, prepared.ours, prepared.theirs, base=base)
        conflicts = merged.paths if isinstance(merged, Conflicted) else ()
        now = marked(bench.git, tree, unmerged(bench.git, tree), (prepared.ours, prepared.theirs))
        sizes = marker_sizes(bench.git, tree, conflicts)
        return tuple(sorted({*now, *marked_in(bench.git, merged.tree, conflicts, sizes)}))

    def _launch(self, prepared: Prepared, tree: SlotTree, environment: dict[str, str]) -> None:
        bench, project = self._bench, self._bench.settings.project
        assert project.resolver is not None, "asked for at the beginning"
        why = {"code": "resolving", "detail": f"the resolver is at work in {tree.path}", "log": prepared.log}
        command = CommandSpec(
            attempt=prepared.record,
            argv=shell_argv(project.resolver),
            cwd=tree.path,
            environment=environment,
            log=Path(prepared.log),
            record_dir=record_folder(bench.repository.state_dir, prepared.record),
            timeout=project.resolver_timeout,
            parent_death=ParentDeath(project.parent_death),
        )
        with own_worktree(bench, prepared):
            self._require_wanted()
            pin_stashes(bench.git)  # the list is one for all worktrees, and the resolver may take from it
            self._entry = bench.store.update_entry(self._entry, reason={**self._entry.reason, **why})
            launch(command)
        tell(bench, self._entry, EventName.RESOLVER_STARTED, worktree=str(tree.path), log=prepared.log)

    # -- step 5: what came of it -----------------------------------------------------------------------

    def _answer(self, prepared: Prepared) -> str | Back:
        """Wait for the command, and look what it has made."""
        slot = self._bench.store.slot(prepared.slot)
        tree = self._keeper.tree_of(slot) if slot else None
        handle = self._command(prepared)
        if tree is None or (handle is None and not prepared.done):
            return Back("resolver-failed", "its worktree is gone")
        if prepared.done or handle is None:
            return self._outcome(prepared, tree)
        ended = self._wait(handle)
        if ended.succeeded:
            return self._outcome(prepared, tree)
        if ended.outcome is Outcome.TIMED_OUT:
            return Back("resolver-timeout", f"the resolver was ended after {ended.seconds:.0f} s")
        if ended.exit_code == _NOT_NOW or ended.outcome in (Outcome.LOST, Outcome.PARENT_DIED):
            return Back(LATER, f"the resolver gave no answer: {_ending(ended)}")
        return Back("resolver-failed", f"the resolver ended with {_ending(ended)}")

    def _outcome(self, prepared: Prepared, tree: SlotTree) -> str | Back:
        with own_worktree(self._bench, prepared):
            return outcome(self._bench, self._entry, prepared, tree)

    def _wait(self, handle: Supervised) -> Ended:
        never = make_wake()
        while not wait((handle,), never, _LOOK):
            self._require_wanted()
        self._require_mine()
        state = poll(handle)
        assert isinstance(state, Ended), "it was waited for"
        if state.outcome is Outcome.LOST and state.command_alive:
            stop_tree(handle)
        return state

    def _require_wanted(self) -> None:
        self._require_mine()
        if self._halted():
            raise _NotWantedError

    def _require_mine(self) -> None:
        """Also right after a wait: this process may have been stopped in it, for however long."""
        require_held(self._bench, self._lease)
        found = self._bench.store.entry(self._entry.id)
        if found is None or found.state is not EntryState.RESOLVING:
            raise _NotWantedError

    def _end(self, prepared: Prepared, answer: str | Back) -> None:
        match answer:
            case Back():
                send = again if answer.code == LATER else back
                send(self._bench, self._keeper, self._entry, answer, prepared, lease=self._lease)
            case _:
                resolved(self._bench, self._keeper, self._entry, prepared, answer, lease=self._lease)


def _ending(ended: Ended) -> str:
    if ended.outcome is not Outcome.EXITED:
        return str(ended.outcome).replace("_", " ")
    return f"signal {ended.signal}" if ended.exit_code is None else f"exit {ended.exit_code}"
