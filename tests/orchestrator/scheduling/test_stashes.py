"""The watch over the user's stash while plans run."""

from __future__ import annotations

import pytest

from orchestrator.scheduling import stashes
from tests.support.faces import bench_at
from tests.support.repo import GitRepo
from worktrees.git import Git
from worktrees.stash import pin_stashes


def test_an_entry_that_is_taken_while_one_looks_is_told_once(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("README.md", "stashed\n")
    repo.git("stash", "-q")
    taken: list[str] = []

    def pinned_then_taken(git: Git) -> tuple[str, ...]:
        entries = pin_stashes(git)
        if not taken:
            taken.append(repo.head("stash@{0}"))
            repo.git("stash", "pop", "-q")
        return entries

    with bench_at(repo) as (bench, _):
        watch = stashes.StashWatch(bench, "r1")
        monkeypatch.setattr(stashes, "pin_stashes", pinned_then_taken)
        watch.look()
        watch.look()
        told = [event for event in bench.store.events_after(0) if event.event == "stash.lost"]
    assert [event.data["commit"] for event in told] == taken
