"""What must be of the queue in the model: after each step, and once nothing disturbs any more.

What has landed is read from git alone, what is said of it from the store; the two are held against each other
and against the oracle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.services import queue as service
from orchestrator.states import MOVING_ENTRIES, EntryState, IntentState
from orchestrator.store.records import Entry
from orchestrator.submitting.standstill import RED, noted, standstill
from tests.stress.model.check import Steering
from tests.stress.model.oracle import Tree, is_green, merged
from tests.stress.model.seat import Job, Seat, references_of
from tests.stress.model.world import World
from tests.support.invariants import require_invariants
from tests.support.nursery import Nursery
from tests.support.queues import MAIN, configure
from tests.support.repo import GitRepo

_LOG = (
    "--format=%H%x00%T%x00%(trailers:key=Planctl-Key,valueonly,separator=%x2C)"
    "%x00%(trailers:key=Planctl-Batch,valueonly,separator=%x2C)"
)
_UNTOLD = {EntryState.REJECTED, EntryState.CONFLICTED}
"""Nobody looks at such an entry before a person asks again."""
_REFUSED = {*_UNTOLD, EntryState.DROPPED}


class JudgedWorld(World):
    """A world, and the law in it."""

    def require(self) -> None:
        """Hold S1, S2, S4, S6, S8, S9, S10, S14 and S15 now, whoever was killed or is halted."""
        self._follow_main()
        for seat in self.seats:
            self._require_of(seat)
        self._require_landed_references(references_of(self.there))

    def _require_of(self, seat: Seat) -> None:
        """What the store and the references of a clone say."""
        references, begun = seat.references(), self._begun(seat)
        for name, head in self._branches_of(seat).items():
            assert references.get(f"refs/heads/{name}") == head, f"S9, S14: {name} is not where it was"
        assert seat.checkout() == seat.standing, "S14: the user's checkout is not as it was"
        entries = {entry.id: entry for entry in seat.queue.bench.store.entries()}
        for key, job in seat.jobs.items():
            self._require_entry(entries[key], job, references)
            if job.key in self.landed and entries[key].state is not EntryState.LANDED:
                assert key in begun or not self._hears_at_once, (
                    f"S8: {key} is on main, and said to be {entries[key].state}"
                )

    _hears_at_once = True
    """Whether whoever lands something tells the store of each clone."""

    def _branches_of(self, seat: Seat) -> dict[str, str]:
        return self.branches if seat is self.home else {}

    def _begun(self, seat: Seat) -> set[str]:
        return {key for i in seat.queue.bench.store.intents({IntentState.OPEN}) for key in i.members}

    def _require_entry(self, entry: Entry, job: Job, references: dict[str, str]) -> None:
        if entry.state is EntryState.LANDED and job.key in self.landed:
            assert entry.landed_commit == self.landed[job.key], f"S8: {entry}"
        elif entry.state is EntryState.LANDED:
            assert self._is_on_main(str(entry.landed_commit)), f"S8: {entry} is on no commit of main"
            assert self._brings_nothing(job, str(entry.landed_commit)), f"S8: {entry}"
        if entry.state is EntryState.LANDING:
            name, tip = f"refs/planctl/candidates/{job.key}", references[entry.target]
            is_kept = references.get(name) == entry.candidate or self._holds(tip, str(entry.candidate))
            assert is_kept, f"S15: {name} is not {entry.candidate}"

    def _is_on_main(self, commit: str) -> bool:
        """Also as what a newer head of its branch stood on when that landed."""
        return commit in {*self.main, *self.landed.values()} or self._holds(self.main[-1], commit)

    def _holds(self, tip: str, commit: str) -> bool:
        return self.eye.git("merge-base", commit, tip) == commit

    def _require_landed_references(self, references: dict[str, str]) -> None:
        begun = {key for seat in self.seats for key in self._begun(seat)}
        for name, commit in references.items():
            key = name.rpartition("/")[2]
            if name.startswith("refs/planctl/landed/") and key not in begun:
                assert self._is_on_main(commit), f"S4: {name} is at {commit}, which is not on main"
                said = [seat.queue.entry(key).state for seat in self.seats if key in seat.jobs]
                assert EntryState.LANDED in said, f"S8: {name} is there, and {key} is {said}"
        for key, made in self.landed.items():
            assert any(seat.jobs[key].wanted for seat in self.seats if key in seat.jobs), (
                f"{key} was dropped, and landed"
            )
            found = [c for n, c in references.items() if n.startswith("refs/planctl/landed/") and key in n]
            assert found == [made] or (self._may_be_untold and not found), (
                f"S4: {key} is on main as {made}, and known as {found}"
            )

    _may_be_untold = False
    """Whether the references there may say nothing of what has landed."""

    def _follow_main(self) -> None:
        """What has come onto main since: the queue's, as the oracle would have it, or somebody else's."""
        at = self.there.head(MAIN)
        for commit, tree, key, batch in self._log(f"{self.main[-1]}..{at}"):
            tip = self.main[-1]
            assert self.eye.head(f"{commit}^1") == tip, f"S6: {commit} does not follow {tip}"
            if key or batch:
                self._require_as_foretold(commit, tree, {key: commit} if key else self._members(commit))
            else:
                assert commit in self.outside, f"S1: nobody made {commit}"
            self.main.append(commit)
        assert at == self.main[-1], f"S6: main left {self.main[-1]}"

    def _log(self, commits: str) -> list[list[str]]:
        log = self.eye.git("log", "--first-parent", "--reverse", _LOG, commits)
        return [line.split("\0") for line in log.splitlines()]

    def _members(self, batch: str) -> dict[str, str]:
        """Key and commit of each in the side chain of a batch, in order."""
        self.tally["batches"] += 1
        chain = self._log(f"{batch}^1..{batch}^2")
        assert len(chain) > 1, f"{batch} is a batch of one"
        return {key: commit for commit, _, key, _ in chain}

    def _require_as_foretold(self, commit: str, tree: str, made: dict[str, str]) -> None:
        expected: Tree | None = self.tree(self.main[-1])
        at = self.main[-1]
        for key, own in made.items():
            job = self._all_jobs()[key]
            assert key not in self.landed, f"S4: {key} has landed twice"
            assert all(self._is_there(plan) for plan in job.after), f"S10: {key} before {job.after}"
            expected = self._brought(job, at, expected)
            assert expected is not None, f"S3: {key} meets what is on main"
            assert expected == self.tree(own), f"S3: {own} has another tree than a serial queue makes"
            self.landed[key] = at = own
        assert expected == self.tree(commit), f"S3, S5: {commit} is not all of {[*made]}"
        assert expected is not None
        assert is_green(expected), f"S1: {commit} is red"
        assert self.apart or True in self.verdicts(tree), f"S1, S2: {commit} has no passing verdict"

    def _all_jobs(self) -> dict[str, Job]:
        return {key: job for seat in reversed(self.seats) for key, job in seat.jobs.items()}

    def _has_landed_plan(self, plan: str) -> bool:
        return any(job.branch == plan for key, job in self._all_jobs().items() if key in self.landed)

    def _is_there(self, plan: str) -> bool:
        """Whether the work of a plan is on main, by a landing of its own or with what was built on it."""
        if self._has_landed_plan(plan):
            return True
        tip = self.main[-1]
        return any(j.branch == plan and self._brings_nothing(j, tip) for j in self._all_jobs().values())

    def _brings_nothing(self, job: Job, commit: str) -> bool:
        here = self.tree(commit)
        return self._brought(job, commit, here) == here

    def _brought(self, job: Job, at: str, tree: Tree | None) -> Tree | None:
        """The tree of main at the commit ``at`` (with what else is about to land), and the job's work."""
        base = self.eye.git("merge-base", at, job.head)
        return None if tree is None else merged(self.tree(base), tree, self.tree(job.head))

    # -- what must be once nothing disturbs any more -------------------------------------------------------

    def settle(self) -> None:
        """Let everybody finish, hold that all is decided and rightly so, and that nothing more happens."""
        while self.halted:
            self.wake()
        self.steering.clear()
        self._go_on()
        self._drain_all()
        self.require()
        for seat in self.seats:
            for entry in seat.queue.bench.store.entries(states={EntryState.HELD}):
                self._require_reason_to_hold(seat, entry)
                seat.queue.add(entry.id)  # the check is well again, and nobody prunes
                self.tally["held"] += 1
        self._drain_all()
        self.require()
        if sum(self._ask_again(seat) for seat in self.seats):
            self._drain_all()
        for seat in self.seats:
            self._require_decided(seat)
        before = self._told()
        self._drain_all()
        assert before == self._told(), "S16: another worker found something to do, or to say"
        self._require_well()
        for seat in self.seats:
            self.tally.update(str(entry.state) for entry in seat.queue.bench.store.entries())
        self.tally["worlds"] += 1

    def _drain_all(self) -> None:
        self.drain()

    def _ask_again(self, seat: Seat) -> int:
        """Hand in what came to nothing here, and was landed by another clone: nobody told this one."""
        entries = {entry.id: entry for entry in seat.queue.bench.store.entries(states=_UNTOLD)}
        missed = [job for job in seat.jobs.values() if job.key in self.landed and job.key in entries]
        for job in missed:
            assert not self._hears_at_once, f"S8: {entries[job.key]} is on main"
            if entries[job.key].state is EntryState.REJECTED:
                self._require_blame(job, entries[job.key])
            seat.queue.add(job.key)
            self.tally["landed elsewhere"] += 1
        return len(missed)

    def _told(self) -> list[object]:
        """All references but the epochs, and all entries."""
        repos = (self.there, *(seat.repo for seat in self.seats))
        references = [{n: c for n, c in references_of(r).items() if not n.endswith("/epoch")} for r in repos]
        return [*references, *(seat.queue.bench.store.entries() for seat in self.seats)]

    def _require_well(self) -> None:
        if not self.apart:
            require_invariants(self.repo, self.main[0], vouched=self.vouched)

    def _go_on(self) -> None:
        """Main is green again, and whatever a queue stood still for is over."""
        self._follow_main()
        for seat in self.seats:
            red = noted(seat.queue.bench.store, seat.target, RED)
            assert red is None or not is_green(self.tree(red)) or self.steering.has_met("flake"), "P24"
        if not is_green(self.tree(self.main[-1])):
            self.tally["red main"] += 1
            self.push_outside("mend")
            self._follow_main()
        for seat in self.seats:
            bench = seat.queue.bench
            if standstill(bench.store, seat.target, bench.target_tip()):
                service.resume(bench)
                self.vouched.add(bench.target_tip())

    def _require_decided(self, seat: Seat) -> None:
        entries = {entry.id: entry for entry in seat.queue.bench.store.entries()}
        for job in seat.jobs.values():
            entry = entries[job.key]
            if not job.wanted:
                assert entry.state is EntryState.DROPPED or job.key in self.landed, entry
                continue
            match entry.state:
                case EntryState.LANDED:
                    self.tally["brought nothing"] += job.key not in self.landed
                case _ if job.key in self.landed:
                    raise AssertionError(f"S8: {entry} is on main")
                case EntryState.CONFLICTED:
                    assert None in self._outcomes(job), f"{job} meets nothing, and {entry.reason}"
                case EntryState.REJECTED:
                    self._require_blame(job, entry)
                case _:
                    assert self._waits_rightly(job, entries), f"L3: {entry} is still there"

    def _outcomes(self, job: Job) -> list[Tree | None]:
        """What the work was to become on each commit that main has had since it was handed in."""
        return [self._brought(job, c, self.tree(c)) for c in self.main[job.since :]]

    def _require_blame(self, job: Job, entry: Entry) -> None:
        """S12: the very tree failed, where its base passed; by the oracle, or by a flaw of the check."""
        commit = str(entry.reason["commit"])
        tree = self.eye.head(f"{commit}^{{tree}}")
        assert False in self.verdicts(tree), f"S12: no check has failed on {commit}"
        assert True in self.verdicts(self.eye.head(f"{commit}^1^{{tree}}")), "S12: its base has not passed"
        is_red = [found for found in self._outcomes(job) if found is not None and not is_green(found)]
        flawed = is_green(self.tree(commit))
        assert is_red or flawed, f"S12: {job} is green everywhere"

    def _require_reason_to_hold(self, seat: Seat, entry: Entry) -> None:
        code = entry.reason["code"]
        if code in ("missing-object", "git-failed"):
            assert self.pruned, f"{entry}: nobody pruned"
            return
        assert code == "no-verdict", entry
        said = [e for e in seat.queue.events("check.finished") if e.data.get("entry") == entry.id]
        assert sum(e.data["passed"] is None for e in said) >= 3, f"S11: {entry} is held for less"

    def _waits_rightly(self, job: Job, entries: dict[str, Entry]) -> bool:
        """It is to land after a plan that has not landed, or that was refused when handed in as a plan."""
        landed = {entry.branch for entry in entries.values() if entry.state is EntryState.LANDED}
        refused = {entry.plan for entry in entries.values() if entry.state in _REFUSED}
        return entries[job.key].state in MOVING_ENTRIES and any(
            plan in refused or (plan not in landed and not self._has_landed_plan(plan)) for plan in job.after
        )


def world_at(template: Path, folder: Path, nursery: Nursery, keys: dict[str, Any]) -> JudgedWorld:
    """A new one, in a folder of its own, with these settings beside those of the check."""
    repo, steering = GitRepo.copy_of(template, folder / "repo"), Steering(folder / "steering")
    configure(repo, **steering.settings, **keys)
    apart = keys["queue"] == "lanes"
    return JudgedWorld(folder, (Seat(repo),), repo, repo, nursery, steering, apart)
