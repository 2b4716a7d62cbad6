"""``queue jump`` as a user meets it: shapes, exit codes, killed in the middle, on a remote."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from orchestrator.submitting.submit import Work, submit
from tests.support.process import run
from tests.support.queues import MAIN, queue_of, require_sound
from tests.support.remotes import remote_of
from tests.support.repo import GitRepo


def order(repo: GitRepo, *options: str) -> list[str]:
    listed = run("queue", "list", "--json", *options, cwd=repo.path).data["entries"]
    return [entry["branch"] for entry in listed]


def queued(repo: GitRepo, *names: str, options: tuple[str, ...] = ()) -> None:
    for name in names:
        repo.branch(name, {name: "1\n"})
    assert run("queue", "add", *names, *options, cwd=repo.path).code == 0


def test_jump_by_each_name_in_text_and_json(repo: GitRepo) -> None:
    queued(repo, "one", "two", "three")
    done = run("queue", "jump", "three", "--json", cwd=repo.path)
    assert done.code == 0
    assert done.data.keys() == {"entries", "awaits", "changed"}
    (entry,) = done.data["entries"]
    assert (entry["branch"], entry["position"], entry["reason"]["code"]) == ("three", 1, "jumped")
    assert (done.data["awaits"], done.data["changed"]) == ([], True)
    assert order(repo) == ["three", "one", "two"]
    again = run("queue", "jump", entry["id"][:8], cwd=repo.path)
    assert (again.code, again.out) == (0, f"three is queued at place 1: {entry['id']}\n")
    assert again.err == "it was first already: nothing has changed\n"
    assert run("queue", "jump", "two", cwd=repo.path).err == ""
    assert order(repo) == ["two", "three", "one"]
    explained = run("queue", "explain", "two", cwd=repo.path)
    assert "a person has put it before all others" in explained.out
    story = run("queue", "log", "two", cwd=repo.path).out
    assert "two was lifted from place 3 to 1" in story
    told = run("queue", "log", "two", "--json", cwd=repo.path).events[-1]
    assert (told["event"], told["was"], told["place"]) == ("queue.jumped", 3, 1)
    assert told["session"]
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    assert run("queue", "jump", "two", cwd=repo.path).code == 2
    assert run("queue", "jump", "nobody", cwd=repo.path).code == 2


def test_the_priority_of_what_is_in_the_queue_is_changed_by_a_jump_alone(repo: GitRepo) -> None:
    queued(repo, "one", "two")
    done = run("queue", "add", "two", "--priority", "90", cwd=repo.path)
    assert (done.code, done.err) == (0, "two keeps its priority 50: `planctl queue jump two` lifts it\n")
    assert order(repo) == ["one", "two"]
    assert run("queue", "jump", "two", cwd=repo.path).code == 0
    repo.branch("three", {"three": "1\n"})
    done = run("queue", "add", "three", "--priority", "100", cwd=repo.path)
    assert (done.code, done.err) == (0, "")
    assert order(repo) == ["two", "three", "one"]


@pytest.mark.parametrize("priority", ["nan", "inf", "-inf", "1000001"])
def test_a_priority_that_no_plan_may_have_is_exit_2(repo: GitRepo, priority: str) -> None:
    repo.branch("one", {"one": "1\n"})
    done = run("queue", "add", "one", "--priority", priority, cwd=repo.path)
    assert (done.code, order(repo)) == (2, [])


def test_a_killed_jump_has_lifted_all_of_a_line_or_none_and_is_done_again(
    repo: GitRepo,
) -> None:
    plans = {"base": {}, "top": {"after": ("base",)}}
    queued(repo, "one", "two")
    with queue_of(repo) as queue:
        for name, more in plans.items():
            repo.branch(name, {name: "1\n"})
            work = Work(MAIN, name, repo.head(name), repo.git("merge-base", MAIN, name), plan=name, **more)
            submit(queue.bench, work)
    before, after = ["one", "two", "base", "top"], ["base", "top", "one", "two"]
    seen, number = [], 0
    while True:
        number += 1
        done = run("queue", "jump", "top", cwd=repo.path, env={"PLANCTL_KILL_AT": f"*:{number}"})
        seen.append(order(repo))
        assert seen[-1] in (before, after), number
        if done.code == 0:
            break
        assert done.code == -signal.SIGKILL, done
    assert seen[0] == before
    assert seen[-2:] == [after, after], "killed once more after it was done"
    told = run("queue", "log", "top", "--json", cwd=repo.path).events
    assert [event["event"] for event in told].count("queue.jumped") == 1
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    require_sound(repo)


def test_on_a_remote_it_lands_first_from_here_and_the_other_clone_has_its_own_queue(
    repo: GitRepo, tmp_path: Path
) -> None:
    remote = remote_of(repo, tmp_path / "there", check="test -e README.md", queue="serial")
    mine, other = remote.clone("mine"), remote.clone("other")
    there = ("--remote", "origin")
    queued(mine, "one", "two", options=there)
    queued(other, "three", "four", options=there)
    for clone, name in ((mine, "two"), (other, "four")):
        done = run("queue", "jump", name, *there, cwd=clone.path)
        assert done.code == 0, done
    assert (order(mine, *there), order(other, *there)) == (["two", "one"], ["four", "three"])
    assert order(mine) == [], "the queue of the local branch is another"
    for clone in (mine, other):
        assert run("queue", "run", "--once", *there, cwd=clone.path).code == 0
    landed = [subject for subject in reversed(remote.subjects()) if subject.startswith("Merge")]
    assert [subject.split("'")[1] for subject in landed] == ["two", "one", "four", "three"]
