"""Evidence becomes records: nothing is claimed that nothing tells, nothing that landed is begun again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.scheduling.launching import stage_name
from orchestrator.services.rebuilding.evidence import Evidence, Folder, FrozenRun, Landed, Launched, Said
from orchestrator.services.rebuilding.rebuild import rebuild
from orchestrator.states import AttemptState, EntryState, IntentState, RunState, SlotState
from orchestrator.submitting.key import landing_key
from plans.document import read_plan
from plans.model import Plan
from tests.support.plans import plan_text

MAIN = "refs/heads/main"
LAND = {"land": True, "jobs": 2, "mode": "serialize", "keep_going": False, "check": None}
C = [f"{n}" * 40 for n in "0123456789"]


def a_plan(name: str, **header: object) -> Plan:
    plan = read_plan(Path(f"plans/{name}.md"), plan_text(name, **{"run": "true", **header}).encode()).plan
    assert plan is not None
    return plan


def a_run(name: str, *plans: Plan, **fields: object) -> FrozenRun:
    ids = {str(plan.id): f"{name}-{plan.id}" for plan in plans}
    run = FrozenRun(name, C[0], "2026-01-01T00:00:00.000Z", plans, LAND, ids)
    return replace(run, **fields)  # type: ignore[arg-type]


def a_landing(plan: str = "a", head: str = C[2], **fields: object) -> Landed:
    key = landing_key(MAIN, plan, head)
    landed = Landed(
        plan, key, C[3], C[1], head, on_target=True, candidate=False, at="2026-01-01T00:01:00.000Z"
    )
    return replace(landed, **fields)  # type: ignore[arg-type]


def said(state: str, **fields: object) -> Said:
    known = Said("r2", "A", 2, state, {"code": "x"}, C[1], C[2], (), None, None, (), "t1", "t2")
    return replace(known, **fields)  # type: ignore[arg-type]


def evidence(*runs: FrozenRun, **fields: object) -> Evidence:
    return replace(Evidence(MAIN, "now", runs), **fields)  # type: ignore[arg-type]


def test_s3_1_a_plan_that_is_in_a_later_run_is_not_begun_again_in_an_earlier_one() -> None:
    made = rebuild(evidence(a_run("r1", a_plan("a")), a_run("r2", a_plan("a"))))
    states = {a.run: a.state for a in made.attempts}
    assert states == {"r1": AttemptState.CANCELLED, "r2": AttemptState.PENDING}
    assert [run.state for run in made.runs] == [RunState.FINISHED, RunState.INTERRUPTED]


def test_s3_1_a_landing_belongs_to_the_run_that_its_trailers_name_else_to_the_newest() -> None:
    runs = (a_run("r1", a_plan("a")), a_run("r2", a_plan("a")))
    by_name = rebuild(evidence(*runs, landings=(a_landing(plan="a", run="r1"),)))
    assert {a.run: a.state for a in by_name.attempts}["r1"] is AttemptState.LANDED
    nameless = rebuild(evidence(*runs, landings=(a_landing(),)))
    assert {a.run: a.state for a in nameless.attempts}["r2"] is AttemptState.LANDED
    (entry,), (intent,) = nameless.entries, nameless.intents
    assert (entry.state, entry.landed_commit, entry.attempt) == (EntryState.LANDED, C[3], "r2-a")
    assert (intent.state, intent.old, intent.new) == (IntentState.DONE, C[1], C[3])


def test_s3_1_what_a_plan_says_of_itself_makes_no_landing() -> None:
    made = rebuild(evidence(a_run("r2", a_plan("a")), said={"a": said("landed")}))
    (attempt,) = made.attempts
    assert (attempt.state, attempt.head, attempt.landed_commit) == (AttemptState.FINISHED, C[2], None)
    assert made.entries == ()


def test_s3_1_work_whose_head_is_gone_is_done_anew_and_what_failed_stays_failed() -> None:
    run = a_run("r2", a_plan("a"))
    (anew,) = rebuild(evidence(run, said={"a": said("queued", head=None)})).attempts
    assert anew.state is AttemptState.PENDING
    (failed,) = rebuild(evidence(run, said={"a": said("failed")})).attempts
    assert (failed.state, failed.number, dict(failed.reason)) == (AttemptState.FAILED, 2, {"code": "x"})
    (elsewhere,) = rebuild(evidence(run, said={"a": said("failed", run="r1")})).attempts
    assert elsewhere.state is AttemptState.PENDING


def test_s3_1_handed_in_work_is_the_same_entry_again() -> None:
    made = rebuild(evidence(a_run("r2", a_plan("a")), said={"a": said("queued")}))
    (entry,) = made.entries
    assert entry.id == landing_key(MAIN, "a", C[2])
    landed = rebuild(
        evidence(
            a_run("r2", a_plan("a")), said={"a": said("queued")}, landings=(a_landing(plan="a", run="r2"),)
        )
    )
    assert [a.state for a in landed.attempts] == [AttemptState.LANDED]
    assert [e.state for e in landed.entries] == [EntryState.LANDED]


def test_s3_1_a_landing_that_was_cut_short_is_an_open_intent_and_a_taken_back_one_is_not() -> None:
    run = a_run("r2", a_plan("a"))
    cut = rebuild(evidence(run, landings=(a_landing(on_target=False, candidate=True),)))
    assert [i.state for i in cut.intents] == [IntentState.OPEN]
    assert [e.state for e in cut.entries] == [EntryState.LANDING]
    assert [a.state for a in cut.attempts] == [AttemptState.QUEUED]
    taken_back = rebuild(evidence(run, landings=(a_landing(on_target=False),)))
    assert taken_back.intents == ()
    assert [e.state for e in taken_back.entries] == [EntryState.LANDED]


def test_s3_1_a_run_of_which_no_options_are_left_lands_nothing_by_itself() -> None:
    run = a_run("r2", a_plan("a"), options=None)
    (record,) = rebuild(evidence(run, said={"a": said("finished")})).runs
    assert (record.options["land"], record.state) == (False, RunState.FINISHED)
    (landing,) = rebuild(evidence(a_run("r2", a_plan("a")), said={"a": said("finished")})).runs
    assert landing.state is RunState.INTERRUPTED


def test_s3_1_a_launched_command_is_at_work_only_with_its_worktree() -> None:
    run = a_run("r2", a_plan("a"))
    command = Launched("B-0", "/pool/slot-01", "a", "r2", C[1], alive=True)
    (attempt,) = rebuild(evidence(run, launched=(command,))).attempts
    assert (attempt.id, attempt.state, attempt.supervisor) == ("B", AttemptState.RUNNING, "B-0")
    assert attempt.worktree == "/pool/slot-01"
    (nowhere,) = rebuild(evidence(run, launched=(replace(command, cwd=None),))).attempts
    assert nowhere.state is AttemptState.PENDING
    (other,) = rebuild(evidence(run, launched=(replace(command, run="r1"),))).attempts
    assert other.state is AttemptState.PENDING


def test_p17_a_command_that_was_held_before_is_known_under_its_name_and_the_next_has_another() -> None:
    plan = a_plan("a")
    launched = tuple(
        Launched(f"A-0{again}", "/w", "a", "r2", C[1], alive=False) for again in ("", ".1", ".2")
    )
    for known in (None, {"a": said("deferred", attempt="A")}):
        (attempt,) = rebuild(evidence(a_run("r2", plan), said=known, launched=launched)).attempts
        assert (attempt.state, attempt.supervisor) == (AttemptState.RUNNING, "A-0.2")
        assert stage_name(attempt, 0) == "A-0.2", "else an earlier one would be taken for what is at work"


def test_s3_1_only_a_tidy_worktree_of_nobody_may_be_used_again() -> None:
    tidy = Folder("slot-01", "/p/slot-01", "plan", None, None, tidy=True)
    folders = (
        tidy,
        replace(tidy, name="slot-02", path="/p/slot-02", tidy=False),
        replace(tidy, name="slot-03", path="/p/slot-03"),
        replace(tidy, name="slot-04", path="/p/slot-04", plan="a", tidy=False),
        replace(tidy, name="slot-05", path="/p/slot-05", plan="other"),
    )
    alive = Launched("X-0", "/p/slot-03", None, None, None, alive=True)
    own = said("failed", worktree="/p/slot-04")
    made = rebuild(evidence(a_run("r2", a_plan("a")), folders=folders, launched=(alive,), said={"a": own}))
    states = [(slot.state, slot.plan) for slot in made.slots]
    assert states == [
        (SlotState.RESCUING, None),
        (SlotState.BROKEN, None),
        (SlotState.BROKEN, None),
        (SlotState.LEASED, "a"),
        (SlotState.RESCUING, None),
    ]
    used_again = said("failed", worktree="/p/slot-05")
    made = rebuild(evidence(a_run("r2", a_plan("a")), folders=folders, said={"a": used_again}))
    assert made.slots[4].attempt is None


def test_s3_1_phases_count_only_for_the_attempt_that_has_passed_them() -> None:
    phases = [{"name": "one", "run": "true"}, {"name": "two", "run": "true"}]
    run, pins = a_run("r2", a_plan("a", phases=phases)), {("a", "one"): C[4], ("a", "two"): C[5]}
    command = Launched("B-1", "/p", "a", "r2", C[1], alive=True)
    at_work = rebuild(evidence(run, pins=pins, launched=(command,)))
    assert {done.phase: done.attempt for done in at_work.phases} == {"one": "B", "two": ""}
    to_start = rebuild(evidence(run, pins=pins))
    assert {done.attempt for done in to_start.phases} == {""}


def test_s3_1_a_branch_of_planctls_own_is_no_obstacle_for_starting_again() -> None:
    run = a_run("r2", a_plan("a"))
    lost, fresh = rebuild(evidence(run, owned={"plan/a": (C[6], C[1])})).attempts
    assert (lost.state, lost.head, lost.base, lost.counted) == (AttemptState.LOST, C[6], C[1], False)
    assert (fresh.state, fresh.number) == (AttemptState.PENDING, 2)
