"""The watchdog in this process: which sessions it looks after, what it touches and what it never does."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.clock import SystemClock, new_id
from orchestrator.errors import LeaseLostError, SweepStoppedError
from orchestrator.running.platforms import find_process
from orchestrator.running.records import ENDED, STARTED, write_record
from orchestrator.services.watchdog import noticing
from orchestrator.services.watchdog.cases import Case, Scene, Why, cases, has_come_back
from orchestrator.services.watchdog.election import LEASE, Tenure, at_work, pause, stand
from orchestrator.services.watchdog.watch import is_wanted
from orchestrator.sessions.identity import here, started
from orchestrator.sessions.registry import start_session
from orchestrator.states import SessionState
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.protocol import Store
from orchestrator.store.records import Session
from tests.support.cli import Said, planctl
from tests.support.clock import FakeClock
from tests.support.faces import add_dead_session, add_session, dead_process, reading, store_of
from tests.support.records import a_lease, a_session
from tests.support.repo import GitRepo

DEAF = "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write(1, b'.'); signal.pause()"


def once(repo: GitRepo, *arguments: str) -> Said:
    return planctl("watchdog", "--once", "--json", "--grace", "0", *arguments, repo=repo.path)


def child_of(process: subprocess.Popen[Any], off: float = 0.0) -> dict[str, Any]:
    mark = started(process.pid)
    assert mark is not None
    return {"pid": process.pid, "started": mark + off}


@pytest.fixture
def make() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Real processes, each at its place when it is given; none outlives its test."""
    made: list[subprocess.Popen[bytes]] = []

    def one(code: str, name: str = sys.executable, **env: str) -> subprocess.Popen[bytes]:
        argv, environ = [name, "-c", code], {**os.environ, **env}
        process = subprocess.Popen(argv, executable=sys.executable, stdout=subprocess.PIPE, env=environ)
        made.append(process)
        assert process.stdout is not None
        assert process.stdout.read(1) == b"."
        return process

    yield one
    for process in made:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


SLEEPER = "import os, signal; os.write(1, b'.'); signal.pause()"


def test_s3_2_who_is_looked_after_as_time_passes() -> None:
    clock, agent = FakeClock(), a_session("agent", kind="agent", pid=7, expires=1060.0)
    left = replace(agent, id="left", state=SessionState.ENDED, children=({"pid": 8, "started": 1.0},))
    gone = [replace(agent, id="dead"), left, replace(left, id="in order", children=())]

    def found(*silent: str) -> dict[str, Why]:
        now, boot = clock.monotonic(), clock.boot()
        scene = Scene([agent, *gone], {"dead"}, now, boot, silent)
        return {case.session.id: case.why for case in cases(scene)}

    assert found("agent") == {"dead": Why.DEAD, "left": Why.LEFT}
    clock.set_wall(3600)
    assert found("agent") == {"dead": Why.DEAD, "left": Why.LEFT}, "the wall clock ends nobody"
    clock.advance(61)
    assert found() == {"dead": Why.DEAD, "left": Why.LEFT}, "late, but it lives, and may not be ended"
    assert found("agent")["agent"] is Why.SILENT


def test_s3_5_what_somebody_has_come_back_to_is_his() -> None:
    """While a sweep was under way: under the name of a dead one, and one that was only silent."""
    clock = FakeClock()
    seen = a_session("agent", kind="agent", pid=7, boot=clock.boot(), expires=clock.monotonic() - 1)
    ended = replace(seen, state=SessionState.ENDED)

    def back(why: Why, known: Session | None) -> bool:
        return has_come_back(Case(seen, why), known, now=clock.monotonic(), boot=clock.boot())

    for why in Why:
        assert not any(back(why, known) for known in (None, seen, ended))
        assert back(why, replace(seen, pid=8))
        assert back(why, replace(seen, process_started=99.0))
    heard = replace(seen, expires=clock.monotonic() + 60)
    assert back(Why.SILENT, heard)
    assert not back(Why.DEAD, heard), "somebody may beat in its name; its process is gone all the same"


