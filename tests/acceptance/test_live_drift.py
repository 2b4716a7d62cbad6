"""Drift is noticed while plans run, told, and orders plans anew (P3); docs/live-drift.md shows the first."""

from __future__ import annotations

import json

import pytest

from tests.support.gates import Gates
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo

LINES = "".join(f"{n}\n" for n in range(20))


def test_p3_one_drifts_the_third_waits_for_the_right_one_and_all_land(repo: GitRepo, gates: Gates) -> None:
    repo.commit("shared", {"shared": LINES})
    plans: dict[str, dict[str, object]] = {
        "alpha": {
            "files": {"write": ["alpha"]},
            "run": f"echo a | tee alpha third; echo a >> shared; {gates.command('alpha')}",
        },
        "beta": {
            "files": {"write": ["shared"]},
            "run": gates.command("beta", "sed -i 1s/.*/first/ shared"),
        },
        "gamma": {"files": {"write": ["third"]}, "run": "test a = $(cat third) && echo g >> third"},
    }
    commit_plans(repo, plans)
    process = start("run-multi", "--all", "--json", "-j", "2", cwd=repo.path)
    gates.await_at("alpha")
    gates.await_at("beta")
    drift = read_until(process, "plan.drift", "alpha")
    assert drift["live"]
    assert drift["paths"] == ["shared", "third"]
    assert drift["collisions"] == [["shared", "beta"], ["third", "gamma"]]
    told = read_until(process, "plan.touched", "beta")
    assert (told["by"], told["path"]) == ("alpha", "shared")
    shown = {p["id"]: p for p in json.loads(run("status", "--json", cwd=repo.path).out)["plans"]}
    assert shown["alpha"]["drift"] == ["shared", "third"]
    assert {"plan": "beta", "path": "shared"} in shown["alpha"]["drifted_into"]
    assert shown["beta"]["drifted_into"] == []
    said = run("status", cwd=repo.path).out
    assert "changed beside its files: shared (of beta), third (of gamma)" in said
    gates.open("beta")
    waiting = read_until(process, "plan.waiting", "gamma")
    assert waiting["reason"] == {"code": "drifted-into", "plan": "alpha", "detail": "third"}
    read_until(process, "entry.landed", "beta")
    gates.open("alpha")
    done = end_of(process)
    assert done.code == 0, done.out + done.err
    assert landings(repo) == ["beta", "alpha", "gamma"]
    assert repo.show("main", "shared") == LINES.replace("0", "first", 1) + "a\n"
    assert repo.show("main", "third") == "a\ng\n"


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.stress)])
def test_p3_drift_that_ends_frees_the_waiting_plan(repo: GitRepo, gates: Gates, *, killed: bool) -> None:
    back = gates.command("back", f"rm two && {gates.command('alpha')}")
    plans: dict[str, dict[str, object]] = {
        "alpha": {"files": {"write": ["alpha"]}, "run": f"echo a | tee alpha two; {back}"},
        "beta": {"files": {"write": ["two"]}, "dependencies": ["zero"], "run": "echo b > two"},
        "zero": {"files": {"write": ["zero"]}, "run": gates.command("zero", "echo z > zero")},
    }
    commit_plans(repo, plans)
    process = start("run-multi", "--all", "--json", cwd=repo.path)
    read_until(process, "plan.drift", "alpha")
    gates.await_at("zero")
    gates.open("zero")
    read_until(process, "entry.landed", "zero")
    assert read_until(process, "plan.waiting", "beta")["reason"]["code"] == "drifted-into"
    if killed:
        process.kill()
        end_of(process)
    gates.await_at("back")
    gates.open("back")
    gates.await_at("alpha")
    if killed:
        process = start("resume", "--json", cwd=repo.path)
    assert read_until(process, "plan.drift-ended", "alpha")["paths"] == ["two"]
    read_until(process, "entry.landed", "beta")
    gates.open("alpha")
    assert end_of(process).code == 0
    assert landings(repo) == ["zero", "beta", "alpha"]
    assert repo.show("main", "two") == "b\n"
