"""Worktrees of the user's own, repositories in odd places, and repositories of somebody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import odd_places as odd
from tests.support.odd_runs import condition, require_refused, require_works
from tests.support.process import run
from tests.support.repo import GitRepo
from worktrees.pool import pool_folder
from worktrees.repository import find

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands of these plans are POSIX shell")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser gives files away"
)


@pytest.mark.stress
@pytest.mark.parametrize("name", odd.PLACES)
def test_an_odd_place_works(two: GitRepo, name: str) -> None:
    require_works(odd.PLACES[name](two))


@pytest.mark.parametrize(
    "name",
    [
        name if number % 2 else pytest.param(name, marks=pytest.mark.stress)
        for number, name in enumerate(odd.HIDDEN)
    ],
)
def test_a_main_checkout_that_is_not_found_is_refused(two: GitRepo, tmp_path: Path, name: str) -> None:
    make, said = odd.HIDDEN[name]
    require_refused(tmp_path, make(two), ("run", "a"), said)


def test_p9_worktrees_of_the_users_own_are_left_alone(two: GitRepo) -> None:
    odd.nested_submodules(odd.named_like_a_slot(odd.worktrees_of_the_users(two)))
    before = two.git("worktree", "list", "--porcelain").strip().split("\n\n")
    require_works(odd.reached_by_link(two))
    after = two.git("worktree", "list", "--porcelain").strip().split("\n\n")
    assert set(before[1:]) <= set(after)
    pool = two.path.with_name("repo.worktrees")
    for place in ("mine", "slot-01"):
        assert (pool / place / "work").read_text() == "mine\n"
    assert two.git("symbolic-ref", "HEAD", at=pool / "slot-01") == "refs/heads/mine"
    made = [p for p in sorted(pool.glob("slot-0*")) if p.name != "slot-01"]
    assert [p.name for p in made] == ["slot-02", "slot-03"]
    for slot in made:
        assert (slot / "moved library/outer.txt").read_text() == "outer\n"


def test_a_bare_repository_with_worktrees_has_one_pool_wherever_one_stands(two: GitRepo) -> None:
    tree = odd.bare_config_worktree(two)
    require_works(tree, "a")
    assert (tree.path / "one").exists(), "the worktree that has the target follows"
    assert not (tree.path.parent / "one").exists(), "the folder of a bare repository is no checkout"
    places = {pool_folder(find(path), None) for path in (tree.path, tree.path.parent)}
    assert places == {tree.path.parent / ".git/planctl/worktrees"}


def test_a_submodule_as_the_repository_litters_nothing_around_it(two: GitRepo) -> None:
    library = odd.submodule_itself(two)
    outer = GitRepo(library.path.parent)
    library.git("worktree", "add", "-q", "-b", "side", "../../linked")
    require_works(GitRepo(library.path.parent.with_name("linked")), "a")
    assert outer.git("status", "--porcelain") == " M library", "its commit, and nothing untracked"
    assert (library.path / "one").exists(), "its main checkout followed, seen from a linked worktree"
    assert condition(library)[1] == ""


def test_where_the_pool_lies_inside_another_repository(two: GitRepo) -> None:
    inner = odd.inside_another(two)
    repository = find(inner.path)
    assert pool_folder(repository, None) == inner.path / ".git/planctl/worktrees"
    GitRepo(inner.path.parent).write(".gitignore", "/inner.worktrees/\n")
    assert pool_folder(repository, None) == inner.path.with_name("inner.worktrees"), "it does not show there"


@as_root
def test_a_repository_of_somebody_else_is_refused_until_git_is_told_it_is_safe(
    two: GitRepo, tmp_path: Path
) -> None:
    odd.elsewhere_owned(two)
    require_refused(tmp_path, two, ("run", "a"), "detected dubious ownership in repository")
    two.git("config", "--global", "safe.directory", str(two.path))
    done = run("run", "a", cwd=two.path)
    assert done.code == 0, done.err
    assert two.show("main", "one") == "a\n"
