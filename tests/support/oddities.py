"""Odd repositories: each function makes one kind of a repository that holds the plans ``a`` and ``b``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.repo import GitRepo

HOOKS: Final = (
    "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-merge",
    "post-checkout", "reference-transaction", "post-index-change", "pre-rebase", "post-rewrite",
)  # fmt: skip
Odd = Callable[[GitRepo], GitRepo]
"""Makes the repository odd, and returns the one to stand in: itself, or another made from it."""


def as_it_is(repo: GitRepo) -> GitRepo:
    return repo


def configured(*settings: str) -> Odd:
    """``name=value`` each."""

    def make(repo: GitRepo) -> GitRepo:
        for setting in settings:
            repo.git("config", *setting.split("=", 1))
        return repo

    return make


def detached(repo: GitRepo) -> GitRepo:
    repo.git("checkout", "-q", "--detach")
    return repo


def on_another_branch(repo: GitRepo) -> GitRepo:
    repo.git("checkout", "-q", "-b", "side")
    return repo


def target_in_linked_worktree(repo: GitRepo) -> GitRepo:
    repo.git("checkout", "-q", "-b", "side")
    repo.git("worktree", "add", "-q", "../linked", "main")
    return repo


def linked_worktree(repo: GitRepo) -> GitRepo:
    repo.git("worktree", "add", "-q", "-b", "side", "../linked")
    return GitRepo(repo.path.with_name("linked"))


def subfolder(repo: GitRepo) -> GitRepo:
    (repo.path / "deep/er").mkdir(parents=True)
    return GitRepo(repo.path / "deep/er")


def inside_git_folder(repo: GitRepo) -> GitRepo:
    return GitRepo(repo.path / ".git")


def bare(repo: GitRepo) -> GitRepo:
    repo.git("clone", "-q", "--bare", ".", "../bare.git")
    return GitRepo(repo.path.with_name("bare.git"))


def cloned(*options: str) -> Odd:
    def make(repo: GitRepo) -> GitRepo:
        repo.git("config", "uploadpack.allowFilter", "true")
        repo.git("clone", "-q", *options, repo.path.as_uri(), "../clone")
        clone = GitRepo(repo.path.with_name("clone"))
        clone.git("config", "user.name", "Ada")
        clone.git("config", "user.email", "ada@example.invalid")
        return clone

    return make


def separate_git_folder(repo: GitRepo) -> GitRepo:
    repo.git("init", "-q", "--separate-git-dir", "../elsewhere.git")
    return repo


def called(name: str | bytes) -> Odd:
    """The repository's folder has that name."""

    def make(repo: GitRepo) -> GitRepo:
        return GitRepo(Path(shutil.move(repo.path, repo.path.parent / os.fsdecode(name))))

    return make


def odd_file_names(repo: GitRepo) -> GitRepo:
    for name in (b"two\nlines", b"caf\xe9", b"-lead", b" sp ace ", b'"quoted"', b":(glob)*"):
        Path(os.fsdecode(os.fsencode(repo.path) + b"/" + name)).write_bytes(name)
    (repo.path / "dangling").symlink_to("nowhere")
    repo.commit("odd names")
    return repo


def line_endings(repo: GitRepo) -> GitRepo:
    repo.git("config", "core.autocrlf", "true")
    repo.commit("crlf", {"win.txt": b"a\r\nb\r\n"})
    repo.git("rm", "-rqf", ".")
    repo.git("reset", "-q", "--hard")
    return repo


def sparse(repo: GitRepo) -> GitRepo:
    """Without the folder of plans: they are read from the target."""
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("sparse-checkout", "set", "docs")
    assert not (repo.path / "plans").exists()
    return repo


def failing_hooks(folder: str) -> Odd:
    def make(repo: GitRepo) -> GitRepo:
        for name in HOOKS:
            repo.write(
                f"{folder}/{name}", f"#!/bin/sh\necho {name} >> '{repo.path}/.git/ran'\nexit 1\n"
            ).chmod(0o755)
        if folder != ".git/hooks":
            repo.git("config", "core.hooksPath", str(repo.path / folder))
        return repo

    return make


def submodule(repo: GitRepo) -> GitRepo:
    repo.git("clone", "-q", ".", "../library")
    repo.git("submodule", "add", "-q", "../library", "library")
    repo.commit("a library")
    shutil.rmtree(repo.path.with_name("library"))  # its origin is gone; the modules here are enough
    return repo


def occupied_pool(repo: GitRepo) -> GitRepo:
    taken = repo.path.with_name(f"{repo.path.name}.worktrees") / "slot-01"
    taken.mkdir(parents=True)
    (taken / "mine").write_text("mine\n")
    return repo


def corrupt_store(repo: GitRepo) -> GitRepo:
    repo.write(".git/planctl/state.db", os.urandom(50_000))
    return repo


def target_called_trunk(repo: GitRepo) -> GitRepo:
    repo.commit("trunk", {"planctl.yaml": "target: trunk\n"})
    repo.git("branch", "trunk")
    return repo


# --- what is refused


def no_commit(repo: GitRepo) -> GitRepo:
    repo.git("init", "-q", "-b", "main", "../empty")
    shutil.copytree(repo.path / "plans", repo.path.parent / "empty/plans")
    return GitRepo(repo.path.with_name("empty"))


def sha256(repo: GitRepo) -> GitRepo:
    repo.git("init", "-q", "-b", "main", "--object-format=sha256", "../other")
    other = GitRepo(repo.path.with_name("other"))
    shutil.copytree(repo.path / "plans", other.path / "plans")
    other.commit("start")
    return other


def settings(text: str | bytes) -> Odd:
    def make(repo: GitRepo) -> GitRepo:
        repo.write("planctl.yaml", text)
        return repo

    return make


def state_is_a_file(repo: GitRepo) -> GitRepo:
    repo.write(".git/planctl", "")
    return repo


def broken_config(repo: GitRepo) -> GitRepo:
    with (repo.path / ".git/config").open("a") as file:
        file.write("[bad\n")
    return repo


def broken_plan(repo: GitRepo) -> GitRepo:
    repo.write("plans/z.md", "---\nplan: z\nbogus: 1\n---\n")
    return repo


def plan_leads_out(repo: GitRepo) -> GitRepo:
    outside = shutil.move(repo.path / "plans/a.md", repo.path.with_name("outside.md"))
    (repo.path / "plans/a.md").symlink_to(outside)
    return repo


def header(line: str) -> Odd:
    """One more line in the header of plan ``a``."""

    def make(repo: GitRepo) -> GitRepo:
        path = repo.path / "plans/a.md"
        path.write_text(path.read_text().replace("plan: a\n", f"plan: a\n{line}\n"))
        return repo

    return make


def branch_taken(repo: GitRepo) -> GitRepo:
    repo.git("worktree", "add", "-q", "-b", "plan/a", "../linked")
    return repo
