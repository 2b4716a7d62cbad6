"""``overlap --live``: would plans at work merge, edits included; real plans that stand at gates."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.gates import Gates, store_of
from tests.support.plans import commit_plans
from tests.support.process import Done, run, start
from tests.support.repo import GitRepo
from tests.support.runs import fingerprint
from tests.support.slices import seldom

EDIT = "sed -i 's/^a3 = .*/a3 = {}/' src/a.py"


@contextmanager
def at_work(repo: GitRepo, gates: Gates, commands: dict[str, str]) -> Iterator[None]:
    """Plans whose commands have been executed, each of which now stands at its gate."""
    plans: dict[str, dict[str, object]] = {
        plan: {"run": f"{command} && {gates.command(plan)}"} for plan, command in commands.items()
    }
    commit_plans(repo, plans)
    process = start("run-multi", "--all", "--json", "-j", str(len(plans)), cwd=repo.path)
    for plan in plans:
        gates.await_at(plan)
    yield
    process.kill()


def pairs(done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    return {(p["a"], p["b"]): p for p in done.data["pairs"]}


def folder_of(repo: GitRepo, plan: str) -> Path:
    with store_of(repo) as store:
        return next(Path(slot.path) for slot in store.slots() if slot.plan == plan)


def test_p2_edits_and_commits_of_plans_at_work_are_forecast(repo: GitRepo, gates: Gates) -> None:
    commands = {
        "a": EDIT.format("'edited'"),
        "b": f"{EDIT.format('5')} && git commit -qam b && echo more >> src/b.py && echo new > new",
        "c": "echo other >> docs/guide.md && echo new > fresh",
        "d": "echo mine > new",
    }
    with at_work(repo, gates, commands):
        # the desk and the attributes are planctl's own and made by now, the store by its runs
        live = run("overlap", "--live", "--json", cwd=repo.path)
        text = run("overlap", "--live", cwd=repo.path)
        chosen = run("overlap", "--live", "a", "c", "--json", cwd=repo.path)
        explained = run("overlap", "--live", "--explain", "d", "b", cwd=repo.path)
    found = pairs(live)
    assert live.code == 1, live.err
    assert {key: (p["outcome"], p["paths"]) for key, p in found.items()} == {
        ("a", "b"): ("conflict", ["src/a.py"]),
        ("a", "c"): ("clean", []),
        ("a", "d"): ("clean", []),
        ("b", "c"): ("clean", []),
        ("b", "d"): ("conflict", ["new"]),
        ("c", "d"): ("clean", []),
    }
    assert found["a", "b"]["first"] == "a"
    assert found["a", "b"]["first_why"] == "its landing leaves 1 conflict, that of b 2"
    assert all(branch["uncommitted"] for branch in live.data["branches"])
    assert "a and b: conflict\n  in: src/a.py\n  first: a, its landing" in text.out
    assert text.err.splitlines()[-1] == "4 at work, 6 pairs: 4 would merge, 2 in conflict"
    assert (chosen.code, list(pairs(chosen))) == (0, [("a", "c")])
    assert (explained.code, explained.out.splitlines()[:2]) == (1, ["b and d: conflict", "  in: new"])


def test_p2_a_forecast_leaves_everything_as_it_is(repo: GitRepo, gates: Gates) -> None:
    with at_work(repo, gates, {"a": EDIT.format("1"), "b": f"{EDIT.format('2')} && git add -A"}):
        run("overlap", "--live", cwd=repo.path)  # the attribute folder is kept from now on
        objects = repo.path / ".git" / "objects"
        watched = [repo.path / ".git" / name for name in ("refs", "logs", "worktrees")]
        watched += [folder_of(repo, "a"), folder_of(repo, "b")]
        before = [fingerprint(folder) for folder in watched], sorted(objects.rglob("*"))
        done = run("overlap", "--live", cwd=repo.path)
        after = [fingerprint(folder) for folder in watched], sorted(objects.rglob("*"))
        left = [p.name for p in (repo.path / ".git" / "planctl").glob("snapshot-*")]
    assert done.code == 1
    assert "a and b: conflict" in done.out
    assert after == before
    assert left == []


def lost(folder: Path) -> None:
    shutil.rmtree(folder)


def damaged(folder: Path) -> None:
    (folder / ".git").unlink()


def headless(folder: Path) -> None:
    git_dir = Path((folder / ".git").read_text().removeprefix("gitdir: ").strip())
    (git_dir / "index").write_bytes(b"no index")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        *seldom((lost, "its worktree is gone")),
        (damaged, "its worktree is damaged: no .git there leads to this repository"),
        (headless, "its worktree cannot be read: "),
    ],
)
def test_p2_what_cannot_be_read_is_not_compared_and_said(
    repo: GitRepo, gates: Gates, spoil: Callable[[Path], None], why: str
) -> None:
    with at_work(repo, gates, {"a": EDIT.format("1"), "b": EDIT.format("2"), "c": EDIT.format("9")}):
        spoil(folder_of(repo, "a"))
        done = run("overlap", "--live", "--json", cwd=repo.path)
        text = run("overlap", "--live", cwd=repo.path)
        alone = run("overlap", "--live", "a", "b", cwd=repo.path)
        strict = run("overlap", "--live", "a", "b", "--fail-on", "medium", cwd=repo.path)
    found = pairs(done)
    assert [p["outcome"] for p in found.values()] == ["not-compared", "not-compared", "conflict"]
    assert found["a", "b"]["why"].startswith(f"a: {why}")
    assert text.out.count("not compared") == 1, "once for the plan, not for each pair"
    assert f"a: not compared, {why}" in text.out
    assert (alone.code, strict.code) == (0, 1)


def test_p2_a_plan_in_the_middle_of_a_merge_is_not_compared(repo: GitRepo, gates: Gates) -> None:
    merge = (
        f"git checkout -qb side && {EDIT.format('7')} && git commit -qam side && git checkout -q - && "
        f"{EDIT.format('8')} && git commit -qam own && ! git merge side"
    )
    with at_work(repo, gates, {"a": merge, "b": EDIT.format("2")}):
        done = run("overlap", "--live", "--json", cwd=repo.path)
    assert pairs(done)["a", "b"]["why"] == "a: it is in the middle of a merge"
    assert done.code == 0


def test_p2_what_another_is_stacked_on_lands_first(repo: GitRepo, gates: Gates) -> None:
    """By number ``a`` would go first, for ``lower`` is in conflict with two."""
    phases = [
        {"name": "1", "run": EDIT.format("1")},
        {"name": "2", "run": f"{EDIT.format('2')} && {gates.command('lower')}"},
    ]
    plans: dict[str, dict[str, object]] = {
        "lower": {"phases": phases},
        "a": {"dependencies": ["lower.phase1"], "run": f"{EDIT.format('3 + 1')} && {gates.command('a')}"},
        "b": {"run": f"{EDIT.format('5')} && {gates.command('b')}"},
    }
    commit_plans(repo, plans)
    process = start("run-multi", "--all", "--json", "-j", "3", cwd=repo.path)
    for plan in plans:
        gates.await_at(plan)
    found = pairs(run("overlap", "--live", "--json", cwd=repo.path))
    process.kill()
    assert (found["a", "lower"]["first"], found["a", "lower"]["first_why"]) == (
        "lower",
        "a is stacked on it",
    )
    assert found["a", "b"]["first"] == "a"


def test_p2_finished_work_counts_and_each_target_has_its_own_forecast(repo: GitRepo, gates: Gates) -> None:
    finished: dict[str, object] = {"run": EDIT.format("1")}
    commit_plans(repo, {"a": finished, "c": finished})
    assert run("run-multi", "a", "--no-land", "--json", cwd=repo.path).code == 0
    repo.git("branch", "other")
    repo.write("planctl.yaml", "target: other\n")
    assert run("run-multi", "c", "--no-land", "--json", cwd=repo.path).code == 0
    (repo.path / "planctl.yaml").unlink()
    commit_plans(repo, {"b": {"run": f"{EDIT.format('2')} && {gates.command('b')}"}})
    process = start("run-multi", "b", "--json", cwd=repo.path)
    gates.await_at("b")
    done = run("overlap", "--live", "--json", cwd=repo.path)
    process.kill()
    found = {key: (p["outcome"], p["paths"], p["first"], p["why"]) for key, p in pairs(done).items()}
    assert found == {
        ("a", "b"): ("conflict", ["src/a.py"], "a", ""),
        ("a", "c"): ("not-compared", [], None, "they land on main and other"),
        ("b", "c"): ("not-compared", [], None, "they land on main and other"),
    }
    assert pairs(done)["a", "b"]["first_why"] == "it is finished, b is running"
    assert [b["uncommitted"] for b in done.data["branches"]] == [False, True, False]


def test_live_takes_plans_at_work_only_and_no_revision(two: GitRepo) -> None:
    nothing = run("overlap", "--live", "--json", cwd=two.path)
    assert (nothing.code, nothing.data) == (0, {"branches": [], "pairs": []})
    asked = run("overlap", "--live", "a", cwd=two.path)
    assert asked.code == 2
    assert "a is not at work" in asked.err
    both = run("overlap", "--live", "--against", "main", cwd=two.path)
    assert (both.code, "--against" in both.err) == (2, True)
