"""Where a repository's files lie, read from its configuration as git reads it; git swept under our feet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from tests.support.standin import before_git
from worktrees.coreconfig import core_settings, is_true
from worktrees.errors import FilterMissingError, GitFailedError
from worktrees.filters import require_filters
from worktrees.git import Git
from worktrees.objects import Objects
from worktrees.repository import find

FILES = [
    "[core]\n\tbare = true\n",
    "[core]bare=yes\n[core]\n\tworktree = /a\\\\b  # not this\n",
    '[core]\n\tworktree = "/a b;c" ; comment\n\tBare\n',
    '[CORE]\n\tbare = on\n[core "sub"]\n\tbare = off\n[other]\n\tworktree = /x\n',
    "[core]\n\tworktree = /one\\\n/two\n\tbare = false\n",
    "# [core]\n; bare = true\n[core]\r\n\tbare = 1\r\n",
    '[core]\n\tworktree = /first\n[extensions]\n\tworktreeConfig\n[core]\n\tworktree = "/se\\tcond"\n',
]


@pytest.mark.parametrize("text", FILES)
def test_core_settings_are_read_as_git_reads_them(repo: GitRepo, text: str) -> None:
    (repo.path / ".git/config").write_bytes(text.encode())
    found = core_settings(repo.path / ".git")
    for key in ("core.bare", "core.worktree", "extensions.worktreeconfig"):
        said = repo.git("config", "-f", ".git/config", "--get", key, ok=False)
        if key != "core.worktree":
            git_bool = repo.git("config", "-f", ".git/config", "--type=bool", "--get", key, ok=False)
            assert is_true(found.get(key, "")) == (git_bool == "true")
        else:
            assert found.get(key, "") == said


def test_the_extension_brings_config_worktree_in(repo: GitRepo) -> None:
    common = repo.path / ".git"
    (common / "config.worktree").write_text("[core]\n\tbare = true\n")
    assert core_settings(common)["core.bare"] == "false"
    repo.git("config", "extensions.worktreeConfig", "true")
    assert core_settings(common)["core.bare"] == "true"


@pytest.mark.parametrize(
    "message",
    [
        "error: unable to create temporary file: No such file or directory",
        "error: unable to write file /r/.git/objects/57/35: No such file or directory",
        "fatal: could not create directory of '/r/.git/worktrees/slot-01': No such file or directory",
        "fatal: could not open '/r/.git/worktrees/slot-07/locked' for writing: No such file or directory",
    ],
)
def test_what_a_gc_swept_away_under_git_is_done_again(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    flag = tmp_path / "swept"
    script = f'if [ ! -e "{flag}" ]; then : > "{flag}"; echo "{message}" >&2; exit 128; fi'
    before_git(tmp_path / "bin", script, monkeypatch)
    git = Git(find(repo.path))
    assert git.run("rev-parse", "HEAD", writes=True).text == repo.head()
    flag.unlink()
    with pytest.raises(GitFailedError):
        git.run("rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("command", "is_missing"),
    [("no-such-program smudge %f", True), ("", True), ("/no/such smudge", True), ("cat", False),
     ("X=1 no-such", False), ("if true; then cat; fi", False), ("'unclosed", False)],
)  # fmt: skip
def test_only_what_plainly_cannot_be_run_is_missing(repo: GitRepo, command: str, is_missing: bool) -> None:
    repo.commit("pointer", {".gitattributes": "*.x filter=y\n", "deep/a.x": "x\n"})
    repo.git("config", "filter.y.required", "true")
    if command:
        repo.git("config", "filter.y.smudge", command)
    repository = find(repo.path)
    git, objects = Git(repository), Objects(repository)
    if is_missing:
        with pytest.raises(FilterMissingError, match=r"deep/a\.x needs the filter y"):
            require_filters(git, objects, repo.head())
    else:
        require_filters(git, objects, repo.head())
    require_filters(git, objects, repo.head("HEAD~1"))
