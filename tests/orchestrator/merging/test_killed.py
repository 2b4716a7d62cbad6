"""SIGKILL at every named step of a landing; the next worker finishes or undoes it, exactly once (S4, S5)."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from orchestrator.states import IntentState, SlotState
from tests.support.faces import reading
from tests.support.invariants import require_invariants
from tests.support.process import run
from tests.support.queues import configure, landed_once, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import mostly, seldom
from worktrees.followlock import read_mark

STEPS = (
    "queue.epoch",
    "objects.write",
    "candidate.keep",
    "provision.checkout",
    "reuse.clean",
    "checkout.lock",
    "landing.refs",
    "checkout.update",
    "checkout.index",
    "checkout.unlock",
    "candidate.forget",
)
MOMENTS = [f"{step}:{side}" for step in STEPS for side in ("before", "after")]
OFTEN = (
    "candidate.keep:after",
    "landing.refs:after",
    "checkout.update:after",
)


def scene(repo: GitRepo, **settings: str) -> None:
    """Two branches with work that does not meet, a check, and a user with an edit and a stash entry."""
    configure(repo, check="test -e README.md", **settings)
    repo.branch("one", {"src/a.py": "one\n", "new/one.txt": "1\n"})
    repo.branch("two", {"src/b.py": "two\n"})
    repo.write("README.md", "stashed\n")
    repo.git("stash")
    repo.write("docs/guide.md", "the user's edit\n")


def land_after_kill(repo: GitRepo, kill_at: str) -> None:
    trace = repo.path.with_name(f"{repo.path.name}.steps")
    killed = run(
        "merge",
        "one",
        "two",
        cwd=repo.path,
        env={"PLANCTL_KILL_AT": kill_at, "PLANCTL_STEP_TRACE": str(trace)},
    )
    assert killed.code in (0, -signal.SIGKILL), killed
    if ":before" in kill_at or ":after" in kill_at:
        assert killed.code == -signal.SIGKILL, f"{kill_at} was never reached"
    again = run("merge", "one", "two", "--json", cwd=repo.path)
    assert again.code == 0, again
    require_landed(repo, [entry["id"] for entry in again.data["entries"]])


def require_landed(repo: GitRepo, keys: list[str]) -> None:
    for key in keys:
        commit = landed_once(repo, key)
        assert repo.git("for-each-ref", "--format=%(objectname)", f"refs/planctl/landed/*/{key}") == commit
    assert repo.git("for-each-ref", "refs/planctl/candidates") == ""
    assert repo.show("main", "src/a.py") == "one\n"
    assert repo.show("main", "src/b.py") == "two\n"
    assert repo.git("status", "--porcelain") == " M docs/guide.md"
    assert (repo.path / "docs/guide.md").read_text() == "the user's edit\n"
    assert (repo.path / "new/one.txt").read_text() == "1\n"
    assert repo.git("stash", "list", "--format=%gs").startswith("WIP on main")
    assert read_mark(repo.path / ".git") is None
    with reading(repo) as store:
        assert store.intents({IntentState.OPEN}) == []
        assert {s.state for s in store.slots()} <= {SlotState.FREE}
        assert store.leases() == []
    require_invariants(repo, repo.git("log", "--format=%H", "--diff-filter=A", "main", "--", "planctl.yaml"))
    repo.git("commit", "-qam", "the user's next commit")
    assert repo.git("diff", "--name-only", "main~1", "main") == "docs/guide.md"
    require_sound(repo)


@pytest.mark.parametrize("moment", mostly(MOMENTS, OFTEN))
def test_s4_killed_at_a_step_and_landed_once(repo: GitRepo, moment: str) -> None:
    scene(repo)
    land_after_kill(repo, moment)


@pytest.mark.parametrize("method", ["squash", "rebase"])
@pytest.mark.parametrize("moment", ["landing.refs:after", *seldom("checkout.update:after")])
def test_s4_killed_with_other_methods(repo: GitRepo, moment: str, method: str) -> None:
    scene(repo, method=method)
    land_after_kill(repo, moment)


def moments_of(repo: GitRepo) -> int:
    """How many moments an undisturbed run has, in planctl's own process or in any of its children."""
    trace = repo.path.with_name("steps")
    assert run("merge", "one", "two", cwd=repo.path, env={"PLANCTL_STEP_TRACE": str(trace)}).code == 0
    return len(trace.read_text().splitlines())


def at_random_moments(template: Path, folder: Path, count: int | None, seed: int) -> None:
    first = GitRepo.copy_of(template, folder / "first")
    scene(first)
    every = range(1, moments_of(first) + 1)
    chosen = every if count is None else random.Random(seed).sample(every, count)
    for number in chosen:
        repo = GitRepo.copy_of(template, folder / f"at-{number}")
        scene(repo)
        try:
            land_after_kill(repo, f"*:{number}")
        except AssertionError as error:
            raise AssertionError(f"killed at moment {number}") from error


def test_s4_killed_at_any_moment_a_slice(template: Path, tmp_path: Path) -> None:
    at_random_moments(template, tmp_path, 1, seed=20261121)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_s4_killed_at_every_moment(template: Path, tmp_path: Path) -> None:
    at_random_moments(template, tmp_path, None, seed=0)


def test_s16_killed_while_recovering(repo: GitRepo) -> None:
    """The second worker is killed in the middle of its recovery; the third finishes it."""
    scene(repo)
    run("merge", "one", "two", cwd=repo.path, env={"PLANCTL_KILL_AT": "landing.refs:after"})
    for moment in ("checkout.update:before", "checkout.index:before", "checkout.index:after"):
        killed = run("merge", "one", "two", cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
        assert killed.code == -signal.SIGKILL, killed
    land_after_kill(repo, "candidate.forget:before")


def test_the_machine_dies_during_a_landing(repo: GitRepo) -> None:
    """As SIGKILL after the references moved; what the killed git child would leave is there as well."""
    scene(repo)
    run("merge", "one", "two", cwd=repo.path, env={"PLANCTL_KILL_AT": "landing.refs:before"})
    with reading(repo) as store:
        (intent,) = store.intents({IntentState.OPEN})
    heads = repo.path / ".git" / "refs" / "heads"
    (heads / "main.lock").write_text(f"{intent.new}\n")
    for name in ("epoch.lock", f"landed/one/{next(iter(intent.members))}.lock"):
        lock = repo.path / ".git" / "refs" / "planctl" / name
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(f"{intent.new}\n")
    again = run("merge", "one", "two", "--json", cwd=repo.path)
    assert again.code == 0, again
    require_landed(repo, [entry["id"] for entry in again.data["entries"]])


def test_s1_7_a_lock_that_is_not_provably_planctls_stays_and_is_named(repo: GitRepo) -> None:
    scene(repo)
    lock = repo.path / ".git" / "refs" / "heads" / "main.lock"
    lock.write_text("")
    os.utime(lock, (1, 1))  # however old it is
    said = run("merge", "one", "--json", cwd=repo.path)
    assert said.code == 1, said
    (entry,) = said.data["entries"]
    assert (entry["state"], entry["reason"]["code"]) == ("blocked", "locked")
    assert entry["reason"]["paths"] == ["refs/heads/main.lock"]
    assert lock.exists()
    assert repo.git("status", "--porcelain") == " M docs/guide.md"
    lock.unlink()
    assert run("sync", cwd=repo.path).code == 0
    assert landed_once(repo, entry["id"])
