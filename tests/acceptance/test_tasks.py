"""``planctl task``: sessions claim, work, crash; real processes and real plan files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.services.taskplaces import Place, mark
from plans.document import read_plan
from plans.errors import ChangedMeanwhileError
from plans.ids import TaskId
from tests.support.process import COMMAND, run
from tests.support.repo import GitRepo

PLAN = """---
plan: api
labels: [python]
files: {write: ["api/**"]}
---
# The API
## Phase 1: Model
- [ ] 1.1 Add the table
- [ ] 1.2 Sketch the API
- [ ] 1.3 Show it (after: 1.2)
## Phase 2: Use
- [ ] 2.1 Use it
"""


@pytest.fixture
def planned(repo: GitRepo) -> GitRepo:
    repo.write("plans/api.md", PLAN)
    repo.git("add", ".")
    repo.git("commit", "-qm", "plan")
    return repo


def task(repo: GitRepo, *arguments: str, code: int = 0, at: Path | None = None, **env: str) -> Any:
    done = run("task", *arguments, "--json", cwd=at or repo.path, env=env)
    assert done.code == code, done.err
    return done.data


def rows(repo: GitRepo) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in task(repo, "list")["tasks"]}


def test_s4_2_from_claim_to_completion_with_result_and_duration(planned: GitRepo) -> None:
    claimed = task(planned, "claim", "api:1.1", "--session", "ada")
    assert (claimed["state"], claimed["claimed_by"], claimed["session"]) == ("claimed", "ada", "ada")
    begun = task(planned, "start", "api:1.1", "--session", "ada")
    assert (begun["state"], begun["completed_at"]) == ("in_progress", None)
    assert rows(planned)["api:1.1"]["started_at"] == begun["started_at"]
    (session,) = run("session", "list", "--json", cwd=planned.path).data["sessions"]
    assert (session["task"], session["leases"]) == ("api:1.1", ["task:api:1.1"])  # S4.13
    done = task(planned, "complete", "api:1.1", "--result", "Added", "--session", "ada")
    assert (done["state"], done["result"], done["ticked"]) == ("completed", "Added", True)
    assert 0 < done["duration_seconds"] < 60
    assert (planned.path / "plans/api.md").read_text() == PLAN.replace("[ ] 1.1", "[x] 1.1")
    kept = rows(planned)["api:1.1"]
    assert kept == {key: done[key] for key in kept}  # S4.7
    events = [e["event"] for e in run("events", "--json", cwd=planned.path).events]
    assert events == ["task.claimed", "task.started", "task.completed"]


def test_a_box_is_ticked_in_what_an_editor_saves_just_then(
    planned: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = planned.path / "plans/api.md"
    plan = read_plan(Path("plans/api.md"), file.read_bytes()).plan
    assert plan is not None
    place, saves = Place(plan, file, planned.path, "main"), [2]

    def saving(_descriptor: int) -> None:
        if saves[0]:
            saves[0] -= 1
            with file.open("a") as opened:
                opened.write("By a person.\n")

    monkeypatch.setattr(os, "fsync", saving)
    assert mark(place, TaskId.parse("1.1"), done=True)
    assert file.read_text() == PLAN.replace("[ ] 1.1", "[x] 1.1") + "By a person.\n" * 2
    saves[0] = 1000
    with pytest.raises(ChangedMeanwhileError):
        mark(place, TaskId.parse("1.2"), done=True)


def test_s4_3_only_the_holder_may_touch_it(planned: GitRepo) -> None:
    task(planned, "claim", "api:1.1", "--session", "ada")
    before = rows(planned)
    refused = task(planned, "claim", "api:1.1", "--session", "bob", code=4)["error"]
    assert refused["code"] == "task-taken"
    assert "held by agent ada" in refused["message"]
    for words in (["start"], ["complete", "--result", "mine"], ["release"]):
        said = task(planned, words[0], "api:1.1", *words[1:], "--session", "bob", code=1)["error"]
        assert "is not bob's: it is held by ada" in said["message"]
    assert rows(planned) == before
    assert (planned.path / "plans/api.md").read_text() == PLAN
    assert (
        task(planned, "claim", "api:1.1", "--session", "ada")["claimed_at"] == before["api:1.1"]["claimed_at"]
    )
    assert task(planned, "release", "api:1.1", "--note", "half done", "--session", "ada")["state"] == "open"
    again = task(planned, "claim", "api:1.1", "--session", "bob")
    assert "ada had it since" in again["note"]
    assert again["note"].endswith("half done")
    task(planned, "start", "api:1.2", "--session", "bob", code=1)
    run("lock", "acquire", "build", "--session", "bob", cwd=planned.path)
    given = run("lock", "release", "--all", "--session", "bob", "--json", cwd=planned.path).data["released"]
    assert [lease["name"] for lease in given] == ["build"], "a claim is no lock"
    assert task(planned, "complete", "api:1.1", "--session", "bob")["state"] == "completed"


def test_a_task_that_is_taken_out_of_its_plan_can_be_given_back_and_completed(planned: GitRepo) -> None:
    for number in ("1.1", "1.2"):
        task(planned, "claim", f"api:{number}", "--session", "ada")
    (planned.path / "plans/api.md").unlink()
    given = task(planned, "release", "api:1.1", "--session", "ada")
    assert (given["state"], given["title"]) == ("open", None)
    done = task(planned, "complete", "api:1.2", "--session", "ada")
    assert (done["state"], done["ticked"]) == ("completed", False)
    assert run("lock", "list", "--json", cwd=planned.path).data["leases"] == []


def test_s4_4_what_is_complete_is_not_claimed_again_unless_forced(planned: GitRepo) -> None:
    task(planned, "claim", "api:1.1", "--session", "ada")
    task(planned, "complete", "api:1.1", "--session", "ada")
    assert "is complete" in task(planned, "claim", "api:1.1", "--session", "bob", code=1)["error"]["message"]
    assert task(planned, "claim", "api:1.1", "--force", "--session", "bob")["claimed_by"] == "bob"
    assert (planned.path / "plans/api.md").read_text() == PLAN, "its box is open again"
    planned.write("plans/api.md", PLAN.replace("[ ] 1.2", "[x] 1.2"))
    assert rows(planned)["api:1.2"]["state"] == "completed", "ticked by hand"
    task(planned, "claim", "api:1.2", "--session", "ada", code=1)


def test_s4_5_status_in_groups_with_who_where_and_how_long(planned: GitRepo) -> None:
    task(planned, "claim", "api:1.1", "--session", "ada")
    task(planned, "start", "api:1.1", "--session", "ada")
    task(planned, "claim", "api:1.2", "--session", "bob")
    shown = run("task", "list", cwd=planned.path).out
    lines = [line.strip() for line in shown.splitlines()]
    assert lines[0] == "in progress (1)"
    assert lines[1].startswith("api:1.1  Add the table  ada on ")
    assert ", for " in lines[1]
    assert lines[2] == "claimed (1)"
    assert lines[4] == "waiting (2)"
    assert lines[5] == "api:1.3  Show it  waits for api:1.2"


def test_s4_9_after_and_phases_are_kept_to(planned: GitRepo) -> None:
    for key, waits in [("api:1.3", ["api:1.2"]), ("api:2.1", ["api:1.1", "api:1.2", "api:1.3"])]:
        assert rows(planned)[key]["waits_for"] == waits
        assert "waits for api:" in task(planned, "claim", key, code=1)["error"]["message"]
    for number in ("1.2", "1.3"):
        task(planned, "claim", number, "--plan", "api", "--session", "ada")
        task(planned, "complete", f"api:{number}", "--session", "ada")
    assert rows(planned)["api:2.1"]["waits_for"] == ["api:1.1"]
    assert task(planned, "claim", "api:2.1", "--force", "--session", "ada")["state"] == "claimed"


def test_s4_11_next_is_the_best_for_the_sessions_labels(planned: GitRepo) -> None:
    planned.write("plans/page.md", "---\nplan: page\npriority: high\nlabels: [web]\n---\n# P\n- [ ] 1 Page\n")
    for key, label in [("py", "python"), ("js", "web"), ("go", "go")]:
        run("session", "start", key, "--label", label, cwd=planned.path)
    assert task(planned, "claim", "--next", "--session", "js")["id"] == "page:1"
    assert [task(planned, "claim", "--next", "--session", "py")["id"] for _ in range(2)] == [
        "api:1.1",
        "api:1.2",
    ]
    assert task(planned, "claim", "--next", "--session", "py", code=2)["error"]["code"] == "nothing-to-do"
    task(planned, "claim", "--next", "--session", "go", code=2)
    task(planned, "claim", code=2)
    task(planned, "claim", "api:9.9", code=2)


def test_a_dead_holders_task_is_open_again_with_what_it_left(planned: GitRepo, tmp_path: Path) -> None:
    """It worked in a worktree of its own, committed something, left something uncommitted, and was killed."""
    worktree = tmp_path / "agents"
    planned.git("worktree", "add", "-q", "-b", "work/api", str(worktree))
    claiming = (*COMMAND, "task", "claim", "api:1.1", "--json")
    keeping = "import subprocess, sys; subprocess.run(sys.argv[1:]); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", keeping, *claiming],
        cwd=worktree,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    key = json.loads(holder.stdout.readline())["session"]
    planned.git("commit", "-q", "--allow-empty", "-m", "half", at=worktree)
    planned.git("update-ref", "refs/planctl/rescue/api/01RESCUE", "HEAD")
    task(planned, "claim", "api:1.1", "--session", "bob", code=4)
    holder.kill()
    holder.communicate()
    claimed = task(planned, "claim", "api:1.1", "--session", "bob")
    assert claimed["claimed_by"] == "bob"
    assert f"{key} had it since" in claimed["note"]
    assert f"in {worktree} on work/api; its process is dead" in claimed["note"]
    task(planned, "release", "api:1.1", "--session", "bob")
    task(planned, "claim", "api:1.1", "--session", "cleo", at=worktree)
    run("session", "end", "cleo", cwd=planned.path)
    row = rows(planned)["api:1.1"]
    assert row["state"] == "open"
    assert row["left"] == {
        "worktree": str(worktree),
        "branch": "work/api",
        "commit": planned.git("rev-parse", "work/api"),
        "rescue": "refs/planctl/rescue/api/01RESCUE",
    }


def test_a_lost_lease_is_a_lost_task(planned: GitRepo) -> None:
    task(planned, "claim", "api:1.1", "--session", "ada")
    run("lock", "break", "task:api:1.1", "--session", "bob", cwd=planned.path)
    assert rows(planned)["api:1.1"]["state"] == "open"
    assert "was lost" in task(planned, "complete", "api:1.1", "--session", "ada", code=1)["error"]["message"]
    assert task(planned, "claim", "api:1.1", "--session", "bob")["claimed_by"] == "bob"
    told = run("session", "heartbeat", "ada", "--json", cwd=planned.path).data["messages"]
    assert "your lease on task:api:1.1 (token 1) is gone" in told[0]["text"]


def test_the_box_is_ticked_in_the_plans_own_worktree(planned: GitRepo) -> None:
    """Of a plan that planctl prepared: not in the user's checkout, whose copy stays as it is."""
    added = run("worktree", "add", "api", "--json", cwd=planned.path)
    assert added.code == 0, added.err
    (slot,) = run("worktree", "list", "--json", cwd=planned.path).data["worktrees"]
    task(planned, "claim", "api:1.1", "--session", "ada")
    done = task(planned, "complete", "api:1.1", "--session", "ada")
    assert done["ticked"]
    assert (planned.path / "plans/api.md").read_text() == PLAN
    assert (Path(slot["path"]) / "plans/api.md").read_text() == PLAN.replace("[ ] 1.1", "[x] 1.1")
    assert task(planned, "claim", "1.2", "--session", "ada", at=Path(slot["path"]))["id"] == "api:1.2"


