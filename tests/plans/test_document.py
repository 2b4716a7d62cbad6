"""A plan file becomes a plan; a task is ticked and every other byte stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plans.document import read_plan, save_tick, tick
from plans.errors import InvalidPlansError, UnknownTaskError
from plans.ids import PhaseId, PlanId, TaskId
from plans.model import Dependency, Manifest, Phase, Plan, Run, Task, Until
from plans.patterns import PatternSet

FULL = """\
---
plan: auth-impl
title: Token based sign-in
priority: high                 # critical | high | medium | low, or a number
branch: feature/auth
base: develop
dependencies:
  - core-refactoring
  - {plan: api, phase: 2}
  - {plan: schema, status: finished}
  - {plan: one, status: landed}
  - {plan: two, status: completed}
  - {plan: three, status: started}
  - meta.phase-3
  - a.b.phase2.1
  - {plan: odd.phase2}
files:
  write: ["src/auth/**", "tests/auth/**", "!src/auth/generated/**"]
  read: src/core/*.py
resources: {db: 1, "port:8080": 1}
conflicts_with: [billing]
labels: [python, backend]
run: {agent: claude, prompt: Do it, tty: true}
check: make test-auth
timeout: 1h30m
retries: 1
phases:
  - {name: 1, title: The model, files: {write: [src/auth/model.py]}, run: make model, resources: {db: 1}}
  - {name: "2", files: {write: []}}
---
# Another title

## Phase 1: Model
- [ ] 1.1 Add the token table
* [x] 1.2: Sketch the API
  - [X] 1.2.1 nested

```python
- [ ] 9.9 not a task
## Phase 9: no phase
```
### Details of it
- [ ] 1.3 still in phase 1

## Phase 3 — Only here
- [ ] 3. Last
## Notes
- [ ] 2.1 By its number
- [ ] 7.1 Nowhere
"""


def plan_of(text: str | bytes, name: str = "plans/some.md") -> Plan:
    read = read_plan(Path(name), text.encode() if isinstance(text, str) else text)
    assert read.plan, read.problems
    return read.plan


def patterns(*texts: str) -> PatternSet:
    return PatternSet.parse(texts)


def test_s2_5_every_key_of_the_header() -> None:
    plan = plan_of(FULL)
    assert (plan.id, plan.title, plan.priority) == ("auth-impl", "Token based sign-in", 75)
    assert (plan.branch, plan.base, plan.path) == ("feature/auth", "develop", Path("plans/some.md"))
    assert plan.dependencies == (
        Dependency(PlanId("core-refactoring")),
        Dependency(PlanId("api"), Until.PHASE, PhaseId("2")),
        Dependency(PlanId("schema"), Until.FINISHED),
        Dependency(PlanId("one"), Until.LANDED),
        Dependency(PlanId("two"), Until.LANDED),
        Dependency(PlanId("three"), Until.STARTED),
        Dependency(PlanId("meta"), Until.PHASE, PhaseId("3")),
        Dependency(PlanId("a.b"), Until.PHASE, PhaseId("2.1")),
        Dependency(PlanId("odd.phase2"), Until.LANDED),
    )
    write = patterns("src/auth/**", "tests/auth/**", "!src/auth/generated/**")
    assert plan.manifest == Manifest(write, patterns("src/core/*.py"))
    assert plan.resources == {"db": 1, "port:8080": 1}
    assert (plan.conflicts_with, plan.labels) == (("billing",), ("python", "backend"))
    assert plan.run == Run(agent="claude", prompt="Do it", tty=True)
    assert (plan.check, plan.timeout, plan.retries) == ("make test-auth", 5400, 1)
    assert plan.source == FULL.encode()
    assert plan.body == FULL.split("---\n", 2)[2]


def test_phases_and_tasks_of_header_and_body() -> None:
    plan = plan_of(FULL)
    model = Manifest(patterns("src/auth/model.py"))
    assert plan.phases == (
        Phase(PhaseId("1"), "The model", model, Run(command="make model"), {"db": 1}),
        Phase(PhaseId("2"), "", Manifest()),
        Phase(PhaseId("3"), "Only here"),
    )
    lines = FULL.splitlines()
    assert [(t.id, t.title, t.done, t.phase) for t in plan.tasks] == [
        ("1.1", "Add the token table", False, "1"),
        ("1.2", "Sketch the API", True, "1"),
        ("1.2.1", "nested", True, "1"),
        ("1.3", "still in phase 1", False, "1"),
        ("3", "Last", False, "3"),
        ("2.1", "By its number", False, "2"),
        ("7.1", "Nowhere", False, None),
    ]
    assert all(task.title in lines[task.line - 1] for task in plan.tasks)


def test_what_is_not_said_has_its_default() -> None:
    plan = plan_of("---\n---\n")
    assert plan == Plan(
        PlanId("some"), "some", Path("plans/some.md"), b"---\n---\n", plan.digest, branch="plan/some"
    )
    assert plan.manifest is None
    assert plan_of("---\nfiles: {}\n---\n").manifest == Manifest()
    assert plan_of("---\n---\n# The heading #\n").title == "The heading"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2h", 7200), ("1d2h3m4s", 93784), ("45", 45), ("1.5", 1.5), ("007m", 420)],
)
def test_durations(text: str, seconds: float) -> None:
    assert plan_of(f"---\ntimeout: {text}\n---\n").timeout == seconds


@pytest.mark.parametrize(
    ("text", "value"), [("critical", 100), ("low", 25), ("7", 7), ("-2.5", -2.5), ('"60"', 60)]
)
def test_priorities(text: str, value: float) -> None:
    assert plan_of(f"---\npriority: {text}\n---\n").priority == value


def test_scalars_are_what_they_look_like() -> None:
    plan = plan_of(
        "---\nplan: 1.10\ntitle: yes\nlabels: [0x1F, 1_000, 2024-01-01]\nrun: 2:30\n---\n".replace(
            "1_000, ", ""
        )
    )
    assert (plan.id, plan.title, plan.labels) == ("1.10", "yes", ("0x1F", "2024-01-01"))
    assert plan.run == Run(command="2:30")


def test_a_run_of_several_lines_is_kept() -> None:
    assert plan_of("---\nrun: |\n  make a\n  make b\n---\n").run == Run(command="make a\nmake b\n")


YAML_FORM = """\
---
plan: whole
body: |

  # A title
  ## Phase 1: One
  - [x] 1.1 done

  - [ ] 1.2 open
run: make
"""


def test_a_plan_in_yaml() -> None:
    plan = plan_of(YAML_FORM, "a.yaml")
    assert (plan.id, plan.title, plan.run) == ("whole", "A title", Run(command="make"))
    assert plan.tasks == (
        Task(TaskId("1.1"), "done", done=True, phase=PhaseId("1"), line=7),
        Task(TaskId("1.2"), "open", done=False, phase=PhaseId("1"), line=9),
    )
    assert tick(YAML_FORM.encode(), TaskId("1.2"), done=True) == YAML_FORM.replace("[ ]", "[x]").encode()


@pytest.mark.parametrize("form", [FULL, YAML_FORM], ids=["markdown", "yaml"])
@pytest.mark.parametrize("shape", [str, lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n")])
def test_a_tick_changes_one_byte_and_not_the_plan(form: str, shape: object) -> None:
    assert callable(shape)
    source: bytes = shape(form).encode()
    name = "a.md" if form is FULL else "a.yaml"
    plan = plan_of(source, name)
    assert plan.digest == plan_of(form, name).digest
    for task in plan.tasks:
        ticked = tick(source, task.id, done=not task.done)
        assert sum(a != b for a, b in zip(source, ticked, strict=True)) == 1
        again = plan_of(ticked, name)
        assert [t.id for t in again.tasks if t.done != next(o.done for o in plan.tasks if o.id == t.id)] == [
            task.id
        ]
        assert again.digest == plan.digest
        assert tick(ticked, task.id, done=not task.done) == ticked
        # "[X]" comes back as "[x]"
        assert tick(ticked, task.id, done=task.done).lower() == source.lower()


def test_the_digest_is_that_of_the_work() -> None:
    digests = {plan_of(text).digest for text in (FULL, FULL.replace("make test", "make all"), FULL + "x")}
    assert len(digests) == 3


def test_ticking_what_is_not_there() -> None:
    with pytest.raises(UnknownTaskError) as caught:
        tick(FULL.encode(), TaskId("9.9"), done=True)
    assert caught.value.known == ("1.1", "1.2", "1.2.1", "1.3", "3", "2.1", "7.1")
    for source in (b"\xff", b"x" * 2_000_000):
        with pytest.raises(InvalidPlansError):
            tick(source, TaskId("1.1"), done=True)
    for source in (b"", b"a: [", b"- a", b"body: text", b"---\nplan: a\n"):
        with pytest.raises(UnknownTaskError):
            tick(source, TaskId("1.1"), done=True)


def test_s2_12_a_tick_is_saved_whole(tmp_path: Path) -> None:
    real = tmp_path / "real.md"
    real.write_bytes(FULL.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    link = tmp_path / "link.md"
    link.symlink_to(real)
    assert save_tick(link, TaskId("1.1"), done=True)
    assert not save_tick(link, TaskId("1.1"), done=True)
    assert link.is_symlink()
    assert real.read_bytes() == FULL.replace("[ ] 1.1", "[x] 1.1").replace("\n", "\r\n").encode()
    assert os.name == "nt" or real.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.md", "real.md"]


def test_fences_of_markdown() -> None:
    body = (
        "~~~~ text\n- [ ] 1 a\n~~~\n- [ ] 2 b\n~~~~\n- [ ] 3 c\n``` a`b\n- [ ] 4 d\n"
        "  ```\n- [ ] 5 e\n``` no end\n- [ ] 6 f\n````\n- [ ] 7 g\n"
    )
    assert [t.id for t in plan_of("---\n---\n" + body).tasks] == ["3", "4", "7"]
