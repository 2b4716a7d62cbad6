"""``planctl serve`` over real HTTP: what it tells, what it does, and for whom (S1.6)."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.clock import SystemClock
from orchestrator.services.diagnosis import upkeep
from orchestrator.states import SessionState
from tests.support.cli import planctl
from tests.support.faces import add_dead_session, dead_process, reading, store_of
from tests.support.gates import Gates, assert_all_landed
from tests.support.plans import commit_plans
from tests.support.process import end_of, end_started, run, start, until
from tests.support.records import a_lease
from tests.support.repo import GitRepo
from tests.support.served import JSON, Served, serve, serving
from tests.support.slices import mostly

ROOT = Path(__file__).resolve().parents[2]
KILLED_AT = [
    f"{name}:{side}" for name in ("serve.token", "file.draft", "file.create") for side in ("before", "after")
]


@pytest.fixture(autouse=True)
def nothing_outlives_a_test() -> Iterator[None]:
    yield
    end_started()


def leave_a_lease(repo: GitRepo) -> None:
    """What a killed planctl leaves: a session, and the queue's lease."""
    clock = SystemClock()
    with store_of(repo) as store:
        add_dead_session(store)
        now = clock.monotonic()
        assert store.grant(
            a_lease("queue:refs/heads/main", "dead", boot=clock.boot(), expires=now + 60), now=now
        )


def leave_a_draft(repo: GitRepo) -> Path:
    """A temporary file of a process that is gone."""
    return repo.write(f".git/planctl/.state.{dead_process()[0]}-abc.tmp", "half")


def leave_many_objects(repo: GitRepo) -> None:
    """As many in files of their own, by git's own way to count, as a cure is offered for."""
    folder = repo.path / ".git/objects/17"
    folder.mkdir(exist_ok=True)
    wanted = upkeep.MANY_LOOSE // 256 + 1
    for text in (f"blob {len(str(number))}\0{number}".encode() for number in itertools.count()):
        name = hashlib.sha1(text).hexdigest()
        if name.startswith("17"):
            (folder / name[2:]).write_bytes(zlib.compress(text))
            wanted -= 1
        if not wanted:
            return


def break_the_graph(repo: GitRepo) -> None:
    repo.git("commit-graph", "write", "--reachable")
    graph = repo.path / ".git/objects/info/commit-graph"
    graph.chmod(0o644)
    graph.write_bytes(b"CGPH garbage")


def found(data: Any) -> dict[str, dict[str, Any]]:
    return {issue["code"]: issue for issue in data["issues"]}


def test_s1_6_each_route_says_what_its_command_says(repo: GitRepo) -> None:
    with serving(repo) as served:
        until(lambda: served.ask("/health").data["watchdog"])
        status = served.ask("/status").data
        same = planctl("status", "--json", repo=repo.path).data
        for moment in (status, same):
            (session,) = moment["sessions"]
            assert (session["kind"], session["note"]) == ("serve", served.told["url"])
            session["heartbeat_at"] = ""
        assert status == same
        assert served.ask("/health").data["watchdog"]["session"] == served.told["session"]
        looked = served.ask("/doctor").data
        assert (looked["healthy"], looked["issues"], looked["failures"]) == (True, [], [])
        names = [check["name"] for check in planctl("doctor", "--json", repo=repo.path).data["checks"]]
        assert [check["name"] for check in looked["checks"]] == names
        figures = served.ask("/metrics")
        assert figures.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {family.name for family in text_string_to_metric_families(figures.body.decode())}
        assert "planctl_landings" in families
        assert f'repository="{repo.path}"'.encode() in figures.body
        head = served.ask("/metrics", method="HEAD")
        assert (head.status, head.body) == (200, b"")


def test_s1_6_whatever_is_answered_is_not_kept_and_shared_with_no_other_site(repo: GitRepo) -> None:
    with serving(repo) as served:
        answers = [
            served.ask("/health"),
            served.ask("/nothing"),
            served.ask("/health/"),
            served.ask("/doctor", served.bearer, method="DELETE"),
            served.ask("/doctor", {"host": "rebound.example"}),
            served.ask(
                "/doctor", {**served.bearer, "access-control-request-method": "POST"}, method="OPTIONS"
            ),
        ]
        assert [answer.status for answer in answers] == [200, 404, 404, 405, 421, 405]
        assert [answer.code for answer in answers[1:4]] == ["not-found", "not-found", "wrong-method"]
        for answer in answers:
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"].startswith("application/json")
            assert not [
                name for name in answer.headers if name.startswith("access-control") or name == "server"
            ]


