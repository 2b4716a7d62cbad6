"""A changelog that every plan adds to, named in ``hot_files``."""

from __future__ import annotations

import pytest

from tests.support.gates import Gates, assert_all_landed
from tests.support.plans import commit_plans
from tests.support.process import end_of, run, start
from tests.support.repo import GitRepo
from tests.support.slices import seldom

LOG = "# Changelog\n\n## Unreleased\n\n- the first line\n\n## 1.0\n\n- came into being\n"
ADD = "sed -i 's/^- the first line$/&\\n- {0}/' CHANGELOG.md"
NAMES = ("a", "b", "c")


def three(repo: GitRepo, gates: Gates, settings: str = "") -> None:
    repo.commit("log", {"CHANGELOG.md": LOG})
    plans: dict[str, dict[str, object]] = {
        name: {"files": {"write": ["CHANGELOG.md", name]}, "run": gates.command(name, ADD.format(name))}
        for name in NAMES
    }
    commit_plans(repo, plans, f"hot_files: {{CHANGELOG.md: union}}\n{settings}")


@pytest.mark.parametrize("method", ["merge", *seldom("squash", "rebase")])
def test_p16_a_changelog_that_all_add_to_makes_nobody_wait(repo: GitRepo, gates: Gates, method: str) -> None:
    three(repo, gates, f"method: {method}\n")
    said = run("overlap", cwd=repo.path)
    assert (said.code, "CHANGELOG.md: a hot file, written by 3 plans" in said.out) == (0, True), said.out
    process = start("run-multi", *NAMES, "-j", "3", cwd=repo.path)
    for name in NAMES:
        gates.await_at(name)  # all three at once
    gates.open(*NAMES)
    done = end_of(process)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, [*NAMES])
    lines = repo.show("main", "CHANGELOG.md").splitlines()
    assert sorted(lines) == sorted([*LOG.splitlines(), "- a", "- b", "- c"])
    assert [line for line in lines if line not in {"- a", "- b", "- c"}] == LOG.splitlines()


def test_a_way_that_is_not_there_yet_is_refused_with_those_that_are(repo: GitRepo) -> None:
    repo.commit("settings", {"planctl.yaml": "hot_files: {package-lock.json: regenerate}\n"})
    done = run("lint", cwd=repo.path)
    assert done.code == 1
    assert "planctl.yaml:1" in done.out + done.err
    assert "union" in done.out + done.err
