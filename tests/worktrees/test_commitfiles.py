"""P3: which files each commit changed, from real git, kept from one look to the next."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.commitfiles import FILE, commit_files
from worktrees.git import Git
from worktrees.repository import find


def looked(repo: GitRepo, tip: str = "main") -> list[list[str]]:
    changes = commit_files(Git(find(repo.path)), repo.git("rev-parse", tip).strip())
    return [sorted(paths) for paths in changes]


def keeping(repo: GitRepo) -> Path:
    """Make planctl's folder, so that what is read is kept; return the file."""
    folder = find(repo.path).state_dir
    folder.mkdir(exist_ok=True)
    return folder / FILE


def test_p3_each_commit_with_what_it_changed_newest_first(repo: GitRepo) -> None:
    before = looked(repo)
    repo.commit("two", {"a b.txt": "1", "sub/c": "1"})
    repo.commit("one", {"a b.txt": "2", "line\nend": "x"})
    repo.git("mv", "a b.txt", "moved")
    repo.git("commit", "-q", "-m", "moved")
    assert looked(repo) == [["a b.txt", "moved"], ["a b.txt", "line\nend"], ["a b.txt", "sub/c"], *before]


def test_p3_an_empty_commit_changes_nothing_and_hides_no_other(repo: GitRepo) -> None:
    before = looked(repo)
    repo.commit("one", {"a": "1"})
    repo.git("commit", "-q", "--allow-empty", "-m", "empty")
    repo.commit("two", {"b": "1"})
    repo.git("commit", "-q", "--allow-empty", "-m", "empty at the tip")
    assert looked(repo) == [[], ["b"], [], ["a"], *before]


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_p3_names_that_are_not_utf_8(repo: GitRepo) -> None:
    (repo.path / os.fsdecode(b"n\xe9")).write_text("x")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "odd")
    kept = keeping(repo)
    assert looked(repo)[0] == ["n\udce9"]
    assert kept.is_file()
    assert looked(repo)[0] == ["n\udce9"], "and so it comes back"


def test_p3_a_merge_counts_by_what_it_merges(repo: GitRepo) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", {"side": "1"})
    repo.git("checkout", "-q", "main")
    repo.commit("main", {"main": "1"})
    repo.git("merge", "-q", "--no-ff", "--no-edit", "side")
    assert sorted(looked(repo)[:2]) == [["main"], ["side"]]


def test_p3_settings_of_the_user_change_nothing(repo: GitRepo) -> None:
    repo.commit("a", {"dir/a": "1\n2\n3\n"})
    repo.git("mv", "dir/a", "b")
    repo.git("commit", "-q", "-m", "b")
    plain = looked(repo)
    for key, value in {
        "diff.renames": "copies",
        "log.showSignature": "true",
        "diff.relative": "true",
        "diff.noprefix": "true",
        "log.follow": "true",
        "core.quotePath": "true",
    }.items():
        repo.git("config", key, value)
    assert looked(repo) == plain


def test_p3_only_what_is_new_is_read_again_and_the_whole_is_the_same(repo: GitRepo) -> None:
    """Random histories, with branches and rewritten ends, looked at after each step."""
    kept, rng = keeping(repo), random.Random(7)
    for number in range(14):
        choice = rng.randrange(4)
        if choice == 0:
            repo.git("checkout", "-q", "-B", "side", "HEAD~1" if number > 3 else "HEAD")
            repo.commit(f"side {number}", {f"s{number}": "1"})
            repo.git("checkout", "-q", "main")
            repo.git("merge", "-q", "--no-edit", "side")
        elif choice == 1 and number > 3:
            repo.git("reset", "-q", "--hard", "HEAD~1")
        else:
            repo.commit(f"main {number}", {f"m{rng.randrange(4)}": str(number)})
        known = looked(repo)
        kept.unlink()
        assert sorted(looked(repo)) == sorted(known)


@pytest.mark.parametrize("content", [b"", b"[", b"[1, 2]", b'["x", [[1]]]', b"{}", b"\xff", b'["gone", []]'])
def test_p3_what_is_kept_and_makes_no_sense_is_read_anew(repo: GitRepo, content: bytes) -> None:
    plain = looked(repo)
    keeping(repo).write_bytes(content)
    assert looked(repo) == plain


def test_p3_nothing_is_written_where_planctl_never_was_or_must_not(repo: GitRepo) -> None:
    looked(repo)
    assert not find(repo.path).state_dir.exists()
    kept = keeping(repo)
    kept.mkdir()  # what cannot be replaced
    assert looked(repo) == looked(repo)
    assert kept.is_dir()
