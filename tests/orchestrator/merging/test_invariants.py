"""What no other test of the queue shows by itself of its invariants (docs/invariants.md)."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator

import pytest

from orchestrator.merging.tenure import EPOCH
from orchestrator.states import EntryState, IntentState
from orchestrator.submitting.submit import Work, submit
from tests.support.queues import MAIN, Queue, configure, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo

MOST_LOOKS = 20


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue
    require_sound(repo)


def proof_of(queue: Queue, branch: str) -> dict[str, object]:
    (event,) = [e for e in queue.events("entry.landed") if e.data["branch"] == branch]
    proof: dict[str, object] = event.data["proof"]
    return proof


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_s2_the_tree_and_parent_of_a_landing_are_those_of_its_verdict(queue: Queue, method: str) -> None:
    configure(queue.repo, check="test -e README.md")
    old = queue.main()
    landed = queue.land("one", {"one": "1\n"}, method=method)
    proof = proof_of(queue, "one")
    assert proof["checked_trees"] == {landed.landed_commit: queue.repo.head("main^{tree}")}
    assert proof["follows"] == queue.repo.head("main^1") == old
    said = queue.events("check.finished")[-1].data
    assert (said["commit"], said["passed"]) == (queue.main(), True)


def test_s6_what_somebody_took_off_the_target_is_not_put_back(queue: Queue) -> None:
    """The target goes on from wherever it is; the queue itself never moves it but forward."""
    one = queue.land("one", {"one": "1\n"})
    queue.repo.git("reset", "-q", "--hard", "main~1")
    base = queue.main()
    two = queue.land("two", {"two": "2\n"}, start="main")
    assert queue.repo.head("main^1") == base
    assert queue.main() == two.landed_commit
    assert one.landed_commit not in queue.repo.git("rev-list", "main").split()
    log = (queue.repo.path / ".git/logs/refs/heads/main").read_text().splitlines()
    moves = [line.split(" ", 2)[:2] for line in log if line.endswith("\tplanctl: land")]
    assert [new for _, new in moves] == [one.landed_commit, two.landed_commit]
    for old, new in moves:
        queue.repo.git("merge-base", "--is-ancestor", old, new)


def test_s9_branches_and_their_work_stay_whatever_becomes_of_it(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad")
    queue.work("lands", {"src/a.py": "1\n"})
    queue.work("meets", {"src/a.py": "2\n"})
    queue.work("fails", {"bad": "3\n"})
    heads = {name: queue.repo.head(name) for name in ("lands", "meets", "fails")}
    queue.drain()
    assert queue.states() == {"lands": "landed", "meets": "conflicted", "fails": "rejected"}
    queue.repo.git("gc", "-q", "--prune=now")
    assert {name: queue.repo.head(name) for name in heads} == heads


def test_s10_a_dependent_of_rejected_work_never_lands_and_goes_on_once_that_has(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad")
    queue.repo.branch("first", {"bad": "1\n"})
    queue.repo.branch("second", {"second": "2\n"})
    first = submit(queue.bench, work_of(queue, "first"))
    second = submit(queue.bench, work_of(queue, "second", after=("first",)))
    queue.drain()
    assert queue.states() == {"first": "rejected", "second": "queued"}
    assert queue.entry(second).reason["code"] == "dependency-rejected"
    queue.repo.git("checkout", "-q", "first")
    queue.repo.git("rm", "-q", "bad")
    queue.repo.commit("mended", {"first": "1\n"})
    queue.repo.git("checkout", "-q", "main")
    mended = submit(queue.bench, work_of(queue, "first"))
    queue.drain()
    assert queue.entry(first).state is EntryState.REJECTED
    assert queue.entry(mended).state is queue.entry(second).state is EntryState.LANDED
    before, after = landed_once(queue.repo, mended.id), landed_once(queue.repo, second.id)
    queue.repo.git("merge-base", "--is-ancestor", before, after)


def work_of(queue: Queue, name: str, after: tuple[str, ...] = ()) -> Work:
    base = queue.repo.git("merge-base", MAIN, name)
    return Work(MAIN, name, queue.repo.head(name), base, plan=name, after=after)


def test_s12_blame_needs_a_base_that_passes_in_the_same_environment(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad")
    base = queue.main()
    fails = queue.land("fails", {"bad": "1\n"})
    assert fails.state is EntryState.REJECTED
    said = [(e.data["commit"], e.data["passed"]) for e in queue.events("check.finished")]
    assert said == [(fails.candidate, False), (base, True), (fails.candidate, False)]
    assert queue.repo.head(f"{fails.candidate}^1") == base
    path = queue.repo.path / ".git/planctl/state.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        found = store.execute("SELECT DISTINCT command, environment FROM verdicts").fetchall()
    assert len(found) == 1, "both by one command in one environment"


def test_s12_where_the_base_has_no_verdict_nobody_is_blamed(queue: Queue) -> None:
    """Red, and of the base one cannot tell: held for a person in the end, not refused."""
    configure(queue.repo, check="'test -e one && exit 1; exit 75'", queue="serial")
    one = queue.land("one", {"one": "1\n"})
    assert (one.state, one.reason["code"]) == (EntryState.HELD, "no-verdict")
    said = {(e.data["of_target"], e.data["passed"]) for e in queue.events("check.finished")}
    assert said == {(False, False), (True, None)}
    assert queue.events("entry.rejected") == []


def test_s14_the_queue_lands_beside_a_user_in_the_middle_of_something(queue: Queue) -> None:
    """Another branch checked out, staged, unstaged and untracked work, references and a stash entry."""
    repo = queue.repo
    repo.write("README.md", "put aside\n")
    repo.git("stash")
    repo.git("tag", "mine")
    repo.git("checkout", "-q", "-b", "elsewhere")
    repo.write("src/a.py", "staged\n")
    repo.git("add", "src/a.py")
    repo.write("src/b.py", "not staged\n")
    repo.write("new.txt", "untracked\n")
    repo.git("branch", "one", "main")
    repo.git("update-ref", "refs/heads/one", commit_on(repo, "main", {"one": "1\n", "src/a.py": "theirs\n"}))
    before = seen_by_the_user(repo)
    entry = queue.add("one")
    queue.drain()
    assert queue.entry(entry).state is EntryState.LANDED
    assert seen_by_the_user(repo) == before
    assert repo.show("main", "src/a.py") == "theirs\n"


def commit_on(repo: GitRepo, start: str, files: dict[str, str]) -> str:
    """A commit that is made without a checkout."""
    changes = "".join(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in files.items())
    head = "feature done\ncommit refs/made\nmark :1\ncommitter Ada <ada@example.invalid> 1 +0000\n"
    script = f"{head}data 4\nwork\nfrom {repo.head(start)}\n{changes}get-mark :1\ndone\n"
    commit = repo.git("fast-import", "--quiet", "--done", stdin=script)
    repo.git("update-ref", "-d", "refs/made")
    return commit


def seen_by_the_user(repo: GitRepo) -> tuple[object, ...]:
    lines = repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    own = [line for line in lines if not line.startswith(("refs/planctl/", f"{MAIN} "))]
    files = {
        p.name: p.read_bytes() for p in (repo.path, repo.path / "src") for p in p.iterdir() if p.is_file()
    }
    return own, repo.git("symbolic-ref", "HEAD"), repo.git("status", "--porcelain=v2"), files, index_of(repo)


def index_of(repo: GitRepo) -> str:
    return repo.git("ls-files", "--stage")


def test_s16_a_worker_that_nobody_wakes_finds_what_there_is(queue: Queue) -> None:
    """Its wake-up is lost, as that of another process always is: it looks by itself."""
    queue.repo.branch("two", {"two": "2\n"})
    queue.land("one", {"one": "1\n"})
    found: list[bool] = []

    def done(idle: bool) -> bool:
        if idle and not found:  # it is about to rest
            with queue_of(queue.repo) as other:
                other.add("two")
        found.append(idle)
        return queue.states().get("two") == "landed" or len(found) > MOST_LOOKS

    queue.worker(wake=threading.Event()).drain(done)
    assert queue.states() == {"one": "landed", "two": "landed"}


def test_s16_draining_again_changes_nothing(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad")
    for name, files in (("one", {"one": "1\n"}), ("two", {"bad": "2\n"}), ("three", {"three": "3\n"})):
        queue.work(name, files)
    queue.drain()
    before = what_there_is(queue)
    queue.drain()
    queue.drain()
    assert what_there_is(queue) == before
    assert queue.bench.store.intents({IntentState.OPEN}) == []


def what_there_is(queue: Queue) -> tuple[object, ...]:
    """Everything that a worker which finds nothing to do leaves alone: all but the epoch of its tenure."""
    lines = queue.repo.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    references = [line for line in lines if not line.startswith(f"{EPOCH} ")]
    store = queue.bench.store
    return references, store.entries(), store.intents(), queue.checks_run(), queue.events("entry.")


class Unending(threading.Event):
    """Somebody wakes the worker again before it has heard of the last time."""

    def clear(self) -> None:
        """It stays set."""


def test_s16_wake_ups_without_end_change_nothing(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad", queue="serial")
    for name, files in (("one", {"one": "1\n"}), ("two", {"bad": "2\n"}), ("three", {"three": "3\n"})):
        queue.work(name, files)
    wake, seen = Unending(), list[tuple[object, ...]]()
    wake.set()

    def done(idle: bool) -> bool:
        if idle:
            seen.append(what_there_is(queue))
        return len(seen) > MOST_LOOKS

    queue.worker(wake=wake).drain(done)
    assert queue.states() == {"one": "landed", "two": "rejected", "three": "landed"}
    assert len(queue.events("entry.landed")) == 2
    assert all(look == seen[1] for look in seen[1:]), "it has tidied up, and then nothing changes"
    assert what_there_is(queue) == seen[1]


def test_l5_an_outside_push_ends_only_what_it_meets(queue: Queue) -> None:
    configure(queue.repo, check="test ! -e bad")
    queue.work("beside", {"src/a.py": "beside\n"})
    meets = queue.work("meets", {"src/b.py": "meets\n"})
    queue.repo.commit("by a person", {"src/b.py": "theirs\n"})
    queue.drain()
    assert queue.states() == {"beside": "landed", "meets": "conflicted"}
    assert queue.entry(meets).reason["paths"] == ["src/b.py"]
    assert queue.repo.show("main", "src/b.py") == "theirs\n"
