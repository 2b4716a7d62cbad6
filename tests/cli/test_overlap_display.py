"""Overlaps for people: few in full, many as a matrix, and what GitHub Actions shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.display.githubactions import annotation, table
from orchestrator.cli.display.overlaps import FEW, WIDEST
from tests.support.cli import planctl
from tests.support.plans import commit_plans
from tests.support.repo import GitRepo


def overlapping(repo: GitRepo, count: int) -> None:
    """``p00`` writes what each of ``count`` other plans writes or reads."""
    files = [f"f{n}" for n in range(count)]
    plans: dict[str, dict[str, object]] = {"p00": {"files": {"write": files}, "run": "x"}}
    for number, file in enumerate(files, 1):
        role = "read" if number == 2 else "write"
        plans[f"p{number:02}"] = {"files": {role: [file]}, "run": "x"}
    commit_plans(repo, plans)


def test_few_are_shown_in_full_with_who_goes_first_and_why(repo: GitRepo) -> None:
    overlapping(repo, 2)
    lines = planctl("overlap", repo=repo.path).stdout.splitlines()
    assert lines[0] == "p00 and p01: high, both write"
    assert "  advice: sequence, p00 goes first: its id comes first" in lines
    assert "  advice: isolate, p00 lands first: p02 reads what it writes" in lines
    pairs = planctl("overlap", "--json", repo=repo.path).data["overlaps"]
    assert [(p["first"], p["first_why"]) for p in pairs] == [
        ("p00", "its id comes first"),
        ("p00", "p02 reads what it writes"),
    ]


def test_many_are_a_matrix_and_a_line_each(repo: GitRepo) -> None:
    overlapping(repo, FEW + 1)
    lines = planctl("overlap", repo=repo.path).stdout.splitlines()
    assert lines[0].split() == [str(n) for n in range(1, FEW + 3)]
    assert lines[1] == " 1 p00  ·  H  m " + " ".join([" H"] * (FEW - 1))
    assert lines[2].startswith(" 2 p01  H  ·  ·")
    assert lines[FEW + 3] == "p00 and p01: high, both write, f0; sequence, p00 goes first: its id comes first"
    assert "existing:" not in "\n".join(lines)


def test_a_matrix_has_room_for_the_plans_with_the_most_overlaps(repo: GitRepo) -> None:
    overlapping(repo, WIDEST + 4)
    out = planctl("overlap", repo=repo.path).stdout
    assert "… and 5 plans with fewer overlaps" in out
    assert out.count("\np00 and ") == WIDEST + 4


def test_a_circle_of_dependencies_is_no_reason_to_say_nothing(repo: GitRepo) -> None:
    shared: dict[str, object] = {"files": {"write": ["f"]}, "run": "x"}
    commit_plans(repo, {"a": {**shared, "dependencies": ["b"]}, "b": {**shared, "dependencies": ["a"]}})
    said = planctl("overlap", "--json", repo=repo.path)
    assert (said.code, said.data["overlaps"][0]["first"]) == (1, None)


# -- in a step of GitHub Actions --------------------------------------------------------------------------


def test_github_is_told_at_the_plan_that_waits_and_in_the_summary(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlapping(repo, 2)
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    said = planctl("overlap", repo=repo.path)
    assert said.code == 1
    first = "both write: f0; sequence, p00 goes first: its id comes first"
    reads = "p00 writes what p02 reads: f1; isolate, p00 lands first: p02 reads what it writes"
    assert [line for line in said.stdout.splitlines() if line.startswith("::")] == [
        f"::error file=plans/p01.md,title=p00 and p01 overlap::{first}",
        f"::warning file=plans/p02.md,title=p00 and p02 overlap::{reads}",
    ]
    lines = summary.read_text().splitlines()
    assert lines[:4] == ["before", "### planctl overlap: 2 overlaps of 3 plans", "", lines[3]]
    assert lines[5] == (
        "| p00 | p01 | high | both write | f0 | sequence, p00 goes first: its id comes first |"
    )
    as_json = planctl("overlap", "--json", repo=repo.path)
    assert as_json.data["plans"] == ["p00", "p01", "p02"], "and stdout stays JSON"
    assert "::error " in as_json.stderr


def test_a_summary_that_cannot_be_written_is_said_and_the_answer_stands(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlapping(repo, 1)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    said = planctl("overlap", repo=repo.path)
    assert (said.code, "the summary of the job cannot be written" in said.stderr) == (1, True)


def test_hostile_names_stay_text_for_github() -> None:
    made = annotation("error", "a,title=x::y\nz", "t:1,\r2", "100% \n::set-output name=a::b")
    assert made == (
        "::error file=a%2Ctitle=x%3A%3Ay\\x0az,title=t%3A1%2C\\x0d2::100%25 \\x0a::set-output name=a::b"
    )
    assert table(["a|b"], [["<img src=x> [l](u) `c` | \n"]]).splitlines()[2] == (
        "| &#60;img src=x&#62; &#91;l&#93;&#40;u&#41; &#96;c&#96; &#124; &#92;x0a |"
    )
    assert table(["n"], [[str(n)] for n in range(203)]).endswith("\n… and 3 more\n")
