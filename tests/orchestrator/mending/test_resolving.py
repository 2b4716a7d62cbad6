"""P18: a conflict goes to the resolver, the merge prepared in a worktree, and what it makes is queued."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.mending import judging
from orchestrator.services.resolve import prepare, resolve
from orchestrator.slots.prepared import journals
from orchestrator.states import EntryState
from tests.support.gates import Gates
from tests.support.mending import BOTH, conflict, mend, newest
from tests.support.plans import commit_plans, landings
from tests.support.process import end_of, run, start
from tests.support.queues import Queue, configure, is_clean, landed_once, queue_of, require_sound
from tests.support.repo import GitRepo
from tests.support.slices import sampled, seldom


def script(folder: Path, text: str) -> str:
    """A resolver in Python, as a command line."""
    path = folder / "resolver.py"
    path.write_text(text)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


# -- what the resolver finds ---------------------------------------------------------------------------


def test_p18_a_conflict_is_resolved_and_lands(repo: GitRepo) -> None:
    configure(repo, resolver=json.dumps(BOTH), check="test -e README.md")
    repo.branch("one", {"src/a.py": "one\n"})
    repo.branch("two", {"src/a.py": "two\n"})
    done = run("merge", "one", "two", "--json", cwd=repo.path)
    assert done.code == 0, done
    assert [(e["branch"], e["state"]) for e in done.data["entries"]] == [("one", "landed"), ("two", "landed")]
    assert repo.show("main", "src/a.py") == "both\n"
    landed_once(repo, done.data["entries"][1]["id"])
    assert is_clean(repo)
    explained = run("queue", "log", "--json", cwd=repo.path).events
    ended = [e for e in explained if e["event"] == "resolver.ended"]
    assert ended[0]["next"] == done.data["entries"][1]["id"], "linked to the entry that conflicted"
    assert ended[1]["earlier"] == ended[0]["entry"]


LOOK = """
import json, os, pathlib, subprocess
def git(*words): return subprocess.run(["git", *words], capture_output=True, check=True).stdout
env = {k: v for k, v in os.environ.items() if k.startswith("PLANCTL_")}
said = {
    "env": env, "cwd": os.getcwd(), "branch": git("branch", "--show-current").decode().strip(),
    "merge_head": git("rev-parse", "MERGE_HEAD").decode().strip(),
    "head": git("rev-parse", "HEAD").decode().strip(),
    "stages": sorted(l.split()[2].decode() for l in git("ls-files", "-u").splitlines()),
    "file": pathlib.Path("src/a.py").read_text(),
    "facts": json.loads(pathlib.Path(env["PLANCTL_CONFLICT"]).read_text()),
    "paths": pathlib.Path(env["PLANCTL_CONFLICT_PATHS"]).read_bytes().decode(),
    "messages": pathlib.Path(env["PLANCTL_CONFLICT_MESSAGES"]).read_text(),
}
pathlib.Path(OUT).write_text(json.dumps(said))
pathlib.Path("src/a.py").write_text("both\\n")
"""


def test_p18_the_resolver_finds_the_merge_prepared_and_is_told_of_both_sides(
    repo: GitRepo, tmp_path: Path
) -> None:
    told = tmp_path / "told.json"
    command = script(tmp_path, LOOK.replace("OUT", repr(str(told))))
    one = {"run": "echo one > src/a.py", "files": {"write": ["src/a.py"]}}
    two = {"run": "echo two > src/a.py", "files": {"write": ["src/a.py"]}}
    commit_plans(repo, {"one": one, "two": two}, f"overlap: isolate\nresolver: {json.dumps(command)}\n")
    done = run("run-multi", "one", "two", "--json", cwd=repo.path)
    assert done.code == 0, done
    first, second = landings(repo)
    assert {first, second} == {"one", "two"}
    said = json.loads(told.read_text())
    env = said["env"]
    assert env["PLANCTL_PLAN"] == second
    assert env["PLANCTL_CONFLICT_PLANS"] == first
    assert said["cwd"] == env["PLANCTL_WORKTREE"]
    assert Path(env["PLANCTL_PLAN_FILE"]).name == f"{second}.md"
    assert said["branch"] == f"plan/{second}"
    assert said["head"] == env["PLANCTL_CONFLICT_OURS"]
    assert said["merge_head"] == env["PLANCTL_CONFLICT_THEIRS"]
    assert repo.git("merge-base", said["head"], said["merge_head"]) == env["PLANCTL_CONFLICT_BASE"]
    assert said["stages"] == ["1", "2", "3"]
    assert said["file"].startswith("<<<<<<< HEAD\n")
    assert said["paths"] == "src/a.py\0"
    assert "CONFLICT (content)" in said["messages"]
    assert said["facts"]["others"][0]["plan"] == first
    assert said["facts"]["paths"] == ["src/a.py"]
    assert repo.show("main", "src/a.py") == "both\n"
    trailers = repo.git("log", "-1", "--format=%(trailers:key=Plan-Id,valueonly)", f"plan/{second}")
    assert trailers.strip() == second
    assert run("doctor", cwd=repo.path).code == 0


def test_p18_a_conflict_without_a_resolver_says_who_landed_there(queue: Queue) -> None:
    queue.work("one", {"src/a.py": "one\n"})
    two = queue.work("two", {"src/a.py": "two\n"})
    queue.drain()
    ended = queue.entry(two)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "conflict")
    (other,) = ended.reason["others"]
    assert other["commit"] == queue.main()
    said = run("queue", "explain", "two", cwd=queue.repo.path).out
    assert "with: Merge branch 'one'" in said
    assert "planctl queue resolve two" in said


# -- what counts as resolved ---------------------------------------------------------------------------


def test_a_command_that_commits_by_itself_is_taken_at_its_word(queue: Queue) -> None:
    conflict(queue, f"{BOTH} && git add -A && git commit -qm mended && echo more > left.txt")
    mend(queue)
    queue.drain()
    assert newest(queue).state is EntryState.LANDED
    assert queue.repo.show("main", "left.txt") == "more\n"
    assert "mended" in queue.repo.git("log", "--format=%s", "main")


@pytest.mark.parametrize(
    ("command", "code", "kept"),
    sampled(
        [
            ("exit 3", "resolver-failed", False),
            ("echo half >> src/b.py; exit 1", "resolver-failed", True),
            ("kill -9 $$", "resolver-failed", False),
            ("true", "resolver-unresolved", False),
            ("git add -A", "resolver-unresolved", True),
            ("git add -A && git commit -qm markers", "resolver-unresolved", False),
            ("git merge --abort", "resolver-unresolved", False),
            ("mv src/a.py src/moved.py && git add -A", "resolver-unresolved", True),
            ("mv src/a.py src/moved.py && git add -A && git commit -qm x", "resolver-unresolved", False),
            (f"cp src/a.py src/copy.py && {BOTH}", "resolver-unresolved", True),
            (": > src/a.py", "resolver-unresolved", True),
            ("rm -rf src", "resolver-unresolved", True),
            (f"{BOTH} && git update-ref --no-deref HEAD HEAD", "resolver-moved", True),
            (
                "git init -q inside && touch inside/f && git -C inside add f && " + BOTH,
                "resolver-unresolved",
                True,
            ),
        ]
    ),
)
def test_p18_what_is_not_resolved_goes_back_with_the_worktree_as_it_was(
    queue: Queue, command: str, code: str, kept: bool
) -> None:
    two = conflict(queue, command)
    mend(queue)
    ended = queue.entry(two)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, code), ended.reason
    assert ended.reason["paths"] == ["src/a.py"]
    assert ended.reason["stages"]
    assert Path(ended.reason["log"]).exists()
    assert bool(ended.reason.get("rescue")) is kept
    assert queue.repo.git("status", "--porcelain") == ""
    said = run("queue", "explain", "two", cwd=queue.repo.path).out
    assert str(ended.reason["log"]) in said
    if "commit" not in command:
        assert queue.repo.head("two") == two.head
    for slot in queue.bench.store.slots(purpose="plan"):
        assert str(slot.state) in ("free", "quarantined")


@pytest.mark.parametrize("command", ["git add -A", *seldom("git commit -qam x")])
def test_markers_of_another_size_are_markers(queue: Queue, command: str) -> None:
    queue.repo.commit("size", {".gitattributes": "*.py conflict-marker-size=20\n"})
    two = conflict(queue, command)
    mend(queue)
    assert queue.entry(two).reason["code"] == "resolver-unresolved"
    assert "conflict markers: src/a.py" in queue.entry(two).reason["detail"]


@pytest.mark.parametrize("command", [": > src/a.py; git add -A", "git rm -q src/a.py"])
def test_an_empty_or_deleted_file_is_a_resolution_when_it_was_staged(queue: Queue, command: str) -> None:
    conflict(queue, command)
    mend(queue)
    queue.drain()
    assert newest(queue).state is EntryState.LANDED


@pytest.mark.parametrize(
    ("command", "gone"),
    [
        ("git merge --abort; git reset -q --hard main", False),
        *seldom(("git merge --abort; git checkout -q -b other main; git branch -q -D two", True)),
        ("git update-ref -d refs/heads/two; exit 1", True),
    ],
)
def test_p18_the_head_that_was_handed_in_keeps_a_name(queue: Queue, command: str, gone: bool) -> None:
    two = conflict(queue, command)
    mend(queue)
    ended = queue.entry(two)
    assert ended.state is EntryState.CONFLICTED
    if gone:
        assert queue.repo.head("two") == two.head
        assert f"two was deleted, and is at {two.head[:12]} again" in ended.reason["detail"]
    else:
        (name,) = queue.repo.git(
            "for-each-ref", "--format=%(refname)", f"--points-at={two.head}", "refs/planctl/archive"
        ).split()
        assert name in ended.reason["detail"]
    assert [str(s.state) for s in queue.bench.store.slots(purpose="plan")] == ["free"]


def test_a_resolver_that_takes_too_long_is_ended(queue: Queue, tmp_path: Path) -> None:
    gates = Gates(tmp_path / "gates")
    two = conflict(queue, "sleep 1000", resolver_timeout="1s")
    mend(queue)
    assert queue.entry(two).reason["code"] == "resolver-timeout"
    gates.clear()


def test_a_path_without_markers_has_to_be_staged(queue: Queue) -> None:
    """One side deleted it: a file that lies there says nothing by itself."""
    configure(queue.repo, resolver=json.dumps("true"))
    queue.repo.branch("one", {"src/a.py": "one\n"})
    queue.repo.git("checkout", "-q", "-b", "two", "main")
    queue.repo.git("rm", "-q", "src/a.py")
    queue.repo.commit("gone")
    queue.repo.git("checkout", "-q", "main")
    queue.add("one")
    two = queue.add("two")
    queue.drain()
    mend(queue)
    assert queue.entry(two).reason["code"] == "resolver-unresolved"
    configure(queue.repo, resolver=json.dumps("git rm -q src/a.py"))
    queue.bench = queue.bench.refreshed()
    assert resolve(queue.bench, queue.session, "two", cancel=queue.cancel).state is EntryState.QUEUED
    queue.drain()
    assert newest(queue).state is EntryState.LANDED
    assert queue.repo.git("ls-tree", "main", "src/a.py") == ""


ODD = "-odd :(x)\n*.txt"
EACH = """
import os, pathlib
paths = pathlib.Path(os.environ["PLANCTL_CONFLICT_PATHS"]).read_bytes().split(b"\\0")
for path in filter(None, paths):
    pathlib.Path(os.fsdecode(path)).write_text("both\\n")
