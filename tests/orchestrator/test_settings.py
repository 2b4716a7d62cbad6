"""Where settings come from (P23)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.settings import PolicySource, load_settings, working_settings
from plans.hotfiles import HotFile, HotMerge
from plans.project import Method
from tests.support.repo import GitRepo
from worktrees import repository
from worktrees.git import Git


def load(repo: GitRepo):  # noqa: ANN201 - as the function it stands for
    found = repository.find(repo.path)
    return load_settings(found, Git(found))


def test_without_a_file_the_defaults_count_and_nobody_complains(repo: GitRepo) -> None:
    found = load(repo)
    assert (found.policy, found.problems, found.target_tip) == (PolicySource.DEFAULTS, (), repo.head())
    assert found.project.target == "main"


def test_without_a_committed_file_the_working_copy_counts_with_a_warning(repo: GitRepo) -> None:
    repo.write("planctl.yaml", "check: make test\n")
    found = load(repo)
    assert found.policy is PolicySource.WORKING_COPY
    assert found.project.check == "make test"
    assert [p.code for p in found.problems] == ["settings-uncommitted"]


def test_p23_a_branch_cannot_weaken_what_guards_the_target(repo: GitRepo) -> None:
    tip = repo.commit(
        "settings",
        {
            "planctl.yaml": "check: make test\nrequire_check: true\nmethod: squash\nenforce: strict\n"
            "hot_files: {CHANGELOG.md: union}\njobs: 2\n"
        },
    )
    repo.write(
        "planctl.yaml", "check: 'true'\nrequire_check: false\nmethod: merge\nenforce: 'off'\njobs: 7\n"
    )
    found = load(repo)
    assert (found.policy, found.target_tip) == (PolicySource.TARGET, tip)
    project = found.project
    assert (project.check, project.require_check, project.method) == ("make test", True, Method.SQUASH)
    assert (project.enforce, dict(project.hot_files)) == (
        "strict",
        {"CHANGELOG.md": HotFile(HotMerge.UNION)},
    )
    assert project.jobs == 7, "what guards nothing comes from the working copy"
    assert working_settings(repository.find(repo.path)).project.check == "true"


def test_p23_taking_the_file_away_on_a_branch_takes_nothing_away(repo: GitRepo) -> None:
    repo.commit("settings", {"planctl.yaml": "check: make test\n"})
    (repo.path / "planctl.yaml").unlink()
    assert load(repo).project.check == "make test"


def test_the_working_copy_names_the_target_and_a_contradiction_is_a_warning(repo: GitRepo) -> None:
    repo.branch("develop", {"planctl.yaml": "target: main\ncheck: make develop\n"})
    repo.write("planctl.yaml", "target: develop\n")
    found = load(repo)
    assert (found.project.target, found.project.check) == ("develop", "make develop")
    assert [p.code for p in found.problems] == ["target-differs"]


def test_a_target_that_does_not_exist_is_a_warning(repo: GitRepo) -> None:
    repo.write("planctl.yaml", "target: trunk\n")
    found = load(repo)
    assert (found.target_tip, [p.code for p in found.problems]) == (None, ["target-missing"])


def test_problems_of_both_files_are_kept_apart(repo: GitRepo) -> None:
    repo.commit("settings", {"planctl.yaml": "chek: x\n"})
    repo.write("planctl.yaml", "jbos: 1\n")
    assert {(p.path, p.code) for p in load(repo).problems} == {
        ("planctl.yaml", "unknown-key"),
        ("main:planctl.yaml", "unknown-key"),
    }


def test_the_working_copy_may_not_be_a_device_or_lead_out(repo: GitRepo, tmp_path: Path) -> None:
    path = repo.path / "planctl.yaml"
    os.mkfifo(path)
    assert [p.code for p in load(repo).problems] == ["not-a-file"]
    path.unlink()
    (tmp_path / "secret").write_text("password: x\n")
    path.symlink_to(tmp_path / "secret")
    found = load(repo)
    assert [p.code for p in found.problems] == ["outside-repository"]
    assert "password" not in str(found.problems)


@pytest.mark.parametrize(
    "text", ["target: --force\n", "target: ../x\n", "target: 'a..b'\n", "target: HEAD\n"]
)
def test_a_hostile_target_never_reaches_git(repo: GitRepo, text: str) -> None:
    repo.write("planctl.yaml", text)
    found = load(repo)
    assert "error" in {p.severity for p in found.problems}
    assert found.project.target == "main"