def test_s1_6_post_looks_and_mends_only_what_it_is_asked_to(repo: GitRepo) -> None:
    with serving(repo, env={"PLANCTL_WATCHDOG": "off"}) as served:
        leave_a_lease(repo)
        draft = leave_a_draft(repo)
        for looked in (served.ask("/doctor").data, served.post({}).data, served.post({"fix": False}).data):
            assert looked["healthy"] is False
            assert set(found(looked)) == {"session-dead", "lease-stale", "temporary-left"}
            assert {(i["fixable"], i["fixed"]) for i in looked["issues"]} == {(True, False)}
        assert draft.exists()
        mended = served.post({"fix": True}).data
        assert mended["healthy"] is True
        assert {code for code, issue in found(mended).items() if issue["fixed"]} == set(found(looked))
        assert not draft.exists()
        assert served.post({"fix": True}).data["issues"] == []
        with reading(repo) as store:
            assert [s.id for s in store.sessions({SessionState.ACTIVE})] == [served.told["session"]]
            assert not store.leases()


def test_s1_6_what_changes_something_needs_the_token(repo: GitRepo) -> None:
    with serving(repo) as served:
        path = Path(served.told["token_file"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        token = served.token
        wrong = [
            {},
            {"authorization": token},
            {"authorization": f"Basic {token}"},
            {"authorization": "Bearer "},
            {"authorization": f"Bearer {token[:-1]}"},
            {"authorization": f"Bearer {token}x"},
            {"authorization": "Bearer t\xf6ken"},
            {"cookie": f"token={token}"},
        ]
        for headers in wrong:
            answer = served.ask("/doctor", {**JSON, **headers}, method="POST", body='{"fix": true}')
            assert (answer.status, answer.code) == (401, "token-needed"), headers
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert served.ask(f"/doctor?token={token}", JSON, method="POST", body="{}").status == 401
        assert (
            served.ask(
                "/doctor", {**JSON, "authorization": f"bearer {token}"}, method="POST", body="{}"
            ).status
            == 200
        )
        assert served.ask("/health", {"authorization": "Bearer wrong"}).status == 200, (
            "to read needs none here"
        )
        done = served.end()
    assert token not in done.err
    assert "?" not in done.err, "queries may hold secrets"
    assert done.err.count(" POST /doctor 401 ") == len(wrong) + 1
    with serving(repo) as again:
        assert again.token == token, "it stays over a restart"


BY_BROWSERS: list[tuple[dict[str, str], int]] = [
    ({"host": "localhost:1"}, 200),  # a tunnel ends at another port
    ({"host": "LOCALHOST"}, 200),
    ({"host": "build.example:7526"}, 200),
    ({"host": "127.0.0.1.example"}, 421),
    ({"host": "rebound.example"}, 421),
    ({"host": "10.0.0.7"}, 421),
    ({"host": "[::1]"}, 421),
    ({"host": ""}, 421),
    ({"host": "localhost@rebound.example"}, 421),
    ({"host": "build.example", "origin": "http://build.example"}, 200),
    ({"host": "build.example", "origin": "https://build.example", "sec-fetch-site": "same-origin"}, 200),
    ({"host": "build.example", "origin": "https://rebound.example"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "http://127.0.0.1:9"}, 403),
    ({"sec-fetch-site": "cross-site"}, 403),
    ({"sec-fetch-site": "same-site"}, 403),
    ({"sec-fetch-site": "none"}, 200),
]


def test_s1_6_no_other_site_asks_by_way_of_a_browser(repo: GitRepo) -> None:
    """Neither by a name that was made to mean this address, nor from a page; with the token or without."""
    with serving(repo, "--allow-host", "Build.example") as served:
        for headers, status in BY_BROWSERS:
            assert served.ask("/health", headers).status == status, headers
            assert served.post({}, headers).status == status, headers


BODIES: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"{}", {"content-type": "text/plain"}, 415, "not-json"),
    (b"fix=true", {"content-type": "application/x-www-form-urlencoded"}, 415, "not-json"),
    (b"", {}, 400, "bad-json"),
    (b'{"fix": tru', {}, 400, "bad-json"),
    (b"\xff\xfe", {}, 400, "bad-json"),
    (b"[" * 4000, {}, 400, "bad-json"),
    (b"[]", {}, 422, "bad-value"),
    (b'{"fix": "yes"}', {}, 422, "bad-value"),
    (b'{"fix": 1}', {}, 422, "bad-value"),
    (b'{"fix": true, "orphans": true}', {}, 422, "unknown-key"),
    (b'{"fix": true}' + b" " * 4096, {}, 413, "body-too-large"),
    (b"{}", {"content-length": "99999"}, 413, "body-too-large"),
]