assert os.environ["PLANCTL_CONFLICT_PLANS"] == "", os.environ["PLANCTL_CONFLICT_PLANS"]
"""


def test_odd_names_and_odd_trailers_are_handed_over_whole(queue: Queue, tmp_path: Path) -> None:
    configure(queue.repo, resolver=json.dumps(script(tmp_path, EACH)))
    queue.repo.branch("two", {ODD: "two\n", "src/a.py": "two\n"})
    queue.repo.commit("one\1x\n\nPlan-Id: $(touch ran) x", {ODD: "one\n", "src/a.py": "one\n"})
    two = queue.add("two")
    queue.drain()
    assert queue.entry(two).reason["others"][0]["plan"] == "$(touch ran) x"
    mend(queue)
    queue.drain()
    assert newest(queue).state is EntryState.LANDED, newest(queue).reason
    assert queue.repo.git("show", f"main:{ODD}") == "both"


def test_exit_75_is_no_answer_and_is_asked_again(queue: Queue, tmp_path: Path) -> None:
    count = tmp_path / "count"
    again = f"echo x >> {count}; test $(wc -l < {count}) -gt 1 || exit 75; {BOTH}"
    two = conflict(queue, again)
    mend(queue)
    waits = queue.entry(two)
    assert (waits.state, waits.reason["code"]) == (EntryState.RESOLVING, "resolver-later")
    assert queue.repo.head("two") == two.head
    mend(queue)
    queue.drain()
    assert newest(queue).state is EntryState.LANDED


def test_exit_75_is_not_asked_for_ever(queue: Queue) -> None:
    two = conflict(queue, "exit 75")
    for _ in range(3):
        mend(queue)
    ended = queue.entry(two)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-later")


# -- age, and how often --------------------------------------------------------------------------------


def test_p18_the_new_head_has_the_age_of_the_old_one(queue: Queue) -> None:
    two = conflict(queue, BOTH)
    queue.work("later", {"later": "1\n"})
    mend(queue)
    new = newest(queue)
    assert (new.age, new.queued_at) == (two.age, two.queued_at)
    shown = run("queue", "list", "--json", cwd=queue.repo.path).data["entries"]
    assert [(e["branch"], e["position"]) for e in shown if e["position"]] == [("two", 1), ("later", 2)]
    assert queue.entry(two).reason["entry"] == new.id
    queue.drain()


def test_p18_a_head_that_a_person_mended_has_it_too(queue: Queue) -> None:
    queue.work("one", {"src/a.py": "one\n"}, priority=60)
    two = queue.work("two", {"src/a.py": "two\n"}, priority=60)
    queue.drain()
    queue.work("later", {"later": "1\n"})
    queue.repo.git("checkout", "-q", "two")
    queue.repo.git("merge", "main", ok=False)
    queue.repo.commit("resolved", {"src/a.py": "one and two\n"})
    queue.repo.git("checkout", "-q", "main")
    anew = queue.add("two")
    assert (anew.age, anew.priority) == (two.age, 60)


def test_p18_two_conflicts_in_a_row_are_both_resolved(queue: Queue) -> None:
    """While the first is resolved, the target gets another change of the same lines."""
    two = conflict(queue, "echo both >> src/c.py; sort -u -o src/a.py src/a.py; sed -i '/[<>=]/d' src/a.py")
    mend(queue)
    assert newest(queue).reason["resolutions"] == 1
    queue.repo.commit("outside", {"src/a.py": "one\noutside\n", "src/c.py": "c\n"})
    queue.drain()
    second = newest(queue)
    assert (second.state, second.reason["resolutions"]) == (EntryState.RESOLVING, 1)
    configure(queue.repo, resolver=json.dumps("for f in src/*.py; do sed -i '/^[<>=]\\{7\\}/d' $f; done"))
    mend(queue)
    queue.drain()
    third = newest(queue)
    assert (third.state, third.age) == (EntryState.LANDED, two.age)
    assert queue.repo.show("main", "src/a.py").splitlines().count("outside") == 1
    require_sound(queue.repo)


def test_a_resolver_does_not_go_on_for_ever(queue: Queue) -> None:
    conflict(queue, BOTH)
    for number in range(1, 4):
        mend(queue)
        queue.repo.commit("outside", {"src/a.py": f"outside {number}\n"})
        queue.drain()
    ended = newest(queue)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-again")
    queue.bench = queue.bench.refreshed()
    assert resolve(queue.bench, queue.session, "two", cancel=queue.cancel).state is EntryState.QUEUED, (
        "a person's word counts anew"
    )


def test_work_that_is_rebased_is_not_given_to_a_resolver(queue: Queue) -> None:
    configure(queue.repo, resolver=json.dumps(BOTH), method="rebase")
    queue.work("one", {"src/a.py": "one\n"})
    two = queue.work("two", {"src/a.py": "two\n"})
    queue.drain()
    assert queue.entry(two).reason["code"] == "resolver-method"


def test_a_conflict_that_is_none_any_more_is_queued_without_a_resolver(queue: Queue, tmp_path: Path) -> None:
    two = conflict(queue, f"touch {tmp_path}/ran")
    queue.repo.git("revert", "--no-edit", "-m", "1", "HEAD")
    mend(queue)
    queue.drain()
    assert queue.entry(two).state is EntryState.LANDED
    assert not (tmp_path / "ran").exists()


# -- where ---------------------------------------------------------------------------------------------


def test_a_branch_that_is_checked_out_elsewhere_is_left_alone(queue: Queue, tmp_path: Path) -> None:
    two = conflict(queue, BOTH)
    queue.repo.git("worktree", "add", "-q", str(tmp_path / "mine"), "two")
    mend(queue)
    ended = queue.entry(two)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-worktree")
    assert str(tmp_path / "mine") in ended.reason["detail"]
    assert (tmp_path / "mine/src/a.py").read_text() == "two\n"


def test_a_branch_that_has_moved_on_is_not_what_was_handed_in(queue: Queue) -> None:
    two = conflict(queue, BOTH)
    queue.repo.git("checkout", "-q", "two")
    more = queue.repo.commit("more", {"more": "1\n"})
    queue.repo.git("checkout", "-q", "main")
    mend(queue)
    assert queue.entry(two).reason["code"] == "resolver-moved"
    assert queue.repo.head("two") == more


def test_a_worktree_in_which_somebody_works_is_not_touched(repo: GitRepo) -> None:
    one = {"run": "echo one > src/a.py"}
    two = {"run": "echo two > src/a.py"}
    commit_plans(repo, {"one": one, "two": two}, "overlap: isolate\n")
    assert run("run-multi", "one", "two", cwd=repo.path).code == 1
    with queue_of(repo) as queue:
        (ended,) = [e for e in queue.bench.store.entries() if e.state is EntryState.CONFLICTED]
        worktree = Path(run("worktree", "path", str(ended.plan), cwd=repo.path).out.strip())
        (worktree / "mine.txt").write_text("mine\n")
        configure(repo, resolver=json.dumps(BOTH))
        queue.bench = queue.bench.refreshed()
        after = resolve(queue.bench, queue.session, str(ended.plan), cancel=queue.cancel)
        assert after.reason["code"] == "resolver-worktree"
        assert (worktree / "mine.txt").read_text() == "mine\n"
        (worktree / "mine.txt").unlink()
        assert resolve(queue.bench, queue.session, str(ended.plan), cancel=queue.cancel).state == "queued"
        queue.drain()
    assert sorted(landings(repo)) == ["one", "two"]


def test_a_full_pool_says_so(queue: Queue) -> None:
    two = conflict(queue, BOTH, pool="{max: 1}")
    from orchestrator.slots.keeper import PLAN, SlotKeeper

    keeper = SlotKeeper(queue.bench.refreshed())
    keeper.take(PLAN)
    mend(queue)
    ended = queue.entry(two)
    assert ended.reason["code"] == "resolver-worktree"
    assert "pool" in ended.reason["detail"]


def test_stacked_work_is_merged_with_its_own_base(repo: GitRepo, tmp_path: Path) -> None:
    """What it stands on has landed squashed: to a plain merge that would be a conflict of its own."""
    seen = tmp_path / "seen"
    command = f"cp $PLANCTL_CONFLICT_PATHS {seen}; {BOTH}"
    low = {"run": "echo low > src/low.py; git add -A; git commit -qm 1; echo low2 > src/low.py"}
    top = {
        "run": "echo top > src/a.py; echo top >> src/low.py",
        "dependencies": [{"plan": "low", "status": "finished"}],
    }
    settings = f"method: squash\nresolver: {json.dumps(command)}\n"
    commit_plans(repo, {"low": low, "top": top}, settings)
    assert run("run-multi", "low", "top", "--no-land", cwd=repo.path).code == 0
    repo.commit("outside", {"src/a.py": "outside\n"})
    done = run("merge", "low", "top", "--json", cwd=repo.path)
    assert done.code == 0, done
    assert landings(repo) == ["low", "top"]
    assert seen.read_bytes() == b"src/a.py\0", "what it stands on is in nobody's way"
    assert repo.show("main", "src/a.py") == "both\n"
    assert repo.show("main", "src/low.py") == "low2\ntop\n"


# -- rerere --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("autoupdate", [False, True])
def test_p18_rerere_records_and_is_used(queue: Queue, tmp_path: Path, autoupdate: bool) -> None:
    queue.repo.git("config", "rerere.enabled", "true")
    conflict(queue, f"echo x >> {tmp_path}/ran; grep -q '<<<' src/a.py && {BOTH}")
    mend(queue)
    queue.drain()
    assert newest(queue).state is EntryState.LANDED
    assert list((queue.repo.path / ".git/rr-cache").glob("*/postimage*"))
    queue.repo.git("config", "rerere.autoupdate", str(autoupdate).lower())
    configure(queue.repo, resolver=json.dumps(f"echo x >> {tmp_path}/ran; cp src/a.py {tmp_path}/seen"))
    queue.repo.commit("back", {"src/a.py": "one\n"})
    queue.repo.branch("again", {"src/a.py": "two\n"}, start="one~1")
    entry = queue.add("again")
    queue.drain()
    mend(queue)
    queue.drain()
    assert newest(queue, "again").state is EntryState.LANDED, queue.entry(entry).reason
    assert queue.repo.show("main", "src/a.py") == "both\n"
    ran = (tmp_path / "ran").read_text().count("x")
    assert ran == (1 if autoupdate else 2), "what rerere staged needs no resolver"
    if not autoupdate:
        assert (tmp_path / "seen").read_text() == "both\n", "the resolver found what rerere had made"


def test_without_rerere_nothing_is_recorded(queue: Queue) -> None:
    conflict(queue, BOTH)
    mend(queue)
    assert not (queue.repo.path / ".git/rr-cache").exists()


# -- beside others -------------------------------------------------------------------------------------


def test_p18_the_queue_does_not_stand_still_while_a_resolver_runs(repo: GitRepo, tmp_path: Path) -> None:
    gates = Gates(tmp_path / "gates")
    configure(repo, resolver=json.dumps(gates.command("mend", BOTH)))
    for name, path in (("one", "src/a.py"), ("two", "src/a.py"), ("three", "three")):
        repo.branch(name, {path: f"{name}\n"})
    merging = start("merge", "one", "two", "three", "--json", cwd=repo.path)
    gates.await_at("mend")
    explained = run("queue", "explain", "two", cwd=repo.path)
    assert "the resolver is at work" in explained.out
    assert "log: " in explained.out
    assert "the resolver is at work" in run("status", cwd=repo.path).out
    landed = run("merge", "three", "--json", cwd=repo.path)
    assert landed.code == 0, "it has landed, or lands, beside the resolver"
    gates.open("mend")
    done = end_of(merging)
    assert done.code == 0, done
    assert repo.show("main", "src/a.py") == "both\n"
    assert gates.executions()["mend"] == 1


def test_a_drop_ends_the_resolver_and_puts_the_worktree_back(repo: GitRepo, tmp_path: Path) -> None:
    gates = Gates(tmp_path / "gates")
    configure(repo, resolver=json.dumps(f"echo half > half.txt; {gates.command('mend', BOTH)}"))
    repo.branch("one", {"src/a.py": "one\n"})
    head = repo.branch("two", {"src/a.py": "two\n"})
    merging = start("merge", "one", "two", "--json", cwd=repo.path)
    gates.await_at("mend")
    assert run("queue", "drop", "two", cwd=repo.path).code == 0
    done = end_of(merging)
    assert done.code == 1
    assert [e["state"] for e in done.data["entries"]] == ["landed", "dropped"]
    assert gates.nobody_at("mend")
    assert repo.head("two") == head
    with queue_of(repo) as queue:
        mend(queue)  # whoever is left over is looked after
        assert journals(queue.bench.repository) == ()
        assert [str(s.state) for s in queue.bench.store.slots(purpose="plan")] == ["free"]
    (rescue,) = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").split()
    assert repo.show(rescue, "half.txt") == "half\n"


PERSON = """
import os, pathlib, subprocess
branch = subprocess.run(["git", "branch", "--show-current"], capture_output=True, text=True).stdout.strip()
tree = subprocess.run(["git", "rev-parse", "HEAD^{tree}"], capture_output=True, text=True).stdout.strip()
argv = ["git", "commit-tree", tree, "-p", "HEAD", "-m", "a person's"]
made = subprocess.run(argv, capture_output=True, text=True)
subprocess.run(["git", "update-ref", f"refs/heads/{branch}", made.stdout.strip()], check=True)
pathlib.Path("src/a.py").write_text("both\\n")
"""


def test_a_person_commits_on_the_branch_while_the_resolver_runs(queue: Queue, tmp_path: Path) -> None:
    """From elsewhere: the merge that stands in the worktree would undo it."""
    two = conflict(queue, script(tmp_path, PERSON))
    mend(queue)
    ended = queue.entry(two)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-moved")
    assert queue.repo.git("log", "-1", "--format=%s", "two") == "a person's"
    assert ended.reason["rescue"]


def test_a_branch_that_moves_in_the_moment_of_the_commit_keeps_what_came(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between planctl's look and git's own: the merge would undo what came, so it is taken off again."""
    two = conflict(queue, BOTH)
    made = judging.commit_staged
    tree = queue.repo.git("rev-parse", "main~1^{tree}")
    came = queue.repo.git("commit-tree", tree, "-p", two.head, "-m", "came")

    def then(*arguments: Any, **options: Any) -> str:
        queue.repo.git("update-ref", "refs/heads/two", came)
        return made(*arguments, **options)

    monkeypatch.setattr(judging, "commit_staged", then)
    mend(queue)
    ended = queue.entry(two)
    assert (ended.state, ended.reason["code"]) == (EntryState.CONFLICTED, "resolver-moved")
    assert queue.repo.head("two") == came
    parked = queue.repo.git("for-each-ref", "--format=%(subject)", "refs/planctl/archive")
    assert "Merge main into two" in parked


