"""Odd places: worktrees of the user's own, and repositories that lie where one does not expect them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from tests.support.oddities import Odd
from tests.support.repo import GitRepo


def worktrees_of_the_users(repo: GitRepo) -> GitRepo:
    """One locked, one whose folder is gone, one locked on a medium that is away, one in the pool's folder."""
    for name in ("locked", "gone", "away", "repo.worktrees/mine"):
        repo.git("worktree", "add", "-q", "--detach", f"../{name}")
    repo.git("worktree", "lock", "--reason", "mine", "../locked")
    repo.git("worktree", "lock", "../away")
    shutil.rmtree(repo.path.with_name("gone"))
    shutil.move(repo.path.with_name("away"), repo.path.with_name("unplugged"))
    (repo.path.with_name("repo.worktrees") / "mine/work").write_text("mine\n")
    return repo


def gone_worktree_on_target(repo: GitRepo) -> GitRepo:
    repo.git("checkout", "-q", "-b", "side")
    repo.git("worktree", "add", "-q", "../gone", "main")
    shutil.rmtree(repo.path.with_name("gone"))
    return repo


def named_like_a_slot(repo: GitRepo) -> GitRepo:
    repo.git("worktree", "add", "-q", "-b", "mine", "../repo.worktrees/slot-01")
    (repo.path.with_name("repo.worktrees") / "slot-01/work").write_text("mine\n")
    return repo


def bare_config_worktree(repo: GitRepo) -> GitRepo:
    """A bare repository called .git, whose ``core.bare`` is in ``config.worktree``; main in a worktree."""
    repo.git("clone", "-q", "--bare", ".", "../project/.git")
    place = GitRepo(repo.path.with_name("project"))
    place.git("config", "extensions.worktreeConfig", "true")
    place.git("config", "--worktree", "core.bare", "true")
    place.git("config", "--unset", "core.bare")
    place.git("worktree", "add", "-q", "tree", "main")
    return GitRepo(place.path / "tree")


def bare_hidden(repo: GitRepo) -> GitRepo:
    """``project/.bare``, a ``.git`` file that points there, and worktrees beside."""
    repo.git("clone", "-q", "--bare", ".", "../project/.bare")
    project = repo.path.with_name("project")
    (project / ".git").write_text("gitdir: ./.bare\n")
    place = GitRepo(project)
    place.git("worktree", "add", "-q", "tree", "main")
    return place


def bare_hidden_from_tree(repo: GitRepo) -> GitRepo:
    return GitRepo(bare_hidden(repo).path / "tree")


def work_tree_elsewhere(repo: GitRepo) -> GitRepo:
    """``core.worktree`` says that the files lie in another folder."""
    other = repo.path.with_name("files")
    other.mkdir()
    for name in os.listdir(repo.path):
        if name != ".git":
            shutil.move(repo.path / name, other / name)
    repo.git("config", "core.worktree", str(other))
    return repo


def work_tree_elsewhere_in_config_worktree(repo: GitRepo) -> GitRepo:
    work_tree_elsewhere(repo)
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("config", "--worktree", "core.worktree", str(repo.path.with_name("files")))
    repo.git("config", "--unset", "core.worktree")
    return repo


def separate_from_linked(repo: GitRepo) -> GitRepo:
    repo.git("init", "-q", "--separate-git-dir", "../elsewhere.git")
    repo.git("worktree", "add", "-q", "-b", "side", "../linked")
    return GitRepo(repo.path.with_name("linked"))


def git_folder_by_link(repo: GitRepo) -> GitRepo:
    shutil.move(repo.path / ".git", repo.path.with_name("store"))
    (repo.path / ".git").symlink_to("../store")
    return repo


def git_folder_by_link_from_linked(repo: GitRepo) -> GitRepo:
    git_folder_by_link(repo)
    repo.git("worktree", "add", "-q", "-b", "side", "../linked")
    return GitRepo(repo.path.with_name("linked"))


def inside_another(repo: GitRepo) -> GitRepo:
    outer = GitRepo(repo.path.with_name("outer"))
    outer.path.mkdir()
    outer.git("init", "-q")
    outer.commit("outer", {"file": "x\n"})
    return GitRepo(Path(shutil.move(repo.path, outer.path / "inner")))


def submodule_itself(repo: GitRepo) -> GitRepo:
    outer = GitRepo(repo.path.with_name("outer"))
    outer.path.mkdir()
    outer.git("init", "-q")
    outer.git("submodule", "add", "-q", repo.path.as_uri(), "library")
    outer.commit("outer")
    return GitRepo(outer.path / "library")


def reached_by_link(repo: GitRepo) -> GitRepo:
    repo.path.with_name("way").symlink_to(repo.path)
    return GitRepo(repo.path.with_name("way"))


def pool_by_link(repo: GitRepo) -> GitRepo:
    """The default folder of the pool is a link to another one."""
    repo.path.with_name("far").mkdir()
    repo.path.with_name(f"{repo.path.name}.worktrees").symlink_to("far")
    return repo


def nested_submodules(repo: GitRepo) -> GitRepo:
    """A submodule in a submodule, by relative addresses; one was moved; the addresses are gone."""
    for name in ("inner", "outer"):
        made = GitRepo(repo.path.with_name(name))
        made.path.mkdir()
        made.git("init", "-q")
        made.commit(name, {f"{name}.txt": f"{name}\n"})
    outer = GitRepo(repo.path.with_name("outer"))
    outer.git("submodule", "add", "-q", "../inner", "deep")
    outer.commit("nested")
    repo.git("remote", "add", "origin", str(repo.path.with_name("origin.git")))
    repo.git("submodule", "add", "-q", "../outer", "library")
    repo.git("submodule", "update", "-q", "--init", "--recursive")
    repo.commit("submodules")
    repo.git("mv", "library", "moved library")
    repo.commit("moved")
    for name in ("inner", "outer"):
        shutil.rmtree(repo.path.with_name(name))
    return repo


def elsewhere_owned(repo: GitRepo) -> GitRepo:
    """The repository is another user's."""
    for path in (repo.path, *repo.path.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    return repo


PLACES: Final[dict[str, Odd]] = {
    "users-worktrees": worktrees_of_the_users,
    "gone-worktree-on-target": gone_worktree_on_target,
    "named-like-a-slot": named_like_a_slot,
    "nested-submodules": nested_submodules,
    "reached-by-link": reached_by_link,
    "pool-by-link": pool_by_link,
    "git-folder-by-link": git_folder_by_link,
    "bare-config-worktree": bare_config_worktree,
    "bare-hidden": bare_hidden,
    "bare-hidden-from-tree": bare_hidden_from_tree,
    "inside-another": inside_another,
    "submodule-itself": submodule_itself,
}
HIDDEN: Final[dict[str, tuple[Odd, str]]] = {
    "work-tree-elsewhere": (work_tree_elsewhere, "where no .git leads back to it"),
    "work-tree-elsewhere-by-extension": (
        work_tree_elsewhere_in_config_worktree,
        "where no .git leads back to it",
    ),
    "separate-git-folder-from-linked": (separate_from_linked, "where its main checkout is, git tells only"),
    "git-folder-by-link-from-linked": (
        git_folder_by_link_from_linked,
        "where its main checkout is, git tells only",
    ),
}
"""The main checkout cannot be worked in from where one stands, and what is said of it."""