def test_inside_a_plans_command_the_attempt_is_the_session(planned: GitRepo) -> None:
    command = (
        f"{sys.executable} -m orchestrator.cli task claim --next && "
        f"{sys.executable} -m orchestrator.cli task complete 1.1 --result ok"
    )
    planned.write("plans/api.md", PLAN.replace("files:", f"run: {json.dumps(command)}\nfiles:"))
    planned.git("commit", "-qam", "run")
    done = run("run-multi", "api", cwd=planned.path)
    assert done.code == 0, done.out + done.err
    row = rows(planned)["api:1.1"]
    assert (row["state"], row["result"]) == ("completed", "ok")
    status = run("status", "--json", cwd=planned.path).data
    assert row["claimed_by"] == status["plans"][0]["attempt"]
    assert "- [x] 1.1" in planned.git("show", "main:plans/api.md"), "the tick landed with the work"


@pytest.mark.parametrize(
    ("moment", "box", "state"),
    [
        ("edits.write:before:1", " ", "in_progress"),
        ("edits.write:after:1", "x", "in_progress"),
        ("store.commit:after:2", "x", "completed"),
    ],
)
def test_killed_in_the_middle_of_completing_nothing_is_lost(
    planned: GitRepo, moment: str, box: str, state: str
) -> None:
    task(planned, "claim", "api:1.1", "--session", "ada")
    task(planned, "start", "api:1.1", "--session", "ada")
    words = ("task", "complete", "api:1.1", "--session", "ada", "--result", "ok")
    killed = run(*words, cwd=planned.path, env={"PLANCTL_KILL_AT": moment})
    assert killed.code != 0
    assert f"- [{box}] 1.1" in (planned.path / "plans/api.md").read_text()
    assert rows(planned)["api:1.1"]["state"] == state
    if state != "completed":
        assert task(planned, *words[1:])["result"] == "ok"
    assert rows(planned)["api:1.1"]["result"] == "ok"
    assert "- [x] 1.1" in (planned.path / "plans/api.md").read_text()
