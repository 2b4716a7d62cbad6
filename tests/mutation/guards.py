"""Each guard of the queue, how to take it out of the sources, and the tests that must fail then.

An edit is a text that occurs exactly once in its file, and what stands there instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MERGING = "tests/orchestrator/merging"


@dataclass(frozen=True)
class Edit:
    """``old`` stands once in ``path``; ``new`` in its place takes the guard out."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Guard:
    """``what`` is lost without it, for people; ``tests`` as pytest takes them."""

    name: str
    what: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


class StalePatchError(Exception):
    """A patch does not fit the sources: they have moved on, and the guard is not proved any more."""


def take_out(root: Path, edits: Iterable[Edit]) -> None:
    """Carry out the edits in the sources under ``root``; raises StalePatchError."""
    for edit in edits:
        path = root / edit.path
        path.write_text(patched(edit, path.read_text(encoding="utf-8")), encoding="utf-8")


def patched(edit: Edit, text: str) -> str:
    """``text`` with the edit made; raises StalePatchError unless it fits exactly once."""
    found = text.count(edit.old)
    if found != 1:
        raise StalePatchError(f"{edit.path} has this {found} times, not once:\n{edit.old}")
    return text.replace(edit.old, edit.new)


TENURE = "orchestrator/merging/tenure.py"
HELD = "orchestrator/leases/lease.py"
LANDING = "orchestrator/merging/landing.py"
PAUSING = "orchestrator/merging/pausing.py"
PROCESSING = "orchestrator/merging/processing.py"
RESOLVING = "orchestrator/merging/resolving.py"
POSTCHECK = "orchestrator/merging/postcheck.py"
PUBLISHING = "orchestrator/merging/publishing.py"
UPSTREAM = "orchestrator/merging/upstream.py"
LEASES = "orchestrator/store/queries/leases.sql"
FENCE = f"{MERGING}/test_fence.py::test_s7_a_worker_that_lost_its_lease_changes_nothing"
TAKEN_BACK = (
    "tests/remote/test_fence.py::test_s7_a_landing_that_was_taken_back_is_not_made_when_its_worker_wakes_up"
)
READS = "tests/remote/test_rights.py::test_s4_who_may_write_the_references_reads_what_others_landed_without"
WRONG = f"{MERGING}/test_processing.py::test_s2_s3_s6_a_wrong_candidate_is_held_before_anything_moves"
WAKING = f"{MERGING}/test_stopped.py::test_s7_l2_woken_up_it_goes_back_to_waiting_for_whoever_has_the_queue"
PUTTING_BACK = (
    "tests/orchestrator/mending/test_stopped.py::"
    "test_p18_nobody_takes_a_worktree_that_a_stopped_process_is_putting_back"
)
GUARDING = f"{MERGING}/test_guards.py"
BATCHES = f"{MERGING}/test_batches.py"
KEEPER = "orchestrator/slots/keeper.py"
LATE = (
    "tests/orchestrator/test_late_work.py::"
    "test_s9_what_came_into_a_freed_slot_is_rescued_before_another_plan_has_it"
)
SECOND = (
    "tests/acceptance/test_order_of_landings.py::"
    "test_s10_work_stacked_on_a_second_run_of_a_plan_waits_for_that_not_for_its_first_landing"
)
LANES = "tests/orchestrator/merging/test_lanes_sound.py"
CHILDREN = "tests/worktrees/test_references.py"
TRANSACTION = (
    f"{CHILDREN}::test_s7_a_child_in_a_transaction_keeps_recovery_away_also_when_its_planctl_is_dead"
)
WRITES = f"{CHILDREN}::test_s7_a_child_that_writes_keeps_recovery_away"
CONTRACT = "tests/orchestrator/store/test_contract.py"
WATCHDOG = "tests/services/test_watchdog.py"
WATCHING = "tests/acceptance/test_watchdog.py"

