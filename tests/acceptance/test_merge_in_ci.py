"""``merge`` as jobs of CI call it: branches by pattern, and reports for the systems around it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support.gates import Gates
from tests.support.plans import commit_plans
from tests.support.process import end_of, run, start
from tests.support.repo import GitRepo


@pytest.fixture
def pushed(repo: GitRepo) -> GitRepo:
    """Four branches: a good one, a red one, one that conflicts with the good one, one without commits."""
    repo.commit("check", {"planctl.yaml": "check: test ! -e bad\n"})
    repo.branch("plan/good", {"f": "1\n"})
    repo.branch("plan/red", {"bad": "\x1b[31m\n"})
    repo.branch("plan/with|mark", {"f": "2\n"})
    repo.branch("other/good", {"g": "1\n"})
    repo.git("branch", "plan/empty", "main")
    return repo


def test_p22_branches_by_pattern_land_or_say_why_not(pushed: GitRepo, tmp_path: Path) -> None:
    junit, summary = tmp_path / "out.xml", tmp_path / "out.md"
    step = tmp_path / "step.md"
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(step)}
    files = ("--junit", str(junit), "--summary", str(summary))
    done = run("merge", "--branches", "plan/*", *files, cwd=pushed.path, env=actions)
    assert done.code == 1
    assert "1 of 3 landed" in done.err
    root = ET.fromstring(junit.read_bytes())
    assert {k: root.get(k) for k in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "2",
        "errors": "0",
    }
    found = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert found == {"plan/good": [], "plan/red": ["failure"], "plan/with|mark": ["failure"]}
    types = {case.get("name"): child.get("type") for case in root.iter("testcase") for child in case}
    assert types == {"plan/red": "rejected", "plan/with|mark": "conflicted"}
    text = summary.read_text()
    assert text == step.read_text()
    assert "1 of 3 landed" in text
    assert len([line for line in text.splitlines() if line.startswith("| plan")]) == 3
    assert "with&#124;mark" in text, "what Markdown would read is escaped"
    annotated = [line for line in done.out.splitlines() if line.startswith("::error ")]
    assert len(annotated) == 2
    assert any(line.startswith("::error file=f,title=plan/with|mark conflicted::") for line in annotated)
    assert pushed.git("log", "--format=%s", "main", "--", "g") == "", "what does not match is left alone"


def test_a_report_that_could_not_be_written_is_refused_before_anything_lands(pushed: GitRepo) -> None:
    """It was a fault in the end, when the work had landed and nobody had been told of what became of it."""
    tip = pushed.head("main")
    for option in ("--junit", "--summary"):
        said = run("merge", "plan/good", "--json", option, "none/out.xml", cwd=pushed.path)
        assert said.code == 2
        assert "none/out.xml cannot be written: there is no folder none" in said.data["error"]["message"]
    assert pushed.head("main") == tip
    assert pushed.git("for-each-ref", "refs/planctl/entries") == ""


def test_several_patterns_and_names_are_one_list_and_nothing_to_do_is_no_failure(pushed: GitRepo) -> None:
    patterns = ("--branches", "plan/g*", "--branches", "other/**")
    done = run("merge", "plan/good", *patterns, "--json", cwd=pushed.path)
    assert done.code == 0
    assert [(e["branch"], e["state"]) for e in done.data["entries"]] == [
        ("plan/good", "landed"),
        ("other/good", "landed"),
    ]
    assert run("merge", "--branches", "nowhere/*", "--json", cwd=pushed.path).data == {
        "entries": [],
        "at_work": [],
        "not_utf8": [],
    }
    for bad in ("", "/x"):
        assert run("merge", "--branches", bad, cwd=pushed.path).code == 2


def test_the_branch_of_a_plan_at_work_is_left_out_and_named(repo: GitRepo, gates: Gates) -> None:
    plans: dict[str, dict[str, object]] = {"a": {"run": f"echo 1 > a; {gates.command('a', 'true')}"}}
    commit_plans(repo, plans)
    repo.branch("plan/by-hand", {"h": "1\n"})
    process = start("run-multi", "--all", "--no-land", cwd=repo.path)
    gates.await_at("a")
    place = next(line.split()[0] for line in repo.git("worktree", "list").splitlines() if "plan/a" in line)
    GitRepo(Path(place)).commit("half", {"half": "1\n"})
    done = run("merge", "--branches", "plan/*", "--json", cwd=repo.path)
    assert done.code == 0
    assert ([e["branch"] for e in done.data["entries"]], done.data["at_work"]) == (["plan/by-hand"], ["a"])
    gates.open("a")
    assert end_of(process).code == 0
    done = run("merge", "--branches", "plan/*", "--json", cwd=repo.path)
    assert [(e["plan"], e["state"]) for e in done.data["entries"]] == [("a", "landed")]