def test_s1_6_a_body_that_is_not_what_it_should_be_is_refused(repo: GitRepo) -> None:
    with serving(repo) as served:
        for body, headers, status, code in BODIES:
            answer = served.post(body, headers)
            assert (answer.status, answer.code) == (status, code), body[:20]
            assert b"Traceback" not in answer.body
        endless = (b" " * 1024 for _ in range(100))  # sent in chunks, which say no length before
        answer = served.ask("/doctor", {**served.bearer, **JSON}, method="POST", body=endless)
        assert (answer.status, answer.code) == (413, "body-too-large")
        assert served.post({}, {"content-type": "application/json; charset=utf-8"}).status == 200


def test_s1_6_who_goes_away_in_the_middle_of_a_body_leaves_a_line_and_no_trace(repo: GitRepo) -> None:
    served = serve(repo)
    asks = "".join(f"{name}: {value}\r\n" for name, value in {**served.bearer, **JSON}.items())
    head = f"POST /doctor HTTP/1.1\r\nhost: 127.0.0.1\r\n{asks}content-length: 20\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.told["port"]), 60) as connection:
        connection.sendall(head.encode())
    assert served.ask("/health").status == 200
    told = served.end().err.splitlines()
    assert sorted(line.split()[2:4] for line in told) == [["GET", "/health"], ["POST", "/doctor"]]


def test_s1_6_where_others_can_reach_it_reading_needs_the_token_too(repo: GitRepo) -> None:
    with serving(repo, "--host", "0.0.0.0") as served:
        assert served.told["private"] is True
        for path in ("/health", "/status", "/metrics", "/doctor", "/nothing"):
            assert (served.ask(path).status, served.ask(path).code) == (401, "token-needed")
            assert served.ask(path, served.bearer).status == (404 if path == "/nothing" else 200)
        for host, status in (
            (socket.gethostname(), 200),
            ("localhost", 200),
            ("0.0.0.0", 200),
            ("x.example", 421),
        ):
            assert served.ask("/health", {**served.bearer, "host": host}).status == status, host
        done = served.end()
    assert "nothing is secret on its way" in done.err


def test_s1_6_errors_are_told_as_the_command_line_tells_them(repo: GitRepo) -> None:
    with serving(repo) as served:
        break_the_graph(repo)
        repo.write("planctl.yaml", "chekc: x\n")
        assert "unknown-key" in found(served.ask("/doctor").data)
        answer = served.post({"fix": True})
        same = json.loads(run("doctor", "--fix", "--json", cwd=repo.path).out)
        assert (answer.status, answer.data) == (422, same)
        (repo.path / "planctl.yaml").unlink()
        assert found(served.post({"fix": True}).data)["commit-graph-broken"]["fixed"] is True


def test_s1_6_a_fault_has_a_log_here_and_no_trace_over_there(repo: GitRepo) -> None:
    with serving(repo, env={"PLANCTL_FAIL_AT": "EACCES@desk.make:before"}) as served:
        break_the_graph(repo)
        answer = served.post({"fix": True})
        assert (answer.status, answer.data["error"]["exit"]) == (500, 3)
        assert b"Traceback" not in answer.body
        assert b"EACCES" not in answer.body
        assert str(repo.path).encode() not in answer.body
        assert served.ask("/health").status == 200, "it goes on"
        done = served.end()
    (log,) = (repo.path / ".git/planctl/logs").glob("fault-*.log")
    assert str(log) in done.err
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert "Traceback" not in done.err


@pytest.mark.stress  # the other stands for the office every ten seconds
def test_s1_6_two_beside_each_other_and_one_is_killed(repo: GitRepo) -> None:
    """One token, two sessions, one watchdog; the other takes over and ends what the first one left."""
    both = [serve(repo), serve(repo)]
    first = until(lambda: both[0].ask("/health").data["watchdog"])
    killed, other = sorted(both, key=lambda served: served.told["session"] != first["session"])
    assert killed.told["session"] == first["session"]
    assert killed.token == other.token
    killed.process.kill()
    assert end_of(killed.process).code == -signal.SIGKILL
    assert other.ask("/health").status == 200

    def next_one() -> Any:
        now = other.ask("/health").data["watchdog"]
        return now if now and now["session"] == other.told["session"] else None

    assert until(next_one)["token"] > first["token"]

    def living() -> set[str]:
        return {session["id"] for session in other.ask("/status").data["sessions"]}

    until(lambda: living() == {other.told["session"]})
    assert other.end().code == 143
    with reading(repo) as store:
        assert not store.sessions({SessionState.ACTIVE})
        assert not store.leases()


