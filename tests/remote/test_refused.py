"""Servers that refuse: planctl's own references, the target, everything; and those that do not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.merging import remotewait
from orchestrator.states import EntryState, IntentState
from orchestrator.submitting.key import landing_key
from tests.support.process import run
from tests.support.remotes import Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from tests.support.slices import mostly
from worktrees.remoteerrors import RemoteUnreachableError

REFUSALS = {
    "receive.hideRefs": ("config", "receive.hideRefs", "refs/planctl"),
    "transfer.hideRefs": ("config", "transfer.hideRefs", "refs/planctl"),
    "pre-receive": (
        "pre-receive",
        "while read old new name; do case $name in refs/planctl/*) exit 1; esac; done",
    ),
    "update": ("update", 'case "$1" in refs/planctl/*) echo "no such names here" >&2; exit 1; esac'),
}


def refuse(remote: Remote, how: str) -> None:
    what, *rest = REFUSALS[how]
    if what == "config":
        remote.bare.git("config", *rest)
    else:
        remote.hook(rest[0], what)


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad", method="squash")


@pytest.mark.parametrize("how", mostly(REFUSALS, ["transfer.hideRefs"]))
def test_p22_without_references_of_its_own_trailers_tell_what_has_landed(how: str, remote: Remote) -> None:
    refuse(remote, how)
    one, two = remote.clone("one"), remote.clone("two")
    one.branch("plan/a", {"a": "1\n"})
    one.branch("plan/b", {"b": "1\n"})
    remote.push(one, "plan/a", "plan/b")
    done = merge(one, "plan/a", "plan/b")
    assert done.out.count("takes no references of planctl's own") == 1, "it is said once"
    assert remote.landed() == {}
    assert len(remote.keys()) == 2
    assert remote.subjects()[:2] == ["work on plan/b", "work on plan/a"]
    # the work is undone by hand; a clone that knows nothing yet does not land it again
    two.git("pull", "-q")
    two.git("revert", "--no-edit", "HEAD~1")
    remote.push(two, "main")
    undone = remote.main()
    assert "2 of 2 landed" in merge(two, "plan/a", "plan/b").err
    assert remote.main() == undone
    again = merge(one, "plan/a", "--json")
    assert [e["state"] for e in again.data["entries"]] == ["landed"]


def test_a_trailer_in_a_branch_is_nobodys_landing(remote: Remote) -> None:
    refuse(remote, "update")
    one = remote.clone("one")
    key = landing_key("refs/heads/main", "plan/a", one.branch("plan/a", {"a": "1\n"}))
    one.branch("plan/evil", {"e": "1\n"}, message=f"evil\n\nPlanctl-Key: {key}")
    merge(one, "plan/evil")
    merge(one, "plan/a")
    assert remote.subjects()[:2] == ["work on plan/a", "evil"]
    assert len(set(remote.keys())) == 2


def test_a_target_that_is_protected_blocks_and_says_the_servers_words(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    remote.hook('case "$1" in refs/heads/main) echo "main is protected" >&2; exit 1; esac', "update")
    done = merge(one, "plan/a", "--json", code=1)
    (entry,) = done.data["entries"]
    assert (entry["state"], entry["reason"]["code"]) == ("blocked", "push-refused")
    assert "hook declined" in entry["reason"]["detail"]
    assert "the server says: main is protected" in entry["reason"]["detail"]
    assert remote.landed() == {}
    assert "refs/heads/main" in remote.references()
    remote.hook("exit 0", "update")
    assert "1 of 1 landed" in merge(one, "plan/a").err
    assert list(remote.landed().values()) == [remote.main()]


def test_what_is_under_way_stays_so_while_the_remote_does_not_answer(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = remote.clone("one")
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
    killed = run(
        "queue", "run", "--once", "--remote", "origin",
        cwd=one.path, env={"PLANCTL_KILL_AT": "remote.push:after"},
    )  # fmt: skip
    assert killed.code == -9
    landed = remote.main()
    away = remote.bare.path.rename(remote.folder / "away.git")
    done = run("merge", "plan/a", "--remote", "origin", cwd=one.path)
    assert done.code == 4
    assert "the remote origin cannot be reached" in done.err
    assert "git ls-remote origin" in done.err
    listed = run("queue", "list", "--remote", "origin", "--json", cwd=one.path).data["entries"]
    assert [(e["state"], e["reason"]["code"]) for e in listed] == [("landing", "remote-unreachable")]
    away.rename(remote.bare.path)
    with queue_at(one) as queue:
        assert queue.bench.store.intents({IntentState.OPEN})
        remote.bare.path.rename(away)
        monkeypatch.setattr(remotewait, "PATIENCE", 0.5)
        with pytest.raises(RemoteUnreachableError):
            queue.drain()
        assert queue.entry(entry).state is EntryState.LANDING
        assert queue.bench.store.intents({IntentState.OPEN})
        away.rename(remote.bare.path)
        queue.drain()
        assert queue.entry(entry).state is EntryState.LANDED
        assert queue.entry(entry).landed_commit == landed == remote.main()
    assert remote.keys() == [entry.id]


def test_a_remote_that_can_be_read_and_not_pushed_to_is_said_soon(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = remote.clone("one")
    one.git("config", "remote.origin.receivepack", "false")
    monkeypatch.setattr(remotewait, "REFUSING", 0.2)
    before = remote.references()
    with queue_at(one) as queue:
        entry = queue.work("plan/a", {"a": "1\n"})
        with pytest.raises(RemoteUnreachableError) as caught:
            queue.drain()
        assert caught.value.answers
        assert queue.entry(entry).reason["code"] == "remote-unreachable"
    assert remote.references() == before


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("nobody", 2, "there is no remote 'nobody'; known: origin"),
        ("ext::sh -c date", 2, "is not the name of a remote"),
        ("-oProxyCommand=x", 2, "is not the name of a remote"),
    ],
)
def test_a_remote_is_named_and_known(remote: Remote, name: str, code: int, says: str) -> None:
    one = remote.clone("one")
    done = run("queue", "run", "--once", f"--remote={name}", cwd=one.path)
    assert done.code == code
    assert says in done.err


def test_the_queue_of_a_remote_that_never_answered_is_empty_and_says_so(
    repo: GitRepo, tmp_path: Path
) -> None:
    one = remote_of(repo, tmp_path / "there", remote="origin").clone("one")
    one.git("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    assert run("queue", "add", "main", cwd=one.path).code == 4
    listed = run("queue", "list", "--json", cwd=one.path)
    assert (listed.code, listed.data["tip"], listed.data["entries"]) == (0, None, [])
    assert "origin/main has not been looked at from here yet" in run("queue", "list", cwd=one.path).err


def test_a_target_that_the_remote_has_not(remote: Remote) -> None:
    one = remote.clone("one")
    remote.bare.git("branch", "-m", "main", "trunk")
    done = run("merge", "--branches", "plan/*", "--remote", "origin", cwd=one.path)
    assert done.code == 2
    assert "the remote origin has no branch main" in done.err