def test_ctrl_c_ends_the_resolver_and_the_next_worker_begins_anew(repo: GitRepo, tmp_path: Path) -> None:
    import signal

    gates = Gates(tmp_path / "gates")
    configure(repo, resolver=json.dumps(gates.command("mend", BOTH)))
    repo.branch("one", {"src/a.py": "one\n"})
    repo.branch("two", {"src/a.py": "two\n"})
    merging = start("merge", "one", "two", "--json", cwd=repo.path)
    gates.await_at("mend")
    merging.send_signal(signal.SIGTERM)
    assert end_of(merging).code == 143
    assert gates.nobody_at("mend")
    gates.pass_later("mend")
    done = run("merge", "two", "--json", cwd=repo.path)
    assert done.code == 0, done
    assert gates.executions()["mend"] == 2


# -- by hand -------------------------------------------------------------------------------------------


def test_p18_a_merge_is_prepared_for_a_person(repo: GitRepo) -> None:
    one = {"run": "echo one > src/a.py"}
    two = {"run": "echo two > src/a.py"}
    commit_plans(repo, {"one": one, "two": two}, "overlap: isolate\n")
    assert run("run-multi", "one", "two", cwd=repo.path).code == 1
    ended = [p for p in ("one", "two") if p not in landings(repo)]
    prepared = run("queue", "resolve", ended[0], "--json", cwd=repo.path)
    assert prepared.code == 1, prepared
    assert prepared.data["paths"] == ["src/a.py"]
    worktree = Path(prepared.data["worktree"])
    assert "<<<<<<<" in (worktree / "src/a.py").read_text()
    twice = run("queue", "resolve", ended[0], cwd=repo.path)
    assert twice.code == 2, "somebody is at work there"
    (worktree / "src/a.py").write_text("by hand\n")
    repo.git("add", "-A", at=worktree)
    repo.git("commit", "-q", "--no-edit", at=worktree)
    assert run("retry", ended[0], cwd=repo.path).code == 0
    assert repo.show("main", "src/a.py") == "by hand\n"


