"""The invariants of the queue, looked for in what is on disk afterwards: git and the store, nothing else."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection

from orchestrator.states import EntryState, IntentState
from tests.support.faces import reading
from tests.support.queues import MAIN, require_sound
from tests.support.repo import GitRepo


def require_invariants(
    repo: GitRepo, start: str, *, check: bool = True, vouched: Collection[str] = ()
) -> None:
    """Hold S1, S2, S4, S6 and S8 of everything on main since the commit ``start``; raise AssertionError.

    ``check``: the target has a check, so every commit has a passing verdict or came from outside, recorded.
    ``vouched``: commits on which a person let the queue go on, whatever a check had said.
    """
    with reading(repo) as store:
        entries, intents = store.entries(), store.intents()
        moves = [e.data for e in store.events_after(0, limit=100_000) if e.event == "target.moved"]
    _require_forward_only(repo, start)
    landed = [e for e in entries if e.state is EntryState.LANDED]
    made = {commit for i in intents if i.state is IntentState.DONE for commit in i.members.values()}
    assert [i for i in intents if i.state is IntentState.OPEN] == []
    if check:
        _require_green(repo, start, [(str(m["old"]), str(m["new"])) for m in moves], vouched)
    for entry in landed:
        commit = entry.landed_commit
        assert commit in made, f"{entry.branch} is landed without an intent"
        repo.git("merge-base", "--is-ancestor", str(commit), MAIN)  # S8
        found = repo.git(
            "log", "--first-parent", "--format=%H", f"--grep=^Planctl-Key: {entry.id}$", MAIN
        ).split()
        assert len(found) <= 1 or entry.method == "rebase", f"S4: {entry.branch} is on main as {found}"
    for line in repo.git(
        "for-each-ref", "--format=%(refname) %(objectname)", "refs/planctl/landed"
    ).splitlines():
        name, commit = line.split()
        assert name.rpartition("/")[2] in {e.id for e in landed}, f"S4: {name} is no landed entry"
        repo.git("merge-base", "--is-ancestor", commit, MAIN)
    require_sound(repo)


def _require_forward_only(repo: GitRepo, start: str) -> None:
    """S6: each value that main ever had contains the one before.

    Git writes the log before it moves the reference: killed in between, a line tells of a move that never
    was, and the next one begins where it began.
    """
    log = repo.path / repo.git("rev-parse", "--git-path", f"logs/{MAIN}")
    moves = [line.split(" ", 2)[:2] for line in log.read_text(errors="replace").splitlines()]
    moves = moves[[new for _, new in moves].index(start) + 1 :]
    at = start
    for (old, new), after in itertools.zip_longest(moves, moves[1:], fillvalue=None):
        assert old == at, f"S6: the log goes from {at} to {old}"
        repo.git("merge-base", "--is-ancestor", old, new)
        was_made = new == repo.head(MAIN) if after is None else after[0] != old
        at = new if was_made else old
    assert at == repo.head(MAIN)


def _require_green(repo: GitRepo, start: str, moves: list[tuple[str, str]], vouched: Collection[str]) -> None:
    """S1, S2: commits of the queue, and what they land on, have a passing verdict for exactly their tree.

    Somebody else's commit that a landing came after is recorded.
    """
    outside = {c for old, new in moves for c in repo.git("rev-list", f"{old}..{new}").split()}
    commits = repo.git("rev-list", "--first-parent", "--reverse", f"{start}..{MAIN}").split()
    form = "--format=%(trailers:key=Planctl-Key,valueonly)%(trailers:key=Planctl-Batch,valueonly)"
    keys = {c: repo.git("log", "-1", form, c).strip() for c in commits}
    first = next((n for n, commit in enumerate(commits) if keys[commit]), len(commits))
    for before, commit in itertools.pairwise(commits[first:]):
        if keys[commit]:
            assert has_passed(repo, commit), f"S1: {commit} has no passing verdict"
            assert before in vouched or has_passed(repo, before), (
                f"S1: landed on {before}, which nobody checked"
            )
            assert keys[before] or before in outside, f"S1: nobody recorded {before}"


def has_passed(repo: GitRepo, commit: str) -> bool:
    """Whether a check said yes to exactly the commit's tree."""
    tree = repo.head(f"{commit}^{{tree}}")
    with sqlite3.connect(f"file:{repo.path}/.git/planctl/state.db?mode=ro", uri=True) as store:
        found = store.execute("SELECT count(*) FROM verdicts WHERE tree = ? AND passed", (tree,)).fetchone()
    store.close()
    return bool(found[0])