def test_s1_6_a_run_at_work_is_not_touched_by_what_is_mended(repo: GitRepo, gates: Gates) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": gates.command("a", "echo a > one")}})
    with serving(repo) as served:
        conducted = start("run-multi", "--all", "--json", cwd=repo.path)
        gates.await_at("a")
        break_the_graph(repo)
        answers = [served.post({"fix": True}) for _ in range(2)]
        assert [found(answer.data).keys() for answer in answers] == [{"commit-graph-broken"}, set()]
        (plan,) = served.ask("/status").data["plans"]
        assert (plan["id"], plan["state"]) == ("a", "running")
        gates.open("a")
        assert end_of(conducted).code == 0
        assert_all_landed(repo, ["a"])
        assert served.ask("/doctor").data["healthy"] is True


def test_s1_6_who_asks_while_others_write_sees_one_moment(repo: GitRepo) -> None:
    """Runs are begun, and land, between any two reads of the store."""
    plans: dict[str, dict[str, object]] = {
        f"p{n}": {"files": {"write": [f"f{n}"]}, "run": f"echo {n} > f{n}"} for n in range(4)
    }
    commit_plans(repo, plans)
    with serving(repo) as served:
        conducted = start("run-multi", "--all", "--json", cwd=repo.path)

        def refusals(path: str) -> list[bytes]:
            answers = [served.ask(path)]
            while conducted.poll() is None:
                answers.append(served.ask(path))
            return [answer.body for answer in answers if answer.status != 200]

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(refusals, ("/status", "/status", "/metrics", "/doctor")))
        assert found == [[]] * 4
        assert end_of(conducted).code == 0
        assert {plan["state"] for plan in served.ask("/status").data["plans"]} == {"landed"}


def test_s1_6_a_session_that_others_ended_is_the_servers_end(repo: GitRepo) -> None:
    repo.write("planctl.yaml", "leases: {heartbeat: 100ms}\n")
    with serving(repo, env={"PLANCTL_WATCHDOG": "off"}) as served:
        with store_of(repo) as store:
            session = store.session(served.told["session"])
            assert session is not None
            store.move_session(session, SessionState.ENDED, ended_at=SystemClock().now())
        done = end_of(served.process)
    assert done.code == 4
    assert "was lost" in done.err


def test_s1_6_nothing_is_taken_away_under_a_server(repo: GitRepo) -> None:
    with serving(repo) as served:
        refused = run("uninstall", cwd=repo.path)
        assert refused.code == 4
        assert served.ask("/doctor").data["healthy"] is True
    assert run("uninstall", cwd=repo.path).code == 0
    assert not (repo.path / ".git/planctl").exists()


@pytest.fixture
def held_git(tmp_path: Path) -> tuple[dict[str, str], Path, Path]:
    """Variables with a git that says when it packs objects first, and waits for a word then."""
    at, go, tools = tmp_path / "at", tmp_path / "go", tmp_path / "tools"
    os.mkfifo(at)
    os.mkfifo(go)
    tools.mkdir()
    script = tools / "git"
    held = f"mkdir {tools}/once 2> /dev/null && echo here > {at} && read word < {go}"
    real = f'exec {shutil.which("git")} "$@"'
    script.write_text(f'#!/bin/sh\ncase "$*" in *"maintenance run"*) {held};; esac\n{real}\n')
    script.chmod(0o755)
    return {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}, at, go


def test_s1_6_ended_while_it_mends_it_finishes_that_and_begins_nothing_more(
    repo: GitRepo, held_git: tuple[dict[str, str], Path, Path]
) -> None:
    environment, at, go = held_git
    served = serve(repo, env=environment)
    leave_many_objects(repo)
    draft = leave_a_draft(repo)
    with contextlib.closing(served.connected()) as connection:
        headers = {**served.bearer, **JSON}
        connection.request("POST", "/doctor", '{"fix": true}', headers)
        assert at.read_text() == "here\n"
        later = served.connected()
        later.request("POST", "/doctor", '{"fix": true}', headers)
        assert served.ask("/health").status == 200, "whoever came before has been heard"
        served.process.terminate()
        until(lambda: _refuses(served))
        go.write_text("go\n")
        said = json.loads(connection.getresponse().read())
        refused = later.getresponse()
        assert (refused.status, json.loads(refused.read())["error"]["code"]) == (503, "stopping")
        later.close()
    assert found(said)["objects-loose"]["fixed"] is True
    assert (found(said)["temporary-left"]["fixed"], draft.exists()) == (False, True)
    assert end_of(served.process).code == 143
    with reading(repo) as store:
        assert not store.sessions({SessionState.ACTIVE})
    assert run("doctor", "--fix", "--json", cwd=repo.path).code == 0
    assert not draft.exists()