def test_s3_4_one_of_many_is_the_watchdog_and_a_dead_one_is_followed_at_once() -> None:
    store, clock, ended = MemoryStore(), SystemClock(), threading.Event()
    store.add_session(a_session("dead", boot="another"))
    grant = store.grant(a_lease(LEASE, "dead", boot=clock.boot(), expires=clock.monotonic() + 99), now=0.0)
    assert grant is not None
    with start_session(lambda: store, clock, "run") as one, start_session(lambda: store, clock, "run") as two:
        held = stand(one, store)
        assert held is not None
        assert held.token == grant.token + 1
        (event,) = [e for e in store.events_after(0) if e.event == "watchdog.took-over"]
        assert (event.data["session"], event.data["previous"]) == (one.id, "dead")
        assert stand(two, store) is None
        assert at_work(store, clock)["session"] == one.id  # type: ignore[index]
        tenure = Tenure(held, store, ended)
        tenure.check()
        pause(store, clock, "it ends the wrong ones")
        with pytest.raises(SweepStoppedError, match="it ends the wrong ones"):
            tenure.check()
        pause(store, clock, None)
        store.renew(held.grant, expires=0.0)  # as when it was stopped for a minute
        later = stand(two, store)
        assert later is not None
        with pytest.raises(LeaseLostError, match="another watchdog has taken over"):
            tenure.check()
        ended.set()
        with pytest.raises(SweepStoppedError):
            Tenure(later, store, ended).check()


def test_s3_5_children_and_what_is_below_them_get_term_then_kill(
    repo: GitRepo, make: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    """The child is deaf to TERM, and so is its own child, which has left its session."""
    grandchild = f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {DEAF!r}], "
    child = make(f"{grandchild}start_new_session=True); {DEAF}")
    with store_of(repo) as store:
        add_dead_session(store, children=(child_of(child),))
        store.grant(a_lease("build", "dead", boot=SystemClock().boot(), expires=1e12), now=0.0)
    said = once(repo)
    assert said.code == 1, said
    assert (said.data["sessions"], said.data["leases"]) == (["dead"], ["build"])
    assert [p["of"] for p in said.data["processes"] if p["ended"]] == ["dead"] * 2
    assert not [p for p in said.data["processes"] if find_process(p["pid"])]
    log = (repo.path / ".git/planctl/logs/cleanup.log").read_text().splitlines()
    actions = [line.split("] [")[2].split("]")[0] for line in log]
    assert actions == ["process-ended", "process-ended", "session-ended", "lease-given-back"]
    again = once(repo)
    assert (again.code, again.data["found"]) == (0, False)