GUARDS = (
    Guard(
        "epoch",
        "a transaction of a worker that another has replaced is refused by git",
        (Edit(TENURE, "fenced = [Verify(EPOCH, self.epoch), *changes]", "fenced = [*changes]"),),
        (WAKING, f"{GUARDING}::test_s7_a_tenure_whose_lease_another_session_has_writes_nothing"),
    ),
    Guard(
        "epoch-own",
        "each worker that takes over makes an epoch that nobody had before",
        (Edit(TENURE, "write_blob(json.dumps(content, sort_keys=True).encode())", 'write_blob(b"")'),),
        (f"{GUARDING}::test_s7_an_earlier_tenure_of_the_same_session_writes_nothing", FENCE),
    ),
    Guard(
        "compare-and-swap",
        "the target is moved only from the commit that was tested against",
        (
            Edit(
                "worktrees/references.py",
                r'return f"update {name}\0{_object(new)}\0{_object(old)}"',
                r'return f"update {name}\0{_object(new)}\0"',
            ),
        ),
        (f"{MERGING}/test_outside.py::test_s1_a_commit_between_the_look_and_the_landing_is_seen",),
    ),
    Guard(
        "landed-reference",
        "what has landed is written in git in the same transaction",
        (
            Edit(
                LANDING,
                "return [*created, Update(target, landing.commit, landing.old)]",
                "return [Update(target, landing.commit, landing.old)]",
            ),
        ),
        (f"{MERGING}/test_killed.py::test_s4_killed_at_a_step_and_landed_once",),
    ),
    Guard(
        "landed-asked",
        "a key that has landed is not landed again",
        (Edit(PROCESSING, "        if known:\n", "        if known and not entry.id:\n"),),
        (f"{GUARDING}::test_s4_what_has_landed_is_not_landed_again_whatever_became_of_it_since",),
    ),
    Guard(
        "landed-reachable",
        "a landed reference without its commit on the target is an unfinished landing",
        (
            Edit(
                RESOLVING,
                "    return bench.objects.is_ancestor(intent.new, bench.target_tip())",
                "    return True",
            ),
        ),
        (f"{GUARDING}::test_s5_a_landing_of_which_only_the_first_reference_moved_is_made_whole",),
    ),
    Guard(
        "remote-epoch",
        "each landing on a remote is fenced by the epoch there",
        (Edit(PUBLISHING, "moves = [next_epoch(self._bench, self._mirror)]", "moves: list[Move] = []"),),
        (TAKEN_BACK,),
    ),
    Guard(
        "remote-fence",
        "a landing on a remote is given up only after its push cannot be taken any more",
        (Edit("orchestrator/merging/recovery.py", "    fence(tenure)\n", ""),),
        (TAKEN_BACK,),
    ),
    Guard(
        "remote-seen",
        "a push is believed only when the remote shows it",
        (Edit(PUBLISHING, "                self._require_seen()\n", ""),),
        ("tests/remote/test_places.py::test_s8_a_push_that_is_taken_and_cannot_be_seen_has_not_landed",),
    ),
    Guard(
        "trailers-read",
        "who may write landed references reads as well what was landed without",
        (Edit(UPSTREAM, "        note_landings(bench, mirror, bench.target_tip())\n", ""),),
        (READS,),
    ),
    Guard(
        "intent",
        "what is about to be landed is stored before references move",
        (
            Edit(LANDING, "        tenure.bench.store.add_intent(intent)", "        pass"),
            Edit(LANDING, "        store.move_intent(intent, IntentState.DONE)\n", ""),
            Edit(
                RESOLVING,
                "        tenure.bench.store.move_intent(intent, IntentState.SUPERSEDED)",
                "        pass",
            ),
        ),
        (
            f"{MERGING}/test_killed.py::test_the_machine_dies_during_a_landing",
            f"{MERGING}/test_killed.py::test_s4_killed_at_a_step_and_landed_once",
        ),
    ),
    Guard(
        "flock-kept-child",
        "recovery sees that a git child of a dead planctl is in the middle of a transaction",
        (
            Edit(
                "worktrees/conversation.py",
                "        lock(self._lock.fileno(), wait=True, shared=True)\n        yield",
                "        yield",
            ),
        ),
        (TRANSACTION,),
    ),
    Guard(
        "flock-child",
        "recovery sees that a git child that writes once is alive",
        (
            Edit(
                "worktrees/git.py",
                "            held = lock(file.fileno(), wait=shared, shared=shared)",
                "            held = shared or lock(file.fileno(), wait=shared, shared=shared)",
            ),
        ),
        (WRITES,),
    ),
    Guard(
        "flock-inherited",
        "the lock lives as long as the git child does, also when planctl is dead",
        (
            Edit(
                "worktrees/git.py",
                'return {"pass_fds": descriptors, "process_group": 0}',
                'return {"pass_fds": (), "process_group": 0}',
            ),
        ),
        (TRANSACTION, WRITES),
    ),
    Guard(
        "flock-asked",
        "recovery removes nothing while a git child lives",
        (Edit("worktrees/git.py", "            yield bool(descriptors)", "            yield True"),),
        (TRANSACTION, WRITES),
    ),
    Guard(
        "post-check",
        "a candidate that is not what it should be is held before anything moves",
        (
            Edit(
                PROCESSING,
                "found = refusal(self._bench, case.old, candidate, case.work, judgement.trees)",
                "found = refusal and None",
            ),
        ),
        (WRONG,),
    ),
    Guard(
        "post-check-parents",
        "its parents are the target and the work",
        (Edit(POSTCHECK, "        _other_parents(bench, old, candidate, work)\n        or ", "        "),),
        (WRONG,),
    ),
    Guard(
        "post-check-work",
        "what it merges is the work of the entry, and nobody else's",
        (
            Edit(
                POSTCHECK, "if parents[1:] not in ((), (work.head,)):", "if len(parents) > len((old, work)):"
            ),
        ),
        (WRONG,),
    ),
    Guard(
        "post-check-tree",
        "its tree is the one that the verdict speaks of",
        (Edit(POSTCHECK, "        or _other_tree(bench, candidate, trees)\n", ""),),
        (WRONG, f"{MERGING}/test_processing.py::test_s2_a_verdict_of_another_tree_does_not_count"),
    ),
    Guard(
        "post-check-objects",
        "all of its contents are there",
        (Edit(POSTCHECK, "        or _incomplete(bench, old, candidate)\n", ""),),
        (f"{GUARDING}::test_s15_a_candidate_of_which_a_content_was_pruned_is_held",),
    ),
    Guard(
        "post-check-scope",
        "it changes nothing that neither its work nor a second engine explains",
        (Edit(POSTCHECK, "    if not outside or _second", "    if outside is not None or _second"),),
        (WRONG,),
    ),
    Guard(
        "post-check-batch",
        "the commit over a batch brings nothing of its own",
        (
            Edit(
                "orchestrator/merging/forming.py",
                "(bench, batch.old, below, batch.candidate, trees) if batch.over else None",
                "(bench, batch.old, below, batch.candidate, trees) if not batch.entries else None",
            ),
        ),
        (f"{BATCHES}::test_s2_s6_a_wrong_commit_over_a_batch_is_refused",),
    ),
    Guard(
        "post-check-over",
        "the commit over a batch follows the target, and its last member",
        (
            Edit(
                POSTCHECK,
                "    if bench.objects.parents(candidate.commit) != (old, last):",
                "    if not bench.objects.parents(candidate.commit):",
            ),
        ),
        (f"{BATCHES}::test_s2_s6_a_wrong_commit_over_a_batch_is_refused",),
    ),
    Guard(
        "proof-forward",
        "a landing that does not contain what the target was before is told",
        (
            Edit(
                POSTCHECK,
                "    if not objects.is_ancestor(intent.old, intent.new):",
                "    if not intent.old:",
            ),
        ),
        (f"{GUARDING}::test_s4_s6_s8_the_proof_of_a_landing_tells_each_flaw",),
    ),
    Guard(
        "proof",
        "a landing that the references do not prove stops the queue",
        (Edit(LANDING, "    if wrong:\n", "    if wrong and not entry.id:\n"),),
        (f"{GUARDING}::test_s8_a_landing_that_its_references_do_not_prove_stops_the_queue",),
    ),
    Guard(
        "lease-token",
        "a worker that has lost the lease writes nothing into the store",
        (
            Edit(
                HELD,
                "if known is None or (known.session, known.token) != (self._grant.session, self.token):",
                "if known and not known.name:",
            ),
        ),
        (f"{GUARDING}::test_s7_a_tenure_whose_lease_another_session_has_writes_nothing",),
    ),
    Guard(
        "lease-token-number",
        "nor one whose session has the lease anew",
        (
            Edit(
                HELD,
                "(known.session, known.token) != (self._grant.session, self.token)",
                "known.session != self._grant.session",
            ),
        ),
        (f"{GUARDING}::test_s7_an_earlier_tenure_of_the_same_session_writes_nothing",),
    ),
    Guard(
        "lease-renewed",
        "a lost lease is not renewed",
        (
            Edit(
                LEASES,
                "SET expires = :expires WHERE name = :name AND session = :session AND token = :token;",
                "SET expires = :expires WHERE name = :name AND session = :session;",
            ),
        ),
        (f"{CONTRACT}::test_a_new_grant_to_the_same_session_outdates_the_old_one",),
    ),
    Guard(
        "lease-released",
        "a lease is given back only by the grant that has it",
        (
            Edit(
                LEASES,
                "DELETE FROM leases WHERE name = :name AND session = :session AND token = :token;",
                "DELETE FROM leases WHERE name = :name AND session = :session;",
            ),
        ),
        (f"{CONTRACT}::test_a_new_grant_to_the_same_session_outdates_the_old_one",),
    ),
    Guard(
        "holder-reaped",
        "a holder that has died is not waited for till its lease runs out",
        (
            Edit(
                "orchestrator/merging/worker.py",
                '        reap(self._bench.store, self._bench.clock, self._bench.folder() / "cleanup.lock")\n',
                "",
            ),
        ),
        (f"{MERGING}/test_fence.py::test_l2_a_holder_that_dies_while_others_wait_is_followed_at_once",),
    ),
    Guard(
        "candidate-kept",
        "a candidate has a reference before anything relies on it",
        (
            Edit(
                PROCESSING,
                "        keep(self._tenure, {candidate_reference(entry.id): candidate.commit})\n",
                "",
            ),
        ),
        (f"{GUARDING}::test_s15_a_candidate_is_kept_by_a_reference_before_it_is_checked",),
    ),
    Guard(
        "candidate-kept-batch",
        "so have those of a batch, and the commit over them",
        (Edit("orchestrator/merging/batching.py", "        keep(self._tenure, named)\n", ""),),
        (f"{GUARDING}::test_s15_the_commits_of_a_batch_are_kept_by_references_before_it_is_checked",),
    ),
    Guard(
        "stack-unlanded",
        "what stands on work that is still to land waits for that, whatever of its plan has landed before",
        (
            Edit(
                "orchestrator/merging/planner.py",
                "plan not in view.landed or view.unlanded.get(entry.id) == plan:",
                "plan not in view.landed:",
            ),
        ),
        (SECOND,),
    ),
    Guard(
        "outside-checked",
        "what somebody else put on the target is checked before more lands on it",
        (
            Edit(
                "orchestrator/merging/round.py",
                "(chosen or self._is_sample_due()) and self._tip_hinders():",
                "(chosen or self._is_sample_due()) and not self._tip:",
            ),
        ),
        (f"{MERGING}/test_outside.py::test_s1_an_outside_commit_is_recorded_and_checked_before_more_lands",),
    ),
    Guard(
        "lanes-meet",
        "what meets is checked on top of the other",
        (
            Edit(
                "orchestrator/merging/lanes.py",
                "return self._all_meet or self._meetings.meet(bench, a, b)",
                "return self._all_meet",
            ),
        ),
        ("tests/orchestrator/merging/test_lanes.py::test_s13_what_meets_is_checked_on_top_of_the_other",),
    ),
    Guard(
        "lanes-drawn",
        "a share of the keys is drawn",
        (Edit("orchestrator/merging/lanes.py", "% SAMPLE == 0", "% SAMPLE < 0"),),
        ("tests/orchestrator/merging/test_lanes.py::test_s13_a_share_is_drawn_by_the_key_and_checked_whole",),
    ),
    Guard(
        "lanes-sampled",
        "a share of what landed by lanes is checked whole before more lands",
        (
            Edit(
                "orchestrator/merging/laneproof.py",
                "        for name in (UNVERIFIED, SAMPLED):",
                "        for name in ():",
            ),
        ),
        (f"{MERGING}/test_lanes.py::test_s13_a_missed_conflict_is_found_told_and_merges_the_lanes",),
    ),
    Guard(
        "lanes-same-work",
        "a lane lands only what its check has seen, file by file",
        (
            Edit(
                PROCESSING,
                "checked if checked and same_work(objects, checked, old, candidate) else None",
                "checked",
            ),
        ),
        (f"{LANES}::test_a_renamed_folder_has_new_files_in_it_checked_again",),
    ),
    Guard(
        "lanes-merged",
        "whatever finds the target red after landings of lanes merges these",
        (Edit(PAUSING, "if noted(store, target, UNPROVEN):", "if target == RED:"),),
        (f"{LANES}::test_s13_whatever_finds_the_target_red_after_landings_by_lane_merges_them",),
    ),
    Guard(
        "lanes-tip",
        "what is known of stacks is of one target, and says nothing of another",
        (
            Edit(
                "orchestrator/merging/lanes.py",
                "if look.tip != self._tip or self._is_to_land(look.at_turn):",
                "if self._is_to_land(look.at_turn):",
            ),
        ),
        (f"{LANES}::test_who_looks_from_another_tip_is_told_nothing_new",),
    ),
    Guard(
        "worktree-fence",
        "nobody takes a worktree that a stopped process is about to put back",
        (
            Edit(
                "orchestrator/slots/prepared.py",
                "        if not systems.lock(lock.fileno(), wait=False):",
                "        if not lock:",
            ),
        ),
        (PUTTING_BACK,),
    ),
    Guard(
        "work-saved",
        "what is uncommitted in a slot is rescued before it is cleaned",
        (Edit(KEEPER, "            if not spotless:\n                self.save(slot)\n", ""),),
        ("tests/services/test_doctor.py::test_p9_a_slot_that_its_dead_session_held_is_rescued_and_free",),
    ),
    Guard(
        "late-work-saved",
        "so is what came into it after it was freed",
        (Edit(KEEPER, "        self.save(slot, slot.name)\n        self.pool.q", "        self.pool.q"),),
        (LATE,),
    ),
    Guard(
        "paused-landing",
        "what a person paused during a check does not land",
        (Edit(PAUSING, "    if paused:\n", "    if not entries:\n"),),
        (f"{LANES}::test_a_pause_during_a_check_holds_the_landing",),
    ),
    Guard(
        "frozen-landing",
        "what a person froze during a check, by its priority, does not land, in a batch either",
        (Edit(PAUSING, "if not freeze or not held:", "if freeze or not held:"),),
        (f"{MERGING}/test_freeze.py::test_a_freeze_during_a_check_holds_the_landing",),
    ),
    Guard(
        "tried-again",
        "one red of an entry may be an accident, two are not",
        (Edit("orchestrator/merging/judge.py", "or not _is_tried_again(", "or _is_tried_again("),),
        (f"{BATCHES}::test_one_red_of_an_entry_by_itself_may_be_an_accident",),
    ),
    Guard(
        "control-run",
        "nobody is blamed for a target that is red itself",
        (
            Edit(
                "orchestrator/merging/judge.py",
                "return Judgement(Outcome.RED if base.passed else Outcome.TARGET_RED, check, ",
                "return Judgement(Outcome.RED if base.id else Outcome.TARGET_RED, check, ",
            ),
        ),
        (f"{MERGING}/test_processing.py::test_p24_a_red_base_pauses_the_queue_and_blames_nobody",),
    ),
    Guard(
        "control-verdict",
        "nor for one of which one cannot tell",
        (
            Edit(
                "orchestrator/merging/judge.py",
                "        return Judgement(Outcome.NO_VERDICT, check, base)\n",
                "        return Judgement(Outcome.RED, check, red)\n",
            ),
        ),
        (f"{MERGING}/test_invariants.py::test_s12_where_the_base_has_no_verdict_nobody_is_blamed",),
    ),
    Guard(
        "environment-brought",
        "a verdict is of what the check was brought as well",
        (
            Edit(
                "orchestrator/merging/environment.py",
                '"brought": [list(row) for row in self.brought],',
                '"brought": [],',
            ),
        ),
        (f"{MERGING}/test_environment.py::test_s11_another_place_asks_for_another_verdict",),
    ),
    Guard(
        "watchdog-identity",
        "only a process that is proven to be the one that was recorded is ended",
        (
            Edit(
                "orchestrator/running/families.py",
                "return found if found is not None and proven(pid, started, boot, host) else None",
                "return found",
            ),
        ),
        (f"{WATCHDOG}::test_s3_5_what_is_not_proven_to_be_its_own_is_never_touched",),
    ),
    Guard(
        "watchdog-spared",
        "a process that is a session of its own is not ended with the one that told of it",
        (
            Edit(
                "orchestrator/running/families.py",
                "for process, whose in roots if process.pid not in self._spared]",
                "for process, whose in roots]",
            ),
        ),
        (f"{WATCHDOG}::test_s3_5_what_is_not_proven_to_be_its_own_is_never_touched",),
    ),
    Guard(
        "watchdog-living",
        "a process that lives is not ended for its silence",
        (
            Edit(
                "orchestrator/services/watchdog/sweep.py",
                " if self._post.end_silent else set()",
                "",
            ),
        ),
        (f"{WATCHDOG}::test_s3_5_who_lives_but_is_not_heard_of_is_ended_only_when_that_is_asked_for",),
    ),
    Guard(
        "watchdog-came-back",
        "what a dead session left is not ended when somebody has come back under its name",
        (
            Edit(
                "orchestrator/services/watchdog/sweep.py",
                "family.end(self._post.grace, self._rest, check):",
                "family.end(self._post.grace, self._rest, self._tenure.check):",
            ),
        ),
        (f"{WATCHING}::test_s3_5_who_comes_back_while_a_sweep_is_under_way_keeps_what_he_had_running",),
    ),
    Guard(
        "watchdog-elsewhere",
        "a command whose supervisor may live where it cannot be seen has one",
        (
            Edit(
                "orchestrator/running/supervision.py",
                "handle.boot, handle.host or here()",
                "handle.boot, here()",
            ),
        ),
        (f"{WATCHDOG}::test_s3_5_a_command_whose_supervisor_may_live_in_another_container_is_never_touched",),
    ),
    Guard(
        "watchdog-homes",
        "an editor or a terminal that an agent opened for a person is not ended with the agent",
        (
            Edit(
                "orchestrator/running/families.py",
                "return is_home(words_of(pid))",
                "return False",
            ),
        ),
        (f"{WATCHDOG}::test_s3_5_an_editor_that_an_agent_opened_for_a_person_is_never_touched",),
    ),
    Guard(
        "sessions-between",
        "between two commands of an attempt nobody takes what its session holds",
        (
            Edit(
                "orchestrator/sessions/death.py",
                "return not (_lives(session, boot) or _is_between_commands(store, session.id, boot))",
                "return not _lives(session, boot)",
            ),
        ),
        (
            "tests/orchestrator/sessions/test_sessions.py::test_s4_6_between_two_commands_of_an_attempt_its_session_lives",
        ),
    ),
    Guard(
        "watchdog-fence",
        "a watchdog that another has replaced does nothing any more",
        (
            Edit(
                "orchestrator/services/watchdog/election.py",
                'self.held.verify(self.store, "another watchdog has taken over")',
                "self.held.check()",
            ),
        ),
        (f"{WATCHDOG}::test_s3_4_one_of_many_is_the_watchdog_and_a_dead_one_is_followed_at_once",),
    ),
    Guard(
        "watchdog-left-behind",
        "what a dead session left is looked after whoever has ended it",
        (
            Edit(
                "orchestrator/sessions/cleanup.py",
                "ended_at=clock.now(), left_behind=behind)",
                "ended_at=clock.now(), children=())",
            ),
        ),
        (f"{WATCHING}::test_s3_11_what_a_crashed_session_leaves_is_put_right",),
    ),
)
