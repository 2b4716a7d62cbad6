"""Notifications of real runs: told once, whoever dies, and nobody waits for a receiver."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.clock import SystemClock
from orchestrator.store.protocol import Store
from orchestrator.store.sqlite.opening import open_sqlite
from tests.support.cli import planctl
from tests.support.process import end_of, read_until, run, start
from tests.support.receiver import Receiver, answering, hanging, receiving
from tests.support.repo import GitRepo
from tests.support.runs import multi, of
from tests.support.slices import seldom

pytestmark = pytest.mark.skipif(os.name == "nt", reason="plans run shell commands")


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def plans(repo: GitRepo, settings: dict[str, Any], **commands: str) -> None:
    files: dict[str, str | bytes] = {
        f"plans/{name}.md": f"---\nplan: {name}\nrun: {json.dumps(command)}\n---\n"
        for name, command in commands.items()
    }
    repo.commit("plans", {**files, "planctl.yaml": json.dumps({"notify": settings})})


def told(receiver: Receiver) -> list[tuple[str, str | None]]:
    return sorted((body["kind"], body["plan"]) for body in receiver.bodies)


def store_of(repo: GitRepo) -> Store:
    return open_sqlite(repo.path / ".git/planctl/state.db", SystemClock()).store


def test_s4_8_landed_failed_rejected_and_conflicted_are_told_once(repo: GitRepo) -> None:
    with receiving() as receiver:
        plans(
            repo, {"team": {"webhook": receiver.url}}, good="echo 1 > good", bad="exit 3", red="echo 1 > red"
        )
        settings = {"notify": {"team": {"webhook": receiver.url}}, "check": "test ! -e red"}
        repo.commit("check", {"planctl.yaml": json.dumps(settings)})
        multi(repo, "--all", "--keep-going", code=1)
        assert told(receiver) == [("failed", "bad"), ("landed", "good"), ("rejected", "red")]
        repo.branch("meets", {"good": "2\n"}, start="main~1")
        run("merge", "meets", cwd=repo.path)
    assert told(receiver)[0] == ("conflicted", None)
    assert len(receiver.bodies) == 4
    assert len({body["id"] for body in receiver.bodies}) == 4


def test_s4_8_what_waits_for_a_person_is_told(repo: GitRepo) -> None:
    with receiving() as receiver:
        plans(
            repo,
            {"team": {"webhook": receiver.url, "on": ["waiting"]}},
            guarded="printf 'check: \"true\"\\n' > planctl.yaml",
        )
        multi(repo, "guarded", code=1)
        (body,) = receiver.bodies
    assert (body["kind"], body["plan"], body["event"]) == ("waiting", "guarded", "entry.held")
    assert body["title"] == "planctl: guarded is held for you"


def test_s4_8_a_dead_receiver_keeps_no_landing_and_no_end(repo: GitRepo) -> None:
    """Its own time-out is an hour, and the end of a command waits for it for some seconds."""
    with receiving(hanging) as receiver:
        settings = {"team": {"webhook": receiver.url, "timeout": "1h"}}
        plans(repo, settings, a="echo > a", b="echo > b")
        done = multi(repo, "--all", "-j", "1")
        assert not receiver.released.is_set()
    assert of(done, "plan.landed", "a")
    assert of(done, "plan.landed", "b")
    store = store_of(repo)
    assert [(str(d.state), d.tries) for d in store.deliveries()] == [("pending", 1), ("pending", 0)]
    store.close()


@pytest.mark.parametrize(
    "at",
    [
        "notify.claim:after",
        "notify.outbox:after",
        *seldom("notify.outbox:before", "running.errand:after", "notify.note:before", "notify.note:after"),
    ],
)
def test_s4_8_killed_at_any_step_nothing_is_told_twice(repo: GitRepo, at: str) -> None:
    """Killed after the claim it is not known whether it was sent: then it is not sent again."""
    with receiving() as receiver:
        plans(repo, {"team": {"webhook": receiver.url, "on": ["failed"]}}, bad="exit 3")
        killed = run("run-multi", "bad", cwd=repo.path, env={"PLANCTL_KILL_AT": at})
        assert killed.code == -9
        run("queue", "run", "--once", cwd=repo.path)
        store = store_of(repo)
        states = [str(d.state) for d in store.deliveries()]
        store.close()
    lost = at in ("notify.claim:after", "running.errand:after", "notify.note:before")
    assert states == ["unknown" if lost else "sent"]
    assert len(receiver.posts) <= 1
    assert len(receiver.posts) == 1 or lost


def test_s4_8_two_planctl_beside_each_other_tell_once(repo: GitRepo) -> None:
    with receiving() as receiver:
        settings = {"team": {"webhook": receiver.url}, "other": {"webhook": receiver.url, "on": ["landed"]}}
        plans(repo, settings, a="echo > a; exit 3", b="echo > b")
        both = [start("run-multi", "--json", plan, cwd=repo.path) for plan in ("a", "b")]
        assert [end_of(one).code for one in both] == [1, 0]
    assert told(receiver) == [("failed", "a"), ("landed", "b"), ("landed", "b")]


def test_s4_8_it_is_told_while_the_run_goes_on(repo: GitRepo, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with receiving() as receiver:
        plans(
            repo,
            {"team": {"webhook": receiver.url}},
            bad="exit 3",
            long=f"while [ ! -e {gate} ]; do sleep 0.05; done",
        )
        process = start("run-multi", "--json", "--all", "--keep-going", cwd=repo.path)
        read_until(process, "plan.failed", "bad")
        receiver.wait_for(1)
        gate.touch()
        assert end_of(process).code == 1


def test_s4_8_what_a_killed_planctl_was_sending_ends_too(repo: GitRepo) -> None:
    with receiving(hanging) as receiver:
        plans(repo, {"team": {"webhook": receiver.url, "timeout": "1h"}}, bad="exit 3")
        process = start("run-multi", "bad", cwd=repo.path)
        receiver.wait_for(1)
        sending = [
            p for p in psutil.Process(process.pid).children() if "webhook_main" in " ".join(p.cmdline())
        ]
        process.kill()
        assert len(sending) == 1
        assert psutil.wait_procs(sending, timeout=60)[1] == []


def test_s4_8_secrets_stay_in_the_environment(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        settings = {"team": {"webhook_env": "TEAM_URL", "secret_env": "TEAM_SECRET"}}
        plans(repo, settings, bad="exit 3")
        without = planctl("notify", "test", repo=repo.path)
        assert (without.code, "TEAM_URL is not set" in without.stdout) == (1, True)
        doctor = planctl("doctor", "--json", repo=repo.path).data
        assert "notify-unusable" in {issue["code"] for issue in doctor["issues"]}
        env = {"TEAM_URL": f"{receiver.url}?key=hidden", "TEAM_SECRET": "hidden too"}
        assert run("run-multi", "bad", cwd=repo.path, env=env).code == 1
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        said = planctl("notify", "list", "--json", repo=repo.path)
    ((headers, _),) = receiver.posts
    assert headers["webhook-signature"].startswith("v1,")
    assert "hidden" not in said.stdout
    for path in (repo.path / ".git/planctl").rglob("*"):
        assert not path.is_file() or b"hidden" not in path.read_bytes(), path


def test_s4_8_try_out_a_channel(repo: GitRepo) -> None:
    with receiving(answering(204, 503)) as receiver:
        settings = {
            "team": {"webhook": receiver.url},
            "log": {"command": ["sh", "-c", "cat > /dev/null; echo heard"]},
        }
        plans(repo, settings)
        first = planctl("notify", "test", "--json", repo=repo.path)
        assert first.code == 0
        assert [(d["channel"], d["state"], d["detail"]) for d in first.data["deliveries"]] == [
            ("team", "sent", "204"),
            ("log", "sent", "heard"),
        ]
        (body,) = receiver.bodies
        assert body["event"] == "notify.test"
        second = planctl("notify", "test", "team", repo=repo.path)
        assert (second.code, second.stdout) == (1, "failed  team: 503 Service Unavailable\n")
        doctor = planctl("doctor", "--json", repo=repo.path).data
    assert [(i["code"], i["subject"]) for i in doctor["issues"] if i["code"].startswith("notify")] == [
        ("notify-failing", "team")
    ]
    assert doctor["healthy"]
    listed = planctl("notify", "list", repo=repo.path).stdout.splitlines()
    assert "1 sent, 1 failed" in listed[0]
    assert "the newest is failed: 503" in listed[0]
    unknown = planctl("notify", "test", "nope", repo=repo.path)
    assert (unknown.code, "known: team, log" in unknown.stderr) == (2, True)


def test_s4_8_without_a_channel_or_with_a_wrong_one_it_is_said(repo: GitRepo) -> None:
    assert planctl("notify", "list", repo=repo.path).stdout.startswith("nobody is told")
    assert planctl("notify", "test", repo=repo.path).code == 2
    assert not (repo.path / ".git/planctl").exists()
    repo.write("planctl.yaml", "notify: {a: {webhook: 'https://me:secret@x/'}}")
    for word in ("list", "test"):
        said = planctl("notify", word, repo=repo.path)
        assert (said.code, "bad-url" in said.stderr) == (2, True)


def test_s4_8_the_user_has_the_last_word(repo: GitRepo) -> None:
    """What a clone brings along is told to nobody whom its user does not want to be told."""
    with receiving() as receiver:
        plans(repo, {"team": {"webhook": receiver.url}}, bad="exit 3")
        repo.git("config", "--global", "planctl.notify", "none")
        assert run("run-multi", "bad", cwd=repo.path).code == 1
        assert not receiver.posts
        repo.git("config", "--global", "planctl.notify", "team")
        assert run("run-multi", "bad", "--again", cwd=repo.path).code == 1
        assert len(receiver.posts) == 1, "and of what happened before nothing"


def test_s4_8_p23_a_branch_has_nobody_told_and_no_program_run(repo: GitRepo, tmp_path: Path) -> None:
    """Somebody looks at a branch, and works here meanwhile: the target says who is told."""
    theirs = tmp_path / "theirs"
    with receiving() as receiver:
        plans(repo, {"team": {"webhook": receiver.url}}, good="echo 1 > good")
        repo.git("switch", "-q", "-c", "look")
        settings = {"notify": {"theirs": {"command": ["touch", str(theirs)]}}}
        repo.commit("theirs", {"planctl.yaml": json.dumps(settings)})
        multi(repo, "good")
        assert told(receiver) == [("landed", "good")]
        listed = planctl("notify", "list", "--json", repo=repo.path).data["channels"]
    assert [one["channel"] for one in listed] == ["team"]
    assert not theirs.exists()
