"""The user's stash entries outlive whatever a plan does to the list."""

from __future__ import annotations

from pathlib import Path

from tests.support.repo import GitRepo
from worktrees.git import Git
from worktrees.stash import pin_stashes, put_back, stash_entries, vanished


def stash(repo: GitRepo, text: str) -> str:
    repo.write("src/a.py", text)
    repo.git("stash", "push", "-q", "-m", text.strip())
    return repo.head("refs/stash")


def test_no_stash(git: Git) -> None:
    assert pin_stashes(git) == ()
    assert vanished(git, (), stash_entries(git)) == ()


def test_p12_stash_cleared(repo: GitRepo, git: Git) -> None:
    """A rival ends with ``git stash clear``; here every entry can be put back, content and all."""
    entries = tuple(stash(repo, f"work {n}\n") for n in range(3))
    assert pin_stashes(git) == entries
    assert pin_stashes(git) == entries, "pinning again changes nothing"
    assert vanished(git, entries, stash_entries(git)) == ()
    repo.git("stash", "clear")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    assert stash_entries(git) == ()
    gone = vanished(git, entries, stash_entries(git))
    assert [entry.commit for entry in gone] == list(entries)
    assert [entry.subject for entry in gone] == [f"On main: work {n}" for n in range(3)]
    for entry in gone:
        assert repo.git("rev-parse", entry.reference) == entry.commit
        put_back(git, entry)
    assert stash_entries(git) == entries
    assert vanished(git, entries, stash_entries(git)) == ()
    repo.git("stash", "pop", "-q")
    assert (repo.path / "src/a.py").read_text() == "work 2\n"


def test_p12_a_pop_in_a_plans_worktree_is_noticed(repo: GitRepo, git: Git, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "slot"))
    kept, taken = stash(repo, "kept\n"), stash(repo, "taken\n")
    before = pin_stashes(git)
    repo.git("stash", "pop", "-q", at=tmp_path / "slot")
    assert [entry.commit for entry in vanished(git, before, stash_entries(git))] == [taken]
    assert stash_entries(git) == (kept,)


def test_packed_references_and_a_missing_log(repo: GitRepo, git: Git) -> None:
    older, newer = stash(repo, "one\n"), stash(repo, "two\n")
    repo.git("pack-refs", "--all")
    assert pin_stashes(git) == (older, newer)
    (git.repository.common_dir / "logs/refs/stash").unlink()
    assert stash_entries(git) == (newer,), "without its log only the top is left of the list"
    assert [entry.commit for entry in vanished(git, (older, newer), stash_entries(git))] == [older]


def test_an_entry_whose_commit_is_lost_does_not_keep_the_others_from_it(repo: GitRepo, git: Git) -> None:
    lost, kept = stash(repo, "lost\n"), stash(repo, "kept\n")
    (git.repository.common_dir / "objects" / lost[:2] / lost[2:]).unlink()
    assert pin_stashes(git) == (kept,)
