"""Plans that write into the main checkout, beside a user who works there (P13)."""

from __future__ import annotations

import json
import shlex

from tests.support.gates import Gates
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo


def test_p13_a_leak_is_told_in_events_status_and_summary_and_lands_all_the_same(
    repo: GitRepo, gates: Gates
) -> None:
    """``beta`` writes the same into both places; the user edits meanwhile, and nothing of his is touched."""
    there = shlex.quote(str(repo.path / "leaked"))
    plans: dict[str, dict[str, object]] = {
        "alpha": {"files": {"write": ["alpha"]}, "run": gates.command("alpha", "echo a > alpha")},
        "beta": {
            "files": {"write": ["own"]},
            "run": gates.command("beta", f"echo b | tee own leaked > {there}"),
        },
    }
    commit_plans(repo, plans)
    process = start("run-multi", "--all", "--no-land", cwd=repo.path)
    assert process.stdout is not None
    gates.await_at("alpha")
    repo.write("README.md", "mine\n")
    gates.await_at("beta")
    gates.open("beta")
    assert next(line for line in iter(process.stdout.readline, "") if "beta finished" in line)
    said = run("status", cwd=repo.path).out
    assert "main checkout, yours if you wrote it" in said
    assert "leaked  written while alpha and beta ran; its content is that of beta's worktree" in said
    rows = {row["path"]: row for row in json.loads(run("status", "--json", cwd=repo.path).out)["leaks"]}
    assert (rows["leaked"]["plan"], rows["README.md"]["plan"]) == ("beta", None), rows
    assert rows["README.md"]["candidates"] == ["alpha", "beta"]
    gates.open("alpha")
    done = end_of(process)
    assert done.code == 0
    assert "note: leaked in the main checkout: written while alpha and beta ran" in done.out
    assert "note: in the main checkout, yours if you wrote them: README.md" in done.out
    assert (repo.path / "README.md").read_text() == "mine\n"
    assert (repo.path / "leaked").read_text() == "b\n"
    told = run("events", "--json", cwd=repo.path).events
    (event,) = [e for e in told if e["event"] == "plan.leaked"]
    assert (event["plan"], event["files"][0]["path"]) == ("beta", "leaked")
    (ended,) = [e for e in told if e["event"] == "run.finished"]
    assert {leak["path"]: leak["plan"] for leak in ended["leaks"]} == {"leaked": "beta", "README.md": None}


def test_p13_where_leaks_hold_the_work_waits_and_the_users_edits_hold_nobody(repo: GitRepo) -> None:
    there = shlex.quote(str(repo.path / "leaked"))
    user = f"echo mine > {shlex.quote(str(repo.path / 'README.md'))}"
    plans: dict[str, dict[str, object]] = {
        "alpha": {"files": {"write": ["a*"]}, "run": f"{user}; echo a > alpha"},
        "beta": {"files": {"write": ["own"]}, "run": f"echo b | tee own leaked > {there}"},
    }
    commit_plans(repo, plans, "leaks: hold\n")
    done = run("run-multi", "--all", cwd=repo.path)
    assert done.code == 1
    assert landings(repo) == ["alpha"]
    assert "leaked in the main checkout seems to be its work (leaks: hold)" in done.out
    assert "then `planctl queue add beta`" in done.out
    assert (repo.path / "leaked").read_text() == "b\n"
    (repo.path / "leaked").unlink()
    assert run("queue", "add", "beta", cwd=repo.path).code == 0
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    assert landings(repo) == ["alpha", "beta"]


def test_p13_what_a_plan_wrote_before_it_is_held_is_not_taken_for_the_users(repo: GitRepo) -> None:
    """Who waits for the end of a rate limit is at work no more when the checkout is looked at again."""
    there = shlex.quote(str(repo.path / "leaked"))
    hold = 'echo 1h > "$PLANCTL_RETRY_AT"; exit 75'
    work = f"echo b | tee own leaked > {there}; {hold}"
    commit_plans(repo, {"beta": {"files": {"write": ["own"]}, "run": work}})
    process = start("run-multi", "beta", "--json", cwd=repo.path)
    read_until(process, "plan.deferred", "beta")
    process.terminate()
    end_of(process)
    (row,) = json.loads(run("status", "--json", cwd=repo.path).out)["leaks"]
    assert (row["path"], row["plan"]) == ("leaked", "beta")