@pytest.mark.parametrize("by_hand", [True, False])
def test_p18_an_ignored_file_that_the_target_tracks_is_kept(repo: GitRepo, by_hand: bool) -> None:
    one = {"run": "echo one > src/a.py; echo tracked > local.cfg; git add -f local.cfg; git commit -qam one"}
    two = {"run": "echo two > src/a.py; git commit -qam two; echo mine > local.cfg"}
    repo.commit("ignore", {".gitignore": "local.cfg\n"})
    resolver = "" if by_hand else "resolver: exit 1\n"
    commit_plans(repo, {"one": one, "two": two}, f"overlap: isolate\n{resolver}")
    assert run("run-multi", "one", "two", "--no-land", cwd=repo.path).code == 0
    assert run("merge", "one", "two", cwd=repo.path).code == 1
    if by_hand:
        prepared = run("queue", "resolve", "two", "--json", cwd=repo.path)
        assert prepared.code == 1, prepared
        said = prepared.data["kept"]
    else:
        said = run("queue", "explain", "two", cwd=repo.path).out
    (kept,) = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").split()
    assert repo.show(kept, "local.cfg") == "mine\n"
    assert kept in said


def test_what_has_no_conflict_or_no_worktree_is_said(queue: Queue) -> None:
    queue.work("one", {"src/a.py": "one\n"})
    queue.work("two", {"src/a.py": "two\n"})
    queue.drain()
    from orchestrator.errors import UsageError

    with pytest.raises(UsageError, match="no conflict"):
        resolve(queue.bench, queue.session, "one", cancel=queue.cancel)
    with pytest.raises(UsageError, match="git merge main"):
        prepare(queue.bench, queue.session, "two")
    assert os.listdir(queue.repo.path)
