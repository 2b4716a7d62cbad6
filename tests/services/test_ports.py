"""A port in use gives one helpful line (S0.2)."""

from __future__ import annotations

import os
import socket

import click
import psutil
import pytest

from orchestrator.cli.context import Command, Invocation, pass_invocation
from orchestrator.services.ports import listen
from orchestrator.servingerrors import PortInUseError
from tests.support.cli import add_command, planctl


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def test_s0_2_a_taken_port_names_its_holder_and_one_that_is_free() -> None:
    with listen("127.0.0.1", 0) as first:
        with pytest.raises(PortInUseError) as raised:
            listen("127.0.0.1", port_of(first))
        assert raised.value.holder == f"{psutil.Process().name()} (pid {os.getpid()})"
        assert raised.value.free is not None
        with listen("127.0.0.1", raised.value.free) as second:
            assert port_of(second) == raised.value.free


def test_s0_2_where_the_system_does_not_tell_the_line_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_: object) -> list[object]:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    with listen("127.0.0.1", 0) as first, pytest.raises(PortInUseError, match="by another process"):
        listen("127.0.0.1", port_of(first))


def test_other_errors_are_not_called_a_taken_port() -> None:
    with pytest.raises(OSError) as raised:
        listen("192.0.2.1", 0)
    assert not isinstance(raised.value, PortInUseError)


def test_s0_2_on_the_command_line_it_is_one_fact_one_hint_and_exit_4(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 0) as first:
        port = port_of(first)

        @click.command("serve-test", cls=Command)
        @pass_invocation
        def serve(_: Invocation) -> None:
            """Listen."""
            listen("127.0.0.1", port)

        add_command(monkeypatch, serve)
        said = planctl("serve-test")
    assert said.code == 4
    fact, hint = said.stderr.splitlines()
    assert f"port {port} is in use by" in fact
    assert f"pid {os.getpid()}" in fact
    assert "is free: try it" in hint
