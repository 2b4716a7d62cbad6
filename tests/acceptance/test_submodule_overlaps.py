"""Plans that work inside of a submodule: both move the one entry that the repository has of it."""

from __future__ import annotations

from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.repo import GitRepo


def test_p1_a_run_and_overlap_both_see_that_a_submodule_is_shared(repo: GitRepo) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head()},lib/sub")
    (repo.path / "lib" / "sub").mkdir(parents=True)
    plans: dict[str, dict[str, object]] = {
        name: {"files": {"write": [f"lib/sub/{name}.c"]}, "run": "true"} for name in ("a", "b")
    }
    commit_plans(repo, plans)
    (overlap,) = run("overlap", "--json", cwd=repo.path).data["overlaps"]
    assert (overlap["witness"], overlap["severity"], overlap["files"]) == ("lib/sub", "high", ["lib/sub"])
    planned = run("run-multi", "--all", "--dry-run", "--json", cwd=repo.path).data
    assert planned["overlaps"]["overlaps"] == [
        {key: value for key, value in overlap.items() if not key.startswith("first")}
        | {"first": None, "first_why": None}
    ]
    assert [row["after"] for row in planned["schedule"]] == [[], [{"plan": "a", "why": "overlap"}]]
    drawn = run("graph", "--json", cwd=repo.path).data
    assert [edge["why"] for edge in drawn["edges"]] == ["overlap"]


def test_p1_a_name_with_a_wildcard_in_it_is_seen_by_the_run_as_by_overlap(repo: GitRepo) -> None:
    """``a*`` names the existing file ``a*`` too when it is taken literally; both compare in the same tree."""
    repo.commit("odd", {"x/[y]": "1\n", "x/y": "2\n"})
    plans: dict[str, dict[str, object]] = {
        "a": {"files": {"write": ["x/[y]"]}, "run": "true"},
        "b": {"files": {"write": ["x/*"]}, "run": "true"},
    }
    commit_plans(repo, plans)
    (overlap,) = run("overlap", "--json", cwd=repo.path).data["overlaps"]
    planned = run("run-multi", "--all", "--dry-run", "--json", cwd=repo.path).data["overlaps"]["overlaps"]
    assert [(o["files"], o["advice"]) for o in planned] == [(overlap["files"], overlap["advice"])]
    assert overlap["files"] == ["x/[y]", "x/y"]
