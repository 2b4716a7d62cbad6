"""A disk that is full or broken at any moment of a run, once or from then on: nothing half done or lost.

The run says so in one line or fails a plan with a reason; when there is room again it is gone on with, and
every plan lands exactly once.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.campaigns import Record
from tests.support.gates import assert_all_landed, at_work, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, run
from tests.support.repo import GitRepo
from tests.support.slices import sampled

PLANS: dict[str, dict[str, object]] = {
    "a": {"files": {"write": ["one"]}, "run": "echo a >> one"},
    "b": {"files": {"write": ["two"]}, "dependencies": ["a"], "run": "cat one > two"},
    "c": {"files": {"write": ["one", "three"]}, "run": "echo c > three && git add -A && git commit -qm c"},
}
CHECK = "check: test ! -e bad\n"
SHARDS = 8
FAULT_WORDS = re.compile(r"No space left|Input/output error|database or disk is full|disk I/O error")
FAULTS = ("ENOSPC@*:{}", "ENOSPC@*:{}+", "EIO@*:{}", "EIO@*:{}+")


def made(template: Path, path: Path) -> GitRepo:
    repo = GitRepo.copy_of(template, path)
    commit_plans(repo, PLANS, CHECK)
    return repo


def moments(repo: GitRepo, trace: Path) -> int:
    done = run("run-multi", *PLANS, "-j", "2", cwd=repo.path, env={"PLANCTL_STEP_TRACE": str(trace)})
    assert done.code == 0, done.err
    return len(trace.read_text().splitlines())


def require_clean_words(done: Done, at: str) -> None:
    """No traceback; a fault is one line with the disk's own words."""
    assert done.code in (0, 1, 3), f"{at}: {done.code}\n{done.out}{done.err}"
    assert "Traceback" not in done.err + done.out, f"{at}\n{done.err}"
    assert "unexpected" not in done.err, f"{at}\n{done.err}"
    if done.code == 3:
        said = [line for line in done.err.splitlines() if line.startswith("planctl: ")]
        assert len(said) == 1, f"{at}\n{done.err}"
        assert FAULT_WORDS.search(said[0]), f"{at}\n{done.err}"


def fail_and_go_on(repo: GitRepo, fault: str) -> None:
    """One run on a disk that fails, then what a person would do."""
    done = run("run-multi", *PLANS, "-j", "2", cwd=repo.path, env={"PLANCTL_FAIL_AT": fault})
    require_clean_words(done, fault)
    go_on_to_the_end(repo, f"{fault}\n{done.out}{done.err}")


def go_on_to_the_end(repo: GitRepo, at: str, by_hand: Callable[[], None] = lambda: None) -> None:
    """The disk is well again: nothing is at work or damaged, and all that was begun lands, once."""
    assert at_work(repo) == [], at
    with store_of(repo) as store:
        begun = bool(store.runs())
    for words in ("resume", "sync", "retry --failed", "sync", "retry --failed") if begun else ():
        again = run(*words.split(), cwd=repo.path)
        nothing = again.code == 2 and ("no run was interrupted" in again.err or "nothing has" in again.err)
        assert again.code in (0, 1) or nothing, f"{at}: {words}\n{again.out}{again.err}"
        if sorted(landings(repo)) == sorted(PLANS):
            break
    if not begun:
        assert run("run-multi", *PLANS, cwd=repo.path).code == 0, at
    assert sorted(landings(repo)) == sorted(PLANS), at
    assert [repo.show("main", name).split() for name in ("one", "two", "three")] == [["a"], ["a"], ["c"]]
    by_hand()
    fixed = run("doctor", "--fix", "--json", cwd=repo.path)
    assert fixed.code == 0, f"{at}\n{fixed.out}{fixed.err}"
    assert_all_landed(repo, [*PLANS])


def campaign(template: Path, tmp_path: Path, faults: list[str]) -> str:
    for number, fault in enumerate(faults):
        fail_and_go_on(made(template, tmp_path / f"run-{number}"), fault)
    return f"{len(faults)} faults of the disk: a clean line or a failed plan each, all landed once"


@pytest.mark.timeout(300)
def test_a_run_on_a_disk_that_fails_is_gone_on_with(template: Path, tmp_path: Path) -> None:
    campaign(template, tmp_path, ["ENOSPC@*:150+"])


def test_a_landing_whose_outcome_the_disk_hides_is_brought_to_the_checkout(
    template: Path, tmp_path: Path
) -> None:
    """The target has moved, and nobody was told: the checkout stays marked, and the next worker looks."""
    campaign(template, tmp_path, ["EIO@landing.refs:after:2"])


@pytest.mark.parametrize("which", sampled(range(2)))
def test_a_store_that_fails_after_it_has_noted_finished_work(
    template: Path, tmp_path: Path, which: int
) -> None:
    """What has been written cannot be written again as a failure of the plan."""
    trace = tmp_path / "trace"
    moments(made(template, tmp_path / "whole"), trace)
    steps = trace.read_text().splitlines()
    after = steps[steps.index("plan.pin:after:1") :]
    noted = [s for s in after if s.startswith("store.commit:after:")][which]
    repo = made(template, tmp_path / "fails")
    done = run("run-multi", *PLANS, "-j", "2", cwd=repo.path, env={"PLANCTL_FAIL_AT": f"ENOSPC@{noted}"})
    assert done.code == 3, done.out + done.err
    require_clean_words(done, noted)
    go_on_to_the_end(repo, noted)


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_moment_of_a_run_on_a_disk_that_fails(
    template: Path, tmp_path: Path, record_property: Record, shard: int
) -> None:
    total = moments(made(template, tmp_path / "whole"), tmp_path / "trace")
    chosen = random.Random(20261125)
    faults = [chosen.choice(FAULTS).format(moment) for moment in range(1, total + 1)]
    record_property("held", campaign(template, tmp_path, faults[shard::SHARDS]))