def test_s3_5_what_is_not_proven_to_be_its_own_is_never_touched(
    repo: GitRepo, make: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    """A pid that somebody else has by now, another container's, and one that is a session of its own."""
    foreign, elsewhere, other = make(SLEEPER), make(SLEEPER), make(SLEEPER)
    with store_of(repo) as store:
        mine = (child_of(foreign, off=-5), child_of(other), {"pid": 1, "started": 0.01})
        add_dead_session(store, children=mine)
        mark = child_of(other)["started"]
        add_session(store, "other", other.pid, mark)
        away = {"host": "there/pid:[4026532999]", "children": (child_of(elsewhere),), "expires": 1.0}
        add_session(store, "away", elsewhere.pid, child_of(elsewhere)["started"], **away)
    for said in (once(repo), once(repo, "--end-silent")):
        assert said.data["processes"] == [], said
    assert [p.poll() for p in (foreign, elsewhere, other)] == [None] * 3
    with reading(repo) as store:
        assert [s.id for s in store.sessions({SessionState.ENDED}) if s.kind == "run"] == ["dead"]


def test_s3_5_an_editor_that_an_agent_opened_for_a_person_is_never_touched(
    repo: GitRepo, make: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Nor a terminal and what runs in it: there may be unsaved work."""
    editor, child = make(SLEEPER, "/usr/bin/nvim"), make(SLEEPER)
    inside = "import os, signal; os.write(1, b'.%d\\n' % os.getpid()); signal.pause()"
    opens = f"import subprocess, sys; subprocess.Popen(['tmux', '-c', {inside!r}], executable=sys.executable)"
    opener = make(f"{opens}; import signal; signal.pause()")
    assert opener.stdout is not None
    terminal = int(opener.stdout.readline())
    with store_of(repo) as store:
        add_dead_session(store, children=tuple(map(child_of, (editor, child, opener))))
    assert {p["pid"] for p in once(repo).data["processes"]} == {child.pid, opener.pid}
    assert editor.poll() is None
    assert find_process(terminal) is not None
    os.kill(terminal, signal.SIGKILL)


def test_s3_5_a_command_whose_supervisor_may_live_in_another_container_is_never_touched(
    repo: GitRepo, make: Callable[..., subprocess.Popen[bytes]]
) -> None:
    name = f"{new_id()}-0"
    command, (gone, mark) = make(SLEEPER, PLANCTL_ATTEMPT=name), dead_process()
    folder = repo.path / ".git/planctl/records" / name
    folder.mkdir(parents=True)
    record = {"attempt": name, "pid": gone, "started": mark, "supervisor": gone, "supervisor_started": mark}
    record |= {"boot": SystemClock().boot(), "grace": 0.0}
    for host, ends in (("there/pid:[4026532999]", False), (here(), True)):
        write_record(str(folder), STARTED, {**record, "host": host}, durable=False)
        assert [p["pid"] for p in once(repo).data["processes"]] == [command.pid] * ends
        assert (command.poll() is not None) is ends


def test_s3_5_who_lives_but_is_not_heard_of_is_ended_only_when_that_is_asked_for(
    repo: GitRepo, make: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    silent = make(SLEEPER)
    with store_of(repo) as store:
        add_session(store, "silent", silent.pid, child_of(silent)["started"], expires=1.0)
        add_session(store, "mine", os.getpid(), started(os.getpid()) or 0, expires=1.0)
    assert once(repo).code == 0
    assert silent.poll() is None
    said = once(repo, "--end-silent")
    assert [p["pid"] for p in said.data["processes"]] == [silent.pid], "never what the watchdog runs below"
    assert said.data["sessions"] == ["silent"]
    assert silent.wait() < 0


def test_s3_5_a_silent_persons_shell_is_never_ended(
    repo: GitRepo, make: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """Ended is an agent that has a name, in a process of its own; no shell, no editor, no process unnamed."""
    agent, unnamed, editor = make(SLEEPER), make(SLEEPER), make(SLEEPER, "/usr/bin/nvim")
    with subprocess.Popen(["sh", "-c", "echo .; read x; true"], stdin=-1, stdout=-1) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        with store_of(repo) as store:
            for key, process, name in [
                ("agent", agent, "forge"),
                ("unnamed", unnamed, ""),
                ("editor", editor, "forge"),
                ("shell", shell, "me"),
            ]:
                mark = child_of(process)["started"]
                add_session(store, key, process.pid, mark, kind="agent", agent=name, expires=1.0)
        said = once(repo, "--end-silent")
        assert [p["pid"] for p in said.data["processes"]] == [agent.pid]
        assert [p.poll() for p in (unnamed, editor, shell)] == [None] * 3
        shell.communicate(b"\n")
    with reading(repo) as store:
        ended = {s.id for s in store.sessions({SessionState.ENDED})}
    assert ended & {"agent", "unnamed", "editor", "shell"} == {"agent"}


def test_s3_5_what_somebody_starts_in_the_environment_of_a_command_that_has_ended_is_his(
    repo: GitRepo, make: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """The supervisor ended all there was before it said so; what began later was begun by a person."""
    name = f"{new_id()}-0"
    left, (gone, mark) = make(SLEEPER, PLANCTL_ATTEMPT=name), dead_process()
    end = find_process(left.pid)
    later = make(SLEEPER, PLANCTL_ATTEMPT=name)
    begun = find_process(later.pid)
    assert end is not None
    assert begun is not None
    assert begun.started > end.started
    folder = repo.path / ".git/planctl/records" / name
    folder.mkdir(parents=True)
    about = {"attempt": name, "pid": gone, "started": mark, "boot": SystemClock().boot()}
    mine = {"supervisor": gone, "supervisor_started": mark, "host": here(), "grace": 0.0}
    write_record(str(folder), STARTED, {**about, **mine}, durable=False)
    ending = {"outcome": "exited", "exit_code": 0, "signal": None, "seconds": 1.0, "left": [], "at": 1.0}
    write_record(str(folder), ENDED, {**about, **ending, "mark": end.started}, durable=False)
    found = planctl("doctor", "--json", repo=repo.path).data["issues"]
    (issue,) = [i for i in found if i["code"] == "process-orphaned"]
    assert f"pid {left.pid} of" in issue["detail"]
    done = once(repo).data
    assert [p["pid"] for p in done["processes"]] == [left.pid]
    assert done["failures"] == []
    assert (left.wait() < 0, later.poll()) == (True, None)
    assert once(repo).data["found"] is False
    planctl("doctor", "--fix", "--json", repo=repo.path)
    assert later.poll() is None


def test_s3_6_more_than_three_are_told_by_an_event(
    repo: GitRepo, make: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    made = [make(SLEEPER) for _ in range(7)]
    with store_of(repo) as store:
        add_dead_session(store, "three", children=tuple(map(child_of, made[:3])))
    once(repo)
    with store_of(repo) as store:
        assert not [e for e in store.events_after(0) if e.event == "watchdog.ended-many"]
        add_dead_session(store, "four", children=tuple(map(child_of, made[3:])))
    once(repo)
    with reading(repo) as store:
        (told,) = [e.data for e in store.events_after(0) if e.event == "watchdog.ended-many"]
    assert told["count"] == 4
    assert all("python" in name and "(pid " in name for name in told["processes"])


def test_s0_4_a_second_sweep_skips_and_says_so(repo: GitRepo) -> None:
    with store_of(repo) as store:
        add_session(store, "first", os.getpid(), started(os.getpid()) or 0, kind="watchdog")
        clock = SystemClock()
        store.grant(a_lease(LEASE, "first", boot=clock.boot(), expires=clock.monotonic() + 60), now=0.0)
        add_dead_session(store)
    said = once(repo)
    assert (said.code, said.data["sessions"]) == (0, [])
    assert f"the watchdog is watchdog first (pid {os.getpid()}" in said.data["skipped"]
    shown = planctl("status", repo=repo.path).stdout
    assert f"watchdog: watchdog first (pid {os.getpid()})" in shown
    assert "watchdog first" in planctl("doctor", "--verbose", repo=repo.path).stdout


def test_a_pause_holds_for_all_until_it_is_taken_back(repo: GitRepo) -> None:
    with store_of(repo) as store:
        add_dead_session(store)
    planctl("watchdog", "--pause", "it ends the wrong ones", repo=repo.path)
    assert "it ends the wrong ones" in once(repo).data["skipped"]
    (issue,) = [
        i
        for i in planctl("doctor", "--json", repo=repo.path).data["issues"]
        if i["code"] == "watchdog-paused"
    ]
    assert "--resume" in issue["detail"]
    planctl("watchdog", "--resume", repo=repo.path)
    assert once(repo).data["sessions"] == ["dead"]


def test_what_cannot_be_put_right_is_told_and_stops_nothing_else(repo: GitRepo) -> None:
    """Settings with an error: git's part cannot be done, and is left for the next sweep."""
    repo.write("planctl.yaml", "jobs: many\n")
    with store_of(repo) as store:
        add_dead_session(store, "dead", left_behind=(str(repo.path / "slot"),))
        add_dead_session(store, "other")
    said = once(repo)
    assert (said.code, sorted(said.data["sessions"])) == (1, ["dead", "other"])
    assert len(said.data["failures"]) == 1
    (repo.path / "planctl.yaml").unlink()
    assert once(repo).code == 0
    with reading(repo) as store:
        assert store.session("dead").left_behind == ()  # type: ignore[union-attr]


def test_of_agents_what_runs_below_is_noted_and_of_shells_it_is_not(
    make: Callable[[str], subprocess.Popen[bytes]],
) -> None:
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])\n{SLEEPER}"
    agent, store, clock = make(code), MemoryStore(), SystemClock()
    known = {"pid": agent.pid, "process_started": child_of(agent)["started"], "host": here()}
    known |= {"boot": clock.boot(), "kind": "agent", "children": ({"pid": 2**22 + 1, "started": 1.0},)}
    store.add_session(a_session("named", agent="forge", **known))
    store.add_session(a_session("unnamed", **known))
    noticing.notice(store, store.sessions(), lambda: None)
    (child,) = store.session("named").children  # type: ignore[union-attr]
    assert child["pid"] not in {agent.pid, 2**22 + 1}, "what is gone is forgotten"
    assert store.session("unnamed").children == known["children"]  # type: ignore[union-attr]
    before = store.session("named")
    noticing.notice(store, store.sessions(), lambda: None)
    assert store.session("named") == before, "nothing is written when nothing has changed"
    assert store_has_shell(store, known) == known["children"]
    os.kill(child["pid"], 9)


