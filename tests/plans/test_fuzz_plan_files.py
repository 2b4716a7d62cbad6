"""Done-when 7: whatever a plan file holds ends in a plan or in clean problems, within seconds."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plans.catalog import Catalog
from plans.codes import Code
from plans.document import read_plan, tick
from plans.errors import InvalidPlansError, Problem, Severity, UnknownTaskError
from plans.ids import PlanId, TaskId
from plans.lint import lint
from plans.project import ProjectSettings
from plans.project_file import read_settings
from tests.plans.hostile import hostile, mutated
from tests.support.slices import seldom

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 5.0
KNOWN = frozenset(Code)


def check_problems(problems: tuple[Problem, ...], source: bytes, path: Path) -> None:
    lines = source.count(b"\n") + 1
    for problem in problems:
        assert 1 <= problem.line <= lines, problem
        assert problem.column >= 1, problem
        assert problem.path == path.as_posix()
        assert problem.code in KNOWN or problem.code.startswith("pattern-"), problem
        shown = str(problem) + problem.hint
        assert shown.isprintable(), repr(shown)
        assert len(shown) < 2000, problem
    assert len(problems) <= 102


@contextlib.contextmanager
def within_the_limit() -> Iterator[None]:
    """Processor time of this process: a busy machine does not count."""
    start = time.process_time()
    yield
    taken = time.process_time() - start
    assert taken < LIMIT, f"{taken:.2f} s"


def check_plan_file(source: bytes, path: Path) -> bool:
    """Everything that reads a plan file; whether it is a plan."""
    with within_the_limit():
        read = read_plan(path, source)
    check_problems(read.problems, source, path)
    assert (read.plan is None) == any(p.severity is Severity.ERROR for p in read.problems)
    with within_the_limit():
        ticked = tick_or_none(source, TaskId("1.1"))
    if read.plan:
        plan = read.plan
        assert PlanId.parse(plan.id) == plan.id
        assert plan.source == source
        assert (ticked is not None) == any(task.id == "1.1" for task in plan.tasks)
        catalog = Catalog({plan.id: plan}, read.problems)
        with within_the_limit():
            found = lint(catalog, ProjectSettings())
        check_problems(found, source, path)
        for task in plan.tasks[:2]:
            again = read_plan(path, tick(source, task.id, done=not task.done)).plan
            assert again
            assert again.digest == plan.digest
    return read.plan is not None


def tick_or_none(source: bytes, task: TaskId) -> bytes | None:
    try:
        return tick(source, task, done=True)
    except (InvalidPlansError, UnknownTaskError):
        return None


def check_settings(source: bytes) -> None:
    path = Path("planctl.yaml")
    with within_the_limit():
        read = read_settings(path, source)
    check_problems(read.problems, source, path)
    assert isinstance(read.settings, ProjectSettings)


def campaign(seeds: range, hostile_seeds: range) -> None:
    plans = 0
    for seed in seeds:
        source = mutated(seed)
        path = Path("plans/some.md" if source.startswith((b"---", b"\xef\xbb\xbf---")) else "plans/some.yaml")
        try:
            plans += check_plan_file(source, path)
            if seed % 4 == 0:
                check_settings(source)
        except BaseException as error:
            error.add_note(f"mutated({seed})")
            raise
    # Otherwise nothing but the first check was met.
    assert len(seeds) * 0.02 < plans < len(seeds) * 0.9
    for seed in hostile_seeds:
        source = hostile(seed)
        try:
            check_plan_file(b"---\n" + source + b"\n---\n- [ ] 1.1 x\n", Path("some.md"))
            check_plan_file(source, Path("some.yaml"))
            check_settings(source)
        except BaseException as error:
            error.add_note(f"hostile({seed})")
            raise


EFFECTS = frozenset(
    {"open", "os.mkdir", "os.rename", "os.remove", "subprocess.Popen", "os.system", "os.exec", "exec"}
    | {"os.posix_spawn", "os.fork", "socket.connect"}
)


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that the test reads makes planctl open a file or run anything."""
    monkeypatch.chdir(tmp_path)
    campaign(range(100), range(10))  # what is imported late is imported
    done: list[object] = []
    active = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active and event in EFFECTS:
            done.append((event, arguments[0]))

    sys.addaudithook(hook)
    yield
    active = False
    assert done == []
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("untouched")
def test_fuzz_a_slice() -> None:
    campaign(range(400), range(50))


@pytest.mark.usefixtures("untouched")
@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_fuzz_campaign() -> None:
    campaign(range(10_000, 30_000), range(10_000, 11_000))


@pytest.mark.parametrize(
    "source",
    [
        b"[" * 100_000,
        b"{" * 100_000,
        b"a: [" + b"x," * 32_000,
        b"9" * 100_000,
        b"k: 1\n" * 13_000,
        b"".join(b"key%d: 1\n" % n for n in range(5_000)),
        b'a: "' + b"\\u0041" * 10_000 + b'"',
        b"files: {write: [" + b"/x," * 20_000 + b"]}",
        *seldom(b"[" * 65_000, b"- " * 32_000, b"a: &a [" + b"&b [*a,*a]," * 5_000),
    ],
    ids=lambda s: f"{s[:12].decode()}-{len(s)}",
)
def test_the_well_known_bombs(source: bytes) -> None:
    assert not check_plan_file(b"---\n" + source + b"\n---\n", Path("some.md"))
    assert not check_plan_file(source, Path("some.yaml"))
    check_settings(source)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b" ",
        b"- [ ] ",
        b"- [ ] 1.1 x\n",
        b"#",
        b"## Phase 1: x\n",
        b"```\n",
        b"`",
        b"# ",
        b"- [x] 1",
        b"\r\n",
    ],
    ids=repr,
)
def test_bodies_of_a_mebibyte(line: bytes) -> None:
    check_plan_file((b"---\n---\n" + line * (1024 * 1024))[: 1024 * 1024], Path("some.md"))
