"""One entry, from the queue to its end, on real git."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.states import EntryState
from tests.support.queues import Queue, configure, is_clean, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo


@pytest.fixture
def queue(repo: GitRepo) -> Iterator[Queue]:
    with queue_of(repo) as queue:
        yield queue
    require_sound(repo)


def test_s2_4_commits_reach_main_one_at_a_time(queue: Queue) -> None:
    old = queue.main()
    entries = [queue.work(f"w{n}", {f"new{n}.txt": f"{n}\n"}) for n in range(3)]
    queue.drain()
    assert queue.states() == {"w0": "landed", "w1": "landed", "w2": "landed"}
    first_parents = queue.repo.git("rev-list", "--first-parent", f"{old}..main").split()
    assert first_parents == [queue.entry(e).landed_commit for e in reversed(entries)]
    assert is_clean(queue.repo)
    assert (queue.repo.path / "new2.txt").read_text() == "2\n"


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_every_method_lands_and_marks_what_was_not_checked(queue: Queue, method: str) -> None:
    queue.repo.git("checkout", "-q", "-b", "w")
    queue.repo.commit("one", {"one.txt": "1\n"})
    queue.repo.commit("two", {"two.txt": "2\n"})
    queue.repo.git("checkout", "-q", "main")
    queue.repo.commit("meanwhile", {"docs/guide.md": "other\n"})
    entry = queue.add("w", method=method)
    queue.drain()
    landed = queue.entry(entry)
    assert (landed.state, landed.unchecked, landed.landed_commit) == (EntryState.LANDED, True, queue.main())
    commits = {"merge": 3, "squash": 1, "rebase": 2}[method]
    assert len(queue.repo.git("rev-list", f"{landed.landed_commit}", "^main~1").split()) >= 1
    assert len(queue.repo.git("rev-list", "main", f"^{queue.repo.head('main@{1}')}").split()) == commits
    assert queue.repo.git("ls-tree", "--name-only", "main", "one.txt", "two.txt").split() == [
        "one.txt",
        "two.txt",
    ]
    assert is_clean(queue.repo)


def test_a_conflict_has_all_paths_stages_and_messages_and_others_go_on(queue: Queue) -> None:
    one = queue.work("one", {"src/a.py": "one\n", "src/b.py": "one\n"})
    two = queue.work("two", {"src/a.py": "two\n", "src/b.py": "two\n"})
    three = queue.work("three", {"three.txt": "3\n"})
    queue.drain()
    assert queue.states() == {"one": "landed", "two": "conflicted", "three": "landed"}
    why = queue.entry(two).reason
    assert why["code"] == "conflict"
    assert why["paths"] == ["src/a.py", "src/b.py"]
    assert [(path, stage) for path, _, _, stage in why["stages"]] == [
        ("src/a.py", 1), ("src/a.py", 2), ("src/a.py", 3),
        ("src/b.py", 1), ("src/b.py", 2), ("src/b.py", 3),
    ]  # fmt: skip
    assert "CONFLICT (content): Merge conflict in src/a.py" in why["messages"]
    assert queue.repo.show("main", "src/a.py") == "one\n"
    assert queue.repo.head("two") == queue.entry(two).head
    assert landed_once(queue.repo, one.id) != landed_once(queue.repo, three.id)


def test_a_red_check_rejects_with_the_log_after_the_base_was_shown_green(queue: Queue) -> None:
    configure(queue.repo, check="'! test -e broken || { echo it is broken; exit 3; }'")
    bad = queue.work("bad", {"broken": "yes\n"})
    good = queue.work("good", {"fine": "yes\n"})
    old = queue.main()
    queue.drain()
    assert queue.states() == {"bad": "rejected", "good": "landed"}
    why = queue.entry(bad).reason
    assert (why["code"], why["exit_code"], why["tail"]) == ("red", 3, ["it is broken"])
    checked = [e.data["commit"] for e in queue.events("check.started")]
    assert checked[1] == old, "S12: the base is checked before anybody is blamed"
    landed = queue.entry(good)
    assert not landed.unchecked
    assert landed.tree == queue.repo.head("main^{tree}")


def test_p24_a_red_base_pauses_the_queue_and_blames_nobody(queue: Queue) -> None:
    configure(queue.repo, check="test -e never")
    one = queue.work("one", {"one.txt": "1\n"})
    two = queue.work("two", {"two.txt": "2\n"})
    queue.drain()
    assert queue.states() == {"one": "queued", "two": "queued"}
    assert queue.entry(one).reason["code"] == "target-red"
    assert queue.entry(two).reason["code"] == "paused"
    assert queue.entry(two).reason["detail"].startswith("target-red")
    assert queue.events("queue.paused")[0].data["why"].startswith("target-red")
    queue.repo.commit("mended", {"never": "now it is\n"})
    queue.drain()
    assert queue.states() == {"one": "landed", "two": "landed"}