def store_has_shell(store: Store, known: dict[str, Any]) -> Any:
    with subprocess.Popen(["sh", "-c", "sleep 1000 & echo .; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        mine = {**known, "pid": shell.pid, "process_started": started(shell.pid)}
        store.add_session(a_session("shell", agent="forge", **mine))
        noticing.notice(store, store.sessions(), lambda: None)
        subprocess.run(["pkill", "-P", str(shell.pid)], check=True)
    return store.session("shell").children  # type: ignore[union-attr]


def test_s3_9_a_run_has_none_in_ci_and_on_a_dumb_terminal() -> None:
    assert is_wanted({"TERM": "xterm"})
    assert is_wanted({"TERM": "xterm", "CI": "false"})
    for more in ({"CI": "true"}, {"CI": "1"}, {"TERM": "dumb"}, {"TERM": ""}, {"PLANCTL_WATCHDOG": "off"}):
        assert not is_wanted({"TERM": "xterm", **more})


def test_a_full_disk_keeps_nobody_from_cleaning_up(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    with store_of(repo) as store:
        add_dead_session(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("orchestrator.services.watchdog.log.append_line", full)
    said = once(repo)
    assert (said.code, said.data["sessions"]) == (1, ["dead"])
    assert "cleanup.log cannot be written: No space left" in said.data["failures"][0]