def _refuses(served: Served) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", served.told["port"])) != 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_s1_6_it_ends_in_order_whoever_holds_a_connection(repo: GitRepo, number: int, code: int) -> None:
    served = serve(repo)
    idle, half = served.connected(), served.connected()
    idle.request("GET", "/health")
    assert idle.getresponse().read()
    half.connect()
    half.sock.sendall(b"GET /status HTTP/1.1\r\nhost: 127")
    served.process.send_signal(number)
    done = end_of(served.process)
    assert (done.code, done.out) == (code, ""), done
    idle.close()
    half.close()
    with reading(repo) as store:
        assert not store.sessions({SessionState.ACTIVE})
        assert not store.leases()


def test_s1_6_for_people_it_says_where_it_is_and_where_the_token_is(repo: GitRepo) -> None:
    process = start("serve", "--port", "0", cwd=repo.path)
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert lines[0].startswith(f"serving {repo.path.name} at http://127.0.0.1:")
    assert lines[1] == f"token for changes: {repo.path}/.git/planctl/serve.token\n"
    process.terminate()
    assert end_of(process).code == 143


def test_s1_6_a_port_that_is_taken_is_told_before_anything_is_made(repo: GitRepo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port), cwd=repo.path)
    assert done.code == 4
    fact, hint = done.err.splitlines()
    assert f"port {port} is in use by" in fact
    assert "is free: try it" in hint
    assert not (repo.path / ".git/planctl").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "192.0.2.1"), "nothing can listen on 192.0.2.1"),
        (("--host", "no-such-name.invalid"), "nothing can listen on no-such-name.invalid"),
        (("--host", "." * 300), "nothing can listen on"),
        (("--port", "65536"), "65536"),
        (("--allow-host", "http://x"), "neither a name nor an address"),
    ],
    ids=str,
)
def test_s1_6_what_cannot_be_served_is_a_usage_error(
    repo: GitRepo, options: tuple[str, ...], said: str
) -> None:
    done = run("serve", *options, cwd=repo.path)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (repo.path / ".git/planctl").exists()


def test_s1_6_without_the_extra_it_says_how_to_have_it_and_all_else_works(repo: GitRepo) -> None:
    for library in ("starlette", "uvicorn"):
        code = (
            f"import sys; sys.modules[{library!r}] = None\n"
            "from orchestrator.cli.main import main\nsys.argv = ['planctl', *sys.argv[1:]]\nmain()\n"
        )

        def without(*arguments: str, code: str = code) -> subprocess.CompletedProcess[str]:
            argv = [sys.executable, "-c", code, *arguments]
            return subprocess.run(argv, cwd=repo.path, capture_output=True, text=True, check=False)

        done = without("serve")
        assert done.returncode == 2
        assert done.stderr.splitlines() == [
            f"planctl: serve needs {library}, which is not installed",
            "  hint: pip install 'planctl[web]'",
        ]
        assert without("serve", "--help").returncode == 0
        assert without("doctor").returncode == 0
    assert not (repo.path / ".git/planctl").exists()


def test_s1_6_a_token_that_others_can_read_is_not_taken(repo: GitRepo) -> None:
    with serving(repo) as served:
        path = Path(served.told["token_file"])
    path.chmod(0o640)
    done = run("serve", "--port", "0", cwd=repo.path)
    assert (done.code, done.out) == (2, "")
    assert "others can read it" in done.err
    assert "remove it" in done.err
    with reading(repo) as store:
        assert not store.sessions({SessionState.ACTIVE})


@pytest.mark.parametrize("at", mostly(KILLED_AT, ["file.create:before"]))
def test_s1_6_killed_while_it_makes_the_token_the_next_one_has_a_whole_one(repo: GitRepo, at: str) -> None:
    assert run("serve", "--port", "0", cwd=repo.path, env={"PLANCTL_KILL_AT": at}).code == -signal.SIGKILL
    with serving(repo) as served:
        assert len(served.token) == 64
        assert served.post({"fix": True}).data["healthy"] is True
