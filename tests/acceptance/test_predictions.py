"""P3: predicted from text and history; it advises, and orders plans where ``predicted: bind`` says so."""

from __future__ import annotations

import os

import pytest

from orchestrator.states import AttemptState
from tests.support.gates import Gates, store_of
from tests.support.plans import landings, plan_text
from tests.support.process import end_of, read_until, run, start
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of plans are POSIX shell here")
BIND = "predicted: bind\n"


def with_history(repo: GitRepo) -> None:
    """``model`` and ``schema`` change together, always."""
    for number in range(3):
        repo.commit(f"change {number}", {"src/model": f"{number}\n", "src/schema": f"{number}\n"})


def commit(repo: GitRepo, settings: str, **plans: tuple[str, dict[str, object]]) -> None:
    """Plans by name: what their text says, and their header."""
    files: dict[str, str | bytes] = {
        f"plans/{name}.md": plan_text(name, **header) + text + "\n" for name, (text, header) in plans.items()
    }
    if settings:
        files["planctl.yaml"] = settings
    repo.commit("plans", files)


def test_p3_overlap_shows_what_history_says_and_what_it_rests_on(repo: GitRepo) -> None:
    with_history(repo)
    commit(
        repo,
        "",
        a=("Change src/model", {"run": "x"}),
        b=("", {"files": {"write": ["src/schema"]}, "run": "x"}),
    )
    said = run("overlap", cwd=repo.path)
    assert said.code == 0
    assert said.out.splitlines()[1:3] == [
        "the text of a names src/model",
        "a: with src/model changes src/schema (3 of 3 commits)",
    ]
    assert "a and b: possible by what is predicted, both write: src/model" in said.out
    (row,) = [g for g in run("overlap", "--json", cwd=repo.path).data["predicted"] if g["plan"] == "b"]
    assert (row["pattern"], row["given"], row["support"], row["commits"], row["line"]) == (
        "src/model",
        "src/schema",
        3,
        3,
        None,
    )


def test_p3_predicted_advises_and_both_start_at_once(repo: GitRepo, gates: Gates) -> None:
    commit(
        repo,
        "",
        a=("Change README.md", {"run": gates.command("a", "echo a > a")}),
        b=("", {"files": {"write": ["README.md"]}, "run": gates.command("b", "echo b > README.md")}),
    )
    process = start("run-multi", "--all", "-j", "2", cwd=repo.path)
    gates.await_at("a")
    gates.await_at("b")
    gates.open("a", "b")
    assert end_of(process).code == 0


def test_p3_where_it_binds_the_other_waits_also_after_a_kill(repo: GitRepo, gates: Gates) -> None:
    """What a plan really changes is its own affair: it declared nothing that could be held against it."""
    with_history(repo)
    commit(
        repo,
        BIND,
        a=("Change src/model", {"run": gates.command("a", "echo a > elsewhere")}),
        b=("", {"files": {"write": ["src/schema"]}, "run": "echo b > src/schema"}),
    )
    (pair,) = run("overlap", "--json", cwd=repo.path).data["overlaps"]
    assert (pair["a"], pair["b"], pair["witness"]) == ("a", "b", "src/schema")
    edges = run("graph", "--json", cwd=repo.path).data["edges"]
    assert [(edge["from"], edge["to"], edge["why"]) for edge in edges] == [("a", "b", "overlap")]
    process = start("run-multi", "--all", "-j", "2", "--json", cwd=repo.path)
    assert read_until(process, "plan.waiting", "b")["reason"] == {
        "code": "overlap",
        "plan": "a",
        "detail": "src/schema",
    }
    gates.await_at("a")
    process.kill()
    end_of(process)
    repo.commit("the text says no more", {"plans/a.md": plan_text("a", run="true")})
    resumed = start("resume", "--json", cwd=repo.path)
    read_until(resumed, "run.resumed")
    with store_of(repo) as store:
        assert store.attempts(plan="b")[-1].state is AttemptState.WAITING
    gates.open("a")
    done = end_of(resumed)
    assert done.code == 0, done.out + done.err
    assert landings(repo) == ["a", "b"]


def test_p3_where_it_binds_plans_of_other_runs_wait_too(repo: GitRepo, gates: Gates) -> None:
    commit(
        repo,
        BIND,
        a=("Change README.md", {"run": gates.command("a", "echo a > README.md")}),
        b=("", {"files": {"write": ["README.md"]}, "run": "echo b >> README.md"}),
    )
    first = start("run-multi", "a", cwd=repo.path)
    gates.await_at("a")
    second = start("run-multi", "b", "--json", cwd=repo.path)
    why = read_until(second, "plan.waiting", "b")["reason"]
    assert (why["code"], why["plan"], why["detail"]) == ("overlap", "a", "README.md")
    gates.open("a")
    assert (end_of(first).code, end_of(second).code) == (0, 0)
    assert repo.show("main", "README.md") == "a\nb\n"


def test_p3_lint_warns_and_says_what_to_do(repo: GitRepo) -> None:
    commit(repo, "", a=("See README.md", {"files": {"write": ["src"]}, "run": "x"}))
    said = run("lint", cwd=repo.path)
    assert said.code == 0
    assert "the text names 'README.md' (first in line 7), and 'files' does not have it" in said.out + said.err
    assert "files.read" in said.out + said.err
