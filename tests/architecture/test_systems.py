"""S3.10: what differs between systems is asked in one place, and CI checks the three in the same way."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [p for room in ("plans", "worktrees", "orchestrator") for p in (ROOT / room).rglob("*.py")]
SYSTEMS = "plans/systems.py"
OF_PROCESSES = {
    "orchestrator/running/platforms.py": "processes as supervisors and watchdogs see them",
    "orchestrator/sessions/identity.py": "whether a session's process lives, below what runs commands",
    "orchestrator/sessions/ancestry.py": "the processes above a command",
    "orchestrator/running/memory.py": "what they take",
    "orchestrator/running/strays.py": "what they are called and where they stand, in one look at all",
    "orchestrator/running/ports.py": "whose ports they are",
    "orchestrator/services/ports.py": "who listens on one",
    "orchestrator/clock.py": "when the machine was booted",
}
QUESTIONS = {
    *("sys.platform", "os.name", "os.uname", "sys.getwindowsversion", "platform.system", "platform.uname"),
    *("platform.win32_ver", "platform.mac_ver", "platform.release"),
}
OF_ONE_SYSTEM = {
    *("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty", "posix", "crypt", "spwd"),
    *("msvcrt", "winreg", "winsound", "_winapi", "nt", "ctypes"),
}


def asked(path: Path) -> Iterator[str]:
    """The questions that a file asks, and the modules of one system that it imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if f"{node.value.id}.{node.attr}" in QUESTIONS:
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def who_asks(what: set[str]) -> dict[str, set[str]]:
    found = {path.relative_to(ROOT).as_posix(): what.intersection(asked(path)) for path in SOURCES}
    return {name: questions for name, questions in found.items() if questions}


def test_s3_10_which_system_this_is_is_asked_in_one_place() -> None:
    found = who_asks(QUESTIONS | OF_ONE_SYSTEM)
    one = found.pop(SYSTEMS)
    assert {"sys.platform", "os.name", "fcntl", "termios", "resource", "msvcrt", "winreg"} <= one
    assert found == {"orchestrator/running/platforms.py": {"ctypes"}}, "prctl(2), of Linux, for processes"


def test_s3_10_processes_of_other_systems_are_looked_at_in_named_places() -> None:
    assert who_asks({"psutil"}).keys() == OF_PROCESSES.keys()


def test_a_question_is_found_however_it_is_put(tmp_path: Path) -> None:
    """The search itself: by attribute, by import, inside a function, from a package."""
    file = tmp_path / "x.py"
    for line in (
        "x = os.name",
        "from sys import platform",
        "def f():\n    import fcntl",
        "import ctypes.util",
    ):
        file.write_text(line)
        assert (QUESTIONS | OF_ONE_SYSTEM).intersection(asked(file)), line
    file.write_text("import os\nx = os.path, node.name")
    assert not (QUESTIONS | OF_ONE_SYSTEM).intersection(asked(file))


def workflow(name: str) -> Any:
    return yaml.safe_load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))


def steps(job: Any) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def make(line: str) -> tuple[list[str], dict[str, str]]:
    """The targets and the variables of a line that calls make."""
    program, *words = shlex.split(line)
    assert program == "make", line
    variables = dict(word.split("=", 1) for word in words if "=" in word)
    return [word for word in words if "=" not in word], variables


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_s3_10_ci_checks_the_three_systems_with_what_a_clean_clone_is_checked_with() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in script if line.startswith("make ")]
    job = workflow("ci.yml")["jobs"]["check"]
    assert set(job["strategy"]["matrix"]["os"]) == {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert job["runs-on"] == "${{ matrix.os }}"
    (step,) = [step for step in job["steps"] if step.get("run", "").startswith("make ")]
    assert step.keys() == {"run"}, "under no condition, and what fails of it fails the job"
    check = step["run"]
    assert make(check)[0] == make(line)[0] == ["check"]
    assert make(check)[1]["RUN"] == ".venv/$BIN", "programs are elsewhere in a Windows environment"
    assert "windows-latest" in job["env"]["BIN"]


@pytest.mark.parametrize("name", ["ci.yml", "stress.yml"])
def test_s3_10_every_job_of_ci_calls_what_the_makefile_has(name: str) -> None:
    jobs = workflow(name)["jobs"]
    for job in jobs.values():
        called = [make(line) for step in steps(job) for line in step.splitlines() if line.startswith("make ")]
        own = [(goals, known) for goals, known in called if "-C" not in goals]
        assert own, "it checks nothing of ours"
        for goals, known in own:
            assert set(goals) <= targets()
            assert known["PYTHON"] == "python"
