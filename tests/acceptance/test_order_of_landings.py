"""What lands before what, when a plan has landed or was refused before: S10 beyond one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faces import reading
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, run
from tests.support.queues import require_sound
from tests.support.repo import GitRepo

STACKED: dict[str, dict[str, object]] = {
    "lower": {"files": {"write": ["lower", "bad"]}, "run": "echo more >> lower"},
    "upper": {
        "dependencies": [{"plan": "lower", "status": "finished"}],
        "files": {"write": ["upper"]},
        "run": "echo more >> upper",
        "priority": "critical",
    },
}


def states(done: Done) -> dict[str, str]:
    return {entry["plan"] or entry["branch"]: entry["state"] for entry in done.data["entries"]}


def test_s10_work_stacked_on_a_second_run_of_a_plan_waits_for_that_not_for_its_first_landing(
    repo: GitRepo,
) -> None:
    commit_plans(repo, STACKED)
    assert run("run-multi", "--all", cwd=repo.path).code == 0
    assert run("run-multi", "--all", "--again", "--no-land", cwd=repo.path).code == 0
    done = run("merge", "--finished", "--json", cwd=repo.path)
    assert states(done) == {"lower": "landed", "upper": "landed"}
    assert landings(repo) == ["lower", "upper", "lower", "upper"]
    assert repo.show("main", "lower") == repo.show("main", "upper") == "more\nmore\n"
    require_sound(repo)


@pytest.mark.stress
def test_s10_a_plan_whose_older_head_lands_after_all_no_longer_holds_up_what_is_stacked_on_it(
    repo: GitRepo, tmp_path: Path
) -> None:
    flag = tmp_path / "red"
    lower = STACKED["lower"] | {"check": f"test ! -e {flag}"}
    commit_plans(repo, STACKED | {"lower": lower})
    assert run("run-multi", "--all", "--no-land", cwd=repo.path).code == 0
    with reading(repo) as store:
        slot = GitRepo(Path(str(store.attempts(plan="lower")[-1].worktree)))
    good = slot.head()
    flag.touch()
    assert states(run("merge", "lower", "--json", cwd=repo.path)) == {"lower": "rejected"}
    slot.commit("no better", {"lower": "other\n"})
    assert states(run("merge", "lower", "--json", cwd=repo.path)) == {"lower": "rejected"}
    flag.unlink()
    slot.git("reset", "-q", "--hard", good)
    done = run("merge", "lower", "upper", "--json", cwd=repo.path)
    assert states(done) == {"lower": "landed", "upper": "landed"}
    require_sound(repo)


@pytest.mark.stress
def test_s10_work_stacked_on_a_phase_of_a_plan_that_failed_then_waits_for_its_retry(
    repo: GitRepo, tmp_path: Path
) -> None:
    flag = tmp_path / "fails"
    phases = [{"name": "1", "run": "echo more >> lower"}, {"name": "2", "run": f"test ! -e {flag}"}]
    upper = STACKED["upper"] | {"dependencies": [{"plan": "lower", "phase": 1}]}
    commit_plans(repo, {"lower": {"files": {"write": ["lower"]}, "phases": phases}, "upper": upper})
    assert run("run-multi", "--all", cwd=repo.path).code == 0
    flag.touch()
    assert run("run-multi", "--all", "--again", "--no-land", "--keep-going", cwd=repo.path).code == 1
    done = run("merge", "upper", "--json", cwd=repo.path)
    (waits,) = done.data["entries"]
    assert (done.code, waits["state"], waits["reason"]["code"]) == (1, "queued", "order")
    assert "lower" in waits["reason"]["detail"]
    flag.unlink()
    retried = run("retry", "lower", "--continue", cwd=repo.path)
    assert "upper queued: lands after lower\n" in retried.out, "the run ends, and leaves the queue to others"
    assert states(run("merge", "lower", "upper", "--json", cwd=repo.path)) == {
        "lower": "landed",
        "upper": "landed",
    }
    assert landings(repo) == ["lower", "upper", "lower", "upper"]
    assert repo.show("main", "upper") == "more\nmore\n"
    assert repo.show("main", "lower").startswith("more\nmore\n")
    require_sound(repo)


def test_l4_a_run_ends_when_its_work_lands_after_a_plan_whose_newest_head_another_run_had_refused(
    repo: GitRepo, tmp_path: Path
) -> None:
    flag = tmp_path / "red"
    lower = STACKED["lower"] | {"check": f"test ! -e {flag}"}
    commit_plans(repo, STACKED | {"lower": lower})
    assert run("run-multi", "--all", cwd=repo.path).code == 0
    flag.touch()
    assert run("run-multi", "lower", "--again", cwd=repo.path).code == 1
    done = run("run-multi", "upper", "--again", cwd=repo.path, timeout=20)
    assert done.code == 1
    assert "lands after lower, which was rejected" in done.out
    flag.unlink()
    assert run("retry", "lower", cwd=repo.path).code == 0
    assert run("merge", "upper", cwd=repo.path).code == 0
    require_sound(repo)
