from __future__ import annotations

from pathlib import Path

from orchestrator.running.surroundings import NAMES, Surroundings, command_environment, plan_environment

SOURCE = {
    "PATH": "/venv/bin:/usr/bin",
    "VIRTUAL_ENV": "/venv",
    "HOME": "/home/ada",
    "PWD": "/elsewhere",
    "OLDPWD": "/before",
    "GIT_DIR": "/somewhere/.git",
    "GIT_INDEX_FILE": "/somewhere/index",
    "GIT_TRACE2_EVENT": "/trace",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_SSH_COMMAND": "ssh -i key",
    "PLANCTL_KILL_AT": "x:before",
    "PLANCTL_STEP_TRACE": "/steps",
    "PLANCTL_PLAN": "outer",
    "PLANCTL_PORT_BASE": "20000",
    "PLANCTL_STORE": "postgres://host/db",
}
VALUES = Surroundings(
    plan="auth",
    plan_file=Path("/w/plans/auth.md"),
    run="R1",
    attempt="A1",
    session="S1",
    worktree=Path("/w"),
    output_dir=Path("/o/auth"),
    base="c" * 40,
    port_base=20010,
)


def test_a_plan_is_told_where_it_is() -> None:
    got = plan_environment(SOURCE, VALUES)
    assert {name: got[name] for name in NAMES} == {
        "PLANCTL_PLAN": "auth",
        "PLANCTL_PLAN_FILE": "/w/plans/auth.md",
        "PLANCTL_RUN": "R1",
        "PLANCTL_ATTEMPT": "A1",
        "PLANCTL_SESSION": "S1",
        "PLANCTL_WORKTREE": "/w",
        "PLANCTL_OUTPUT_DIR": "/o/auth",
        "PLANCTL_PORT_BASE": "20010",
        "PLANCTL_BASE": "c" * 40,
    }
    assert got["PWD"] == "/w"


def test_what_belongs_to_others_is_dropped_and_what_is_the_users_stays() -> None:
    got = command_environment(SOURCE, Path("/w"))
    assert set(got) == {
        "PATH",
        "VIRTUAL_ENV",
        "HOME",
        "PWD",
        "GIT_AUTHOR_NAME",
        "GIT_SSH_COMMAND",
        "PLANCTL_STORE",
    }
    assert got["PATH"] == SOURCE["PATH"]
    assert SOURCE["GIT_DIR"]  # the source itself is left alone


def test_without_ports_the_outer_plans_ports_are_not_passed_on() -> None:
    from dataclasses import replace

    assert "PLANCTL_PORT_BASE" not in plan_environment(SOURCE, replace(VALUES, port_base=None))
