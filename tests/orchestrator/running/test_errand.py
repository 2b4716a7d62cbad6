"""Short commands: all of them dies in time, and their words are kept to one line."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.running.errand import Errand, Ran, run_errand
from orchestrator.running.platforms import find_process

pytestmark = pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")


def errand(tmp_path: Path, script: str, stdin: bytes = b"") -> Errand:
    return Errand(("sh", "-c", script), stdin, dict(os.environ), tmp_path, 60.0)


def test_s4_8_all_of_stdin_arrives_and_only_the_last_line_is_kept(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    ran = run_errand(
        errand(tmp_path, "cat > got; yes no | head -n 100000; printf '\\033[31mlast\\n\\n'", data), never
    )
    assert ran == Ran(0, "last")
    assert (tmp_path / "got").read_bytes() == data


def test_s4_8_what_reads_nothing_blocks_nobody(tmp_path: Path) -> None:
    assert run_errand(errand(tmp_path, "exit 4", b"x" * 1_000_000), never) == Ran(4, "")


@pytest.mark.parametrize("ending", ["wait", "exit 0"])
def test_s4_8_its_children_die_with_it_also_those_that_ignore_term(tmp_path: Path, ending: str) -> None:
    """Whether it runs out of time or ends and leaves them."""
    pid = tmp_path / "pid"
    script = f"trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo $! > pid; {ending}"
    ran = run_errand(errand(tmp_path, script), lambda: pid.exists() and ending == "wait")
    assert ran.timed_out == (ending == "wait")
    assert wait_for(lambda: pid.read_text() and find_process(int(pid.read_text())) is None)


def test_s4_8_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    ran = run_errand(Errand(("/no/such",), b"", {}, tmp_path, 1.0), never)
    assert (ran.exit_code, ran.timed_out) == (None, False)
    assert "No such file" in ran.output
    gone = run_errand(Errand((sys.executable,), b"", {}, tmp_path / "gone", 1.0), never)
    assert gone.exit_code is None


def never() -> bool:
    return False


def wait_for(holds: Callable[[], object]) -> bool:
    """A killed process is seen by others a moment later."""
    return any(holds() or threading.Event().wait(0.01) for _ in range(3000))
