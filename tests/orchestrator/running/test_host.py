from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.running import host, ports, supervision
from orchestrator.running.ports import PORTS_PER_BLOCK, acquire_ports, block_starts, describe_port_owner
from tests.support.commands import commands_in

HOLDER = """
import sys
from orchestrator.running.ports import acquire_ports
block = acquire_ports()
print(block.first, flush=True)
sys.stdin.read()
"""
SUPERVISED_HOLDER = """
import os, sys
from pathlib import Path
from orchestrator.running import supervision
from orchestrator.running.host import HostSlots
from orchestrator.running.spec import CommandSpec, shell_argv
folder = Path(sys.argv[1])
slot = HostSlots("build", 1).try_acquire()
argv = shell_argv(sys.argv[2])
spec = CommandSpec("attempt-2", argv, folder, dict(os.environ), folder / "log", folder / "r", hold=slot.hold)
supervision.launch(spec)
print("launched", flush=True)
sys.stdin.read()
"""


def holder() -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def finish(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_p14_port_blocks_of_two_processes_differ_and_are_free_again() -> None:
    first, a = holder()
    second, b = holder()
    assert abs(a - b) >= PORTS_PER_BLOCK
    own = acquire_ports()
    assert own is not None
    assert own.first not in {a, b}
    finish(first)  # killed: the kernel takes the lock back
    again = acquire_ports()
    assert again is not None
    assert again.first == a
    finish(second)
    own.release()
    again.release()
    again.release()


def test_p14_port_blocks_of_threads_differ() -> None:
    with ThreadPoolExecutor(16) as pool:
        blocks = [block for block in pool.map(lambda _: acquire_ports(), range(32)) if block]
    assert len({block.first for block in blocks}) == 32
    for block in blocks:
        block.release()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("address", ["127.0.0.1", "", "::1"])
def test_p14_a_block_with_a_port_in_use_is_left_out(kind: socket.SocketKind, address: str) -> None:
    before = acquire_ports()
    assert before is not None
    before.release()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, before.first + 7))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        after = acquire_ports()
    assert after is not None
    assert after.first > before.first
    after.release()


def test_blocks_lie_outside_the_ephemeral_range() -> None:
    for ephemeral in ((32768, 60999), (1024, 60999), (15000, 61000), (49152, 65535), (20005, 30000)):
        starts = list(block_starts(ephemeral))
        assert all(b - a >= PORTS_PER_BLOCK for a, b in itertools.pairwise(starts))
        for start in starts:
            assert 1024 < start <= 65536 - PORTS_PER_BLOCK
            assert start + PORTS_PER_BLOCK <= ephemeral[0] or start > ephemeral[1]
        assert starts
    assert next(block_starts((32768, 60999))) == 20_000
    assert list(block_starts((1024, 65535))) == []


def test_p14_no_ports_left_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "ephemeral_range", lambda: (20_020, 65_535))
    held = [acquire_ports(tmp_path), acquire_ports(tmp_path)]
    assert [block.first for block in held if block] == [20_000, 20_010]
    assert acquire_ports(tmp_path) is None
    for block in held:
        assert block is not None
        block.release()


def test_s0_2_a_port_in_use_gives_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = describe_port_owner(port)
    assert line.startswith(f"port {port} is in use by ")
    assert f"(pid {os.getpid()})" in line
    assert "; port " in line
    assert line.endswith(" is free")
    assert "\n" not in line


def test_p14_places_are_counted() -> None:
    slots = host.HostSlots("db", 2)
    a, b = slots.try_acquire(), slots.try_acquire()
    assert a is not None
    assert b is not None
    assert slots.try_acquire() is None
    assert host.HostSlots("db2", 1).try_acquire() is not None
    a.release()
    assert slots.try_acquire(2) is None
    c = slots.try_acquire()  # the one that was in vain taken for two is back
    assert c is not None
    b.release()
    c.release()
    both = slots.try_acquire(2)
    assert both is not None
    assert len(both.hold) == 2
    assert slots.try_acquire(0) is not None
    assert slots.try_acquire(3) is None
    both.release()


@pytest.mark.parametrize("name", ["port:8080", "../../x", "a/b", "ü", "a.0", "..x"])
def test_names_of_places_are_safe_and_differ(name: str, tmp_path: Path) -> None:
    slot = host.HostSlots(name, 1, tmp_path).try_acquire()
    assert slot is not None
    assert len(list((tmp_path / "slots").iterdir())) == 1
    assert host.HostSlots("other", 1, tmp_path).try_acquire() is not None
    slot.release()


@pytest.mark.parametrize(("name", "capacity"), [("", 1), ("..", 1), ("x" * 201, 1), ("x", -1)])
def test_impossible_capacities_are_refused(name: str, capacity: int) -> None:
    with pytest.raises(ValueError):
        host.HostSlots(name, capacity)


def test_the_host_folder_follows_xdg(hermetic: Path) -> None:
    assert host.host_folder() == hermetic / "state" / "planctl" / "host"
    assert host.host_folder({"XDG_STATE_HOME": "relative"}) == hermetic / ".local/state/planctl/host"
    assert host.host_folder({}) == hermetic / ".local/state/planctl/host"


def test_p14_a_place_outlives_planctl_as_long_as_its_command(tmp_path: Path) -> None:
    slots = host.HostSlots("build", 1)
    with commands_in(tmp_path) as commands:
        fifo = commands.fifo("fifo")
        argv = [sys.executable, "-c", SUPERVISED_HOLDER, str(tmp_path), f"read x < '{fifo}'"]
        with subprocess.Popen(argv, stdin=-1, stdout=-1, text=True) as planctl:
            assert planctl.stdout is not None
            assert planctl.stdout.readline() == "launched\n"
            planctl.kill()
        handle = supervision.find(tmp_path / "r")
        assert handle is not None
        commands.launched.append(handle)
        assert slots.try_acquire() is None
        fifo.write_text("go\n")
        commands.end(handle)
        slot = slots.try_acquire()
        assert slot is not None
        slot.release()
