"""Every problem code, each from the smallest input that has it, with its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plans import project_file
from plans.catalog import build_catalog, load_catalog
from plans.codes import Code
from plans.document import is_plan_file, read_plan
from plans.errors import Severity
from plans.lint import NOTHING, Existing, lint
from plans.project import ProjectSettings
from plans.project_file import read_settings

if TYPE_CHECKING:
    from plans.errors import Problem


def header(text: str) -> bytes:
    return f"---\n{text}\n---\n".encode()


# source, then code, line, column and field of the one problem that is an error or warning
FILE_CASES: list[tuple[str, bytes, str, int, int, str]] = [
    ("file too large", b"---\n---\n" + b"x" * 1024 * 1024, Code.FILE_TOO_LARGE, 1, 1, ""),
    ("latin-1", b"---\ntitle: caf\xe9\n---\n", Code.NOT_UTF8, 2, 11, ""),
    ("utf-16", "---\nplan: a\n---\n".encode("utf-16"), Code.NOT_UTF8, 1, 1, ""),
    ("nul", b"---\nplan: a\0b\n---\n", Code.CONTROL_CHARACTER, 2, 8, ""),
    ("escape in the body", b"---\n---\nab\x1b[2J\n", Code.CONTROL_CHARACTER, 3, 3, ""),
    ("bare carriage return", b"---\nplan: a\rrun: b\n---\n", Code.CONTROL_CHARACTER, 2, 8, ""),
    ("turned writing", "---\nrun: a \u202e b\n---\n".encode(), Code.CONTROL_CHARACTER, 2, 8, ""),
    ("escaped nul", header('run: "a\\0b"'), Code.CONTROL_CHARACTER, 2, 6, ""),
    ("escaped half a character", header('run: "\\ud800"'), Code.CONTROL_CHARACTER, 2, 6, ""),
    ("no header", b"# Title\n", Code.NO_HEADER, 1, 1, ""),
    ("never closed", b"---\nplan: a\n", Code.HEADER_NOT_CLOSED, 1, 1, ""),
    ("only the first line", b"---", Code.HEADER_NOT_CLOSED, 1, 1, ""),
    ("header too large", header("title: " + "9" * 100_000), Code.HEADER_TOO_LARGE, 2, 1, ""),
    ("a list", header("- a"), Code.HEADER_NOT_MAPPING, 2, 1, ""),
    ("a word", header("plan"), Code.HEADER_NOT_MAPPING, 2, 1, ""),
    ("not yaml", header("a: b: c"), Code.YAML_SYNTAX, 2, 5, ""),
    ("directive", header("%YAML 1.1"), Code.YAML_SYNTAX, 3, 1, ""),
    ("huge version", header("%YAML " + "9" * 9000 + ".1"), Code.YAML_SYNTAX, 2, 1, ""),
    ("past unicode", header('run: "\\UFFFFFFFF"'), Code.YAML_SYNTAX, 2, 1, ""),
    ("alias", header("files: {write: *a}"), Code.YAML_ALIAS, 2, 16, ""),
    ("anchor", header("title: &a b"), Code.YAML_ANCHOR, 2, 8, ""),
    ("tag", header("title: !!python/name:os.system x"), Code.YAML_TAG, 2, 8, ""),
    ("unquoted !", header("files:\n  write:\n    - !src/** x"), Code.YAML_TAG, 4, 7, ""),
    ("deep", header("[" * 60_000), Code.YAML_TOO_DEEP, 2, 51, ""),
    ("many events", header("labels: [" + "a," * 20_001 + "]"), Code.YAML_TOO_LONG, 2, 40000, ""),
    ("two documents", header("plan: a\n...\n%TAG ! !\n--- b"), Code.YAML_DOCUMENTS, 4, 1, ""),
    ("duplicate key", header("plan: a\nplan: b"), Code.DUPLICATE_KEY, 3, 1, ""),
    ("list as key", header("? [a]\n: b"), Code.KEY_NOT_TEXT, 2, 5, ""),
    ("unknown key", header("prioirty: high"), Code.UNKNOWN_KEY, 2, 1, "prioirty"),
    ("unknown key below", header("files: {writes: a}"), Code.UNKNOWN_KEY, 2, 9, "files.writes"),
    ("body in markdown", header("body: x"), Code.UNKNOWN_KEY, 2, 1, "body"),
    (
        "no plan in dependency",
        header("dependencies:\n- {phase: 1}"),
        Code.MISSING_KEY,
        3,
        3,
        "dependencies[0]",
    ),
    ("run without either", header("run: {tty: true}"), Code.MISSING_KEY, 2, 6, "run"),
    ("run with both", header("run: {command: a, agent: b}"), Code.CONFLICTING_KEYS, 2, 6, "run"),
    ("prompt for a command", header("run: {command: a, prompt: b}"), Code.CONFLICTING_KEYS, 2, 6, "run"),
    (
        "phase and started",
        header("dependencies: {plan: b, phase: 1, status: started}"),
        Code.CONFLICTING_KEYS,
        2,
        15,
        "dependencies",
    ),
    ("list for text", header("title: [a]"), Code.WRONG_TYPE, 2, 8, "title"),
    ("mapping for text", header("title: {a: b}"), Code.WRONG_TYPE, 2, 8, "title"),
    ("text for mapping", header("files: src"), Code.WRONG_TYPE, 2, 8, "files"),
    ("empty", header("check:"), Code.EMPTY_VALUE, 2, 7, "check"),
    ("null", header("files: ~"), Code.EMPTY_VALUE, 2, 8, "files"),
    ("lines", header('title: "a\\nb"'), Code.NOT_ONE_LINE, 2, 8, "title"),
    ("option as id", header("plan: --force"), Code.BAD_ID, 2, 7, "plan"),
    ("path as id", header("plan: a/../b"), Code.BAD_ID, 2, 7, "plan"),
    ("dots in id", header("plan: a..b"), Code.BAD_ID, 2, 7, "plan"),
    ("lock as id", header("plan: a.lock"), Code.BAD_ID, 2, 7, "plan"),
    ("phase id", header("phases: [{name: a b}]"), Code.BAD_ID, 2, 17, "phases[0].name"),
    ("branch", header("branch: -x"), Code.BAD_BRANCH, 2, 9, "branch"),
    ("base", header("base: HEAD~3"), Code.BAD_BRANCH, 2, 7, "base"),
    ("label", header("labels: [a b]"), Code.BAD_NAME, 2, 10, "labels[0]"),
    ("retries", header("retries: -1"), Code.BAD_NUMBER, 2, 10, "retries"),
    ("huge number", header("priority: " + "9" * 60_000), Code.BAD_NUMBER, 2, 11, "priority"),
    ("infinite", header("priority: .inf"), Code.BAD_NUMBER, 2, 11, "priority"),
    ("zero of a resource", header("resources: {db: 0}"), Code.BAD_NUMBER, 2, 17, "resources.db"),
    ("date as timeout", header("timeout: 2024-13-45"), Code.BAD_DURATION, 2, 10, "timeout"),
    ("clock as timeout", header("timeout: 2:30"), Code.BAD_DURATION, 2, 10, "timeout"),
    ("no time at all", header("timeout: 0"), Code.BAD_DURATION, 2, 10, "timeout"),
    ("more than a year", header("timeout: 999999999h"), Code.BAD_DURATION, 2, 10, "timeout"),
    (
        "status",
        header("dependencies: {plan: b, status: done}"),
        Code.BAD_CHOICE,
        2,
        33,
        "dependencies.status",
    ),
    ("tty", header("run: {command: a, tty: yes}"), Code.BAD_CHOICE, 2, 24, "run.tty"),
    ("long title", header("title: " + "x" * 301), Code.TEXT_TOO_LONG, 2, 8, "title"),
    ("same twice", header("labels:\n- a\n- b\n- a"), Code.DUPLICATE_VALUE, 5, 3, "labels[2]"),
    ("pattern", header("files: {write: [a, b, ../c]}"), "pattern-parent", 2, 23, "files.write[2]"),
    (
        "phase pattern",
        header("phases: [{name: 1, files: {read: ../c}}]"),
        "pattern-parent",
        2,
        34,
        "phases[0].files.read",
    ),
    (
        "same phase",
        header("phases: [{name: 1}, {name: 1, title: b}]"),
        Code.DUPLICATE_PHASE,
        2,
        21,
        "phases[1]",
    ),
    ("same heading", b"---\n---\n## Phase 1: a\n## Phase 1: b\n", Code.DUPLICATE_PHASE, 4, 1, ""),
    ("endless body", b"---\n---\n" + b"- [ ] x\n" * 10_001, Code.BODY_TOO_LONG, 10_003, 1, ""),
    ("same task", b"---\n---\n- [ ] 1.1 a\n- [x] 1.1 b\n", Code.DUPLICATE_TASK, 4, 1, ""),
]


@pytest.mark.parametrize(
    ("source", "code", "line", "column", "field"), [c[1:] for c in FILE_CASES], ids=[c[0] for c in FILE_CASES]
)
def test_one_problem_of_one_file(source: bytes, code: str, line: int, column: int, field: str) -> None:
    read = read_plan(Path("plans/some.md"), source)
    found = [p for p in read.problems if p.severity is not Severity.HINT]
    assert [(p.code, p.line, p.column, p.field) for p in found[-1:]] == [(code, line, column, field)]
    assert (read.plan is None) == any(p.severity is Severity.ERROR for p in found)
    assert all(p.path == "plans/some.md" and p.message and "\n" not in p.message for p in found)
    assert all(len(p.message) < 400 for p in found)


def codes(problems: tuple[Problem, ...]) -> list[str]:
    return [p.code for p in problems]


def test_all_problems_of_a_header_at_once() -> None:
    source = header('plan: A\npriority: hihg\nfiles: {write: [../a, ok, /b]}\nretrys: 1\nrun: ""\ntimeout: x')
    read = read_plan(Path("some.md"), source)
    assert sorted(p.field for p in read.problems) == [
        "files.write[0]",
        "files.write[2]",
        "plan",
        "priority",
        "retrys",
        "run",
        "timeout",
    ]
    assert next(p.hint for p in read.problems if p.field == "retrys") == "did you mean 'retries'?"


def test_a_file_with_very_many_problems_shows_the_first_hundred() -> None:
    read = read_plan(Path("some.md"), header("".join(f"k{n}: 1\n" for n in range(5000))))
    assert len(read.problems) == 101
    assert Code.TOO_MANY_PROBLEMS in codes(read.problems)
    assert read.plan is None


def test_what_is_invisible_is_shown_in_messages() -> None:
    read = read_plan(Path("some.md"), header("res\ufeffources: {db: 1}"))
    assert [p.message for p in read.problems] == ["the key 'res\\ufeffources' is not known here"]


def test_a_name_that_is_no_id_is_told_how_to_name_one() -> None:
    read = read_plan(Path("My Plan.md"), header("title: x"))
    assert [(p.code, p.hint) for p in read.problems] == [(Code.BAD_ID, "add 'plan: my-plan' to the header")]
    assert read_plan(Path("My Plan.md"), header("plan: mine")).plan


def test_tasks_in_yaml_need_a_literal_block() -> None:
    read = read_plan(Path("a.yaml"), b'body: "- [ ] 1.1 a\\n"\n')
    assert codes(read.problems) == [Code.BODY_NOT_LITERAL]
    assert read_plan(Path("a.yaml"), b"body: no tasks here\n").plan
    phases = b'body: "## Phase 1: a\\n\\n\\n## Phase 1: b"\n'
    assert [(p.code, p.line) for p in read_plan(Path("a.yaml"), phases).problems] == [
        (Code.BODY_NOT_LITERAL, 1)
    ]


def test_the_digest_of_a_body_in_quotes_is_of_every_byte() -> None:
    digests = set()
    for letter in b"abcdefgh":
        made = read_plan(Path("a.yaml"), b"run: abc" + bytes([letter]) + b'efg\nbody: "     - [ ] x"\n').plan
        assert made
        digests.add(made.digest)
    assert len(digests) == 8


def test_hints_do_not_stop_a_plan() -> None:
    read = read_plan(Path("a.md"), b"---\nphases: [{name: 1}]\n---\n## Phase 2: b\n- [ ] buy milk\n")
    assert codes(read.problems) == [Code.PHASE_NOT_IN_HEADER, Code.TASK_WITHOUT_NUMBER]
    assert read.plan


def linted(
    *files: tuple[str, str], settings: ProjectSettings | None = None, existing: Existing = NOTHING
) -> list[Problem]:
    quiet = {"run": "run: make\n", "files": "files: {write: []}\n"}
    sources = []
    for name, text in files:
        extra = "".join(line for key, line in quiet.items() if f"{key}:" not in text)
        sources.append((Path(name), header(text + "\n" + extra)))
    return list(lint(build_catalog(sources), settings or ProjectSettings(), existing))


EXISTING = Existing(("app/[id]/page.tsx", "README.md", "li nk"), ("li nk",))
LINT_CASES: list[tuple[str, list[tuple[str, str]], str, int, int, str]] = [
    ("same id", [("a.md", "title: x"), ("b.md", "plan: a")], Code.DUPLICATE_ID, 1, 1, "plan"),
    ("same branch", [("a.md", "branch: x"), ("b.md", "branch: x")], Code.DUPLICATE_BRANCH, 2, 9, "branch"),
    ("folder of branch", [("a.md", "branch: x/y"), ("b.md", "branch: x")], Code.BRANCH_CLASH, 2, 9, "branch"),
    ("target", [("a.md", "branch: main")], Code.BRANCH_IS_TARGET, 2, 9, "branch"),
    ("unknown", [("a.md", "dependencies:\n- b")], Code.UNKNOWN_DEPENDENCY, 3, 3, "dependencies[0]"),
    ("itself", [("a.md", "dependencies: a")], Code.SELF_DEPENDENCY, 2, 15, "dependencies"),
    (
        "circle",
        [("b.md", "dependencies: [c]"), ("c.md", "dependencies: [a]"), ("a.md", "dependencies: [b]")],
        Code.DEPENDENCY_CYCLE,
        2,
        16,
        "dependencies[0]",
    ),
    (
        "no such phase",
        [("a.md", "dependencies: [b.phase2]"), ("b.md", "phases: [{name: 1}]")],
        Code.UNKNOWN_PHASE,
        2,
        16,
        "dependencies[0]",
    ),
    (
        "phase without run",
        [("a.md", "dependencies: [b.phase-1]"), ("b.md", "phases: [{name: 1}]")],
        Code.PHASE_WITHOUT_RUN,
        2,
        16,
        "dependencies[0]",
    ),
    (
        "phase or plan",
        [("a.md", "dependencies: [b.phase1]"), ("b.md", "phases: [{name: 1, run: x}]"), ("b.phase1.md", "")],
        Code.AMBIGUOUS_DEPENDENCY,
        2,
        16,
        "dependencies[0]",
    ),
    (
        "unknown conflict",
        [("a.md", "conflicts_with: [b]")],
        Code.UNKNOWN_CONFLICT,
        2,
        18,
        "conflicts_with[0]",
    ),
    ("own conflict", [("a.md", "conflicts_with: a")], Code.SELF_CONFLICT, 2, 17, "conflicts_with"),
    ("too much", [("a.md", "resources: {db: 3}")], Code.RESOURCE_OVER_CAPACITY, 2, 17, "resources.db"),
    (
        "too much of one",
        [("a.md", "resources: {gpu: 2}")],
        Code.RESOURCE_OVER_CAPACITY,
        2,
        18,
        "resources.gpu",
    ),
    ("no capacity", [("a.md", "resources: {gpu: 1}")], Code.UNKNOWN_RESOURCE, 2, 18, "resources.gpu"),
    (
        "phase wants too much",
        [("a.md", "phases: [{name: 1, resources: {db: 3}}]")],
        Code.RESOURCE_OVER_CAPACITY,
        2,
        36,
        "phases[0].resources.db",
    ),
    ("agent", [("a.md", "run: {agent: b}")], Code.UNKNOWN_AGENT, 2, 14, "run.agent"),
    (
        "phase files only",
        [("a.md", "phases: [{name: 1, files: {write: x}}]")],
        Code.PHASE_FILES_ONLY,
        2,
        27,
        "phases[0].files",
    ),
    (
        "phase beyond",
        [("a.md", "files: {write: [src/x.py]}\nphases: [{name: 1, files: {write: ['src/*.py']}}]")],
        Code.PHASE_BEYOND_PLAN,
        3,
        27,
        "phases[0].files",
    ),
    ("bracket", [("a.md", 'files: {write: ["app/[id]/**"]}')], Code.BRACKET_LITERAL, 2, 17, "files.write[0]"),
    ("link", [("a.md", "files: {write: [src, li nk/x]}")], Code.BEYOND_SYMLINK, 2, 22, "files.write[1]"),
    ("text", [("a.md", "files: {write: [src]}\n---\nSee README.md")], Code.UNDECLARED_FILE, 2, 8, "files"),
]


@pytest.mark.parametrize(
    ("files", "code", "line", "column", "field"), [c[1:] for c in LINT_CASES], ids=[c[0] for c in LINT_CASES]
)
def test_one_problem_of_several_plans(
    files: list[tuple[str, str]], code: str, line: int, column: int, field: str
) -> None:
    settings = ProjectSettings(resources={"db": 2})
    if code == Code.PHASE_FILES_ONLY:
        sources = [(Path(name), header(text + "\nrun: x")) for name, text in files]
        found = list(lint(build_catalog(sources), settings))
    else:
        found = linted(*files, settings=settings, existing=EXISTING)
    assert (code, line, column, field, "a.md", "a") in [
        (p.code, p.line, p.column, p.field, p.path, p.plan) for p in found
    ]


@pytest.mark.parametrize(
    ("whole", "narrowed"),
    [
        ("[src]", "[src/a.py, 'src/**/b']"),
        ("['**/*.py', docs/]", "[a.py, docs/x]"),
        ("[src, '!src/x']", "[y]"),
    ],
)
def test_a_phase_within_its_plan_is_well_and_of_exclusions_nothing_is_said(whole: str, narrowed: str) -> None:
    text = f"files: {{write: {whole}}}\nphases: [{{name: 1, run: x, files: {{write: {narrowed}}}}}]"
    assert Code.PHASE_BEYOND_PLAN not in {problem.code for problem in linted(("a.md", text))}


def test_cycles_are_named_in_order() -> None:
    files = [("b.md", "dependencies: [c]"), ("c.md", "dependencies: [a]"), ("a.md", "dependencies: [b]")]
    other = [
        ("x.md", "dependencies: [{plan: y, phase: 1}]"),
        ("y.md", "dependencies: [x]\nphases: [{name: 1, run: z}]"),
    ]
    messages = [p.message for p in linted(*files, *other)]
    assert messages == ["plans wait for each other: a → b → c → a", "plans wait for each other: x → y → x"]


@pytest.mark.parametrize("said", ["bad id", "", "[a]", "../x"])
def test_a_file_whose_header_names_no_valid_id_has_none(said: str) -> None:
    """Nor that of its name: the header was to name another one."""
    read = read_plan(Path("a.md"), header(f"plan: {said}"))
    assert read.id is None
    assert {(p.plan, p.field) for p in read.problems} == {(None, "plan")}
    assert read_plan(Path("a.md"), header("retries: x")).id == "a"


def test_a_dependency_on_a_broken_plan_is_not_called_unknown() -> None:
    found = linted(("a.md", "dependencies: [b]"), ("b.md", "retries: x"))
    assert [(p.path, p.code) for p in found] == [("b.md", Code.BAD_NUMBER)]


def test_no_run_and_no_manifest_are_hints() -> None:
    found = lint(build_catalog([(Path("a.md"), header("title: x"))]), ProjectSettings())
    assert [(p.code, p.severity) for p in found] == [
        (Code.NO_MANIFEST, Severity.HINT),
        (Code.NO_RUN, Severity.HINT),
    ]


def test_a_good_set_of_plans_has_no_problems() -> None:
    assert not linted(("a.md", "plan: a"), ("b.md", "dependencies: [a]"))


SETTINGS_CASES = [
    ("plans: [../x]", Code.BAD_PATH, "plans[0]"),
    ("hot_files: {../x: union}", Code.BAD_PATH, "hot_files.../x"),
    ("hot_files: {'*.md': union}", Code.BAD_PATH, "hot_files.*.md"),
    ("hot_files: {src/.gitattributes: union}", Code.BAD_PATH, "hot_files.src/.gitattributes"),
    ("hot_files: {a: regenerate}", Code.BAD_CHOICE, "hot_files.a"),
    ("hot_files: {a: {}}", Code.MISSING_KEY, "hot_files.a"),
    ("hot_files: {a: {regenerate: x, fragment: b}}", Code.CONFLICTING_KEYS, "hot_files.a"),
    ("hot_files: {a: {fragment: ../b}}", Code.BAD_PATH, "hot_files.a.fragment"),
    ("copy: /etc/passwd", Code.BAD_PATH, "copy"),
    ("pool: {disk_floor: big}", Code.BAD_SIZE, "pool.disk_floor"),
    ("remote: --upload-pack=x", Code.BAD_NAME, "remote"),
    ("check_env: [A=B]", Code.BAD_NAME, "check_env[0]"),
    ("method: octopus", Code.BAD_CHOICE, "method"),
    ("verdict_ttl: soon", Code.BAD_DURATION, "verdict_ttl"),
    ("jobs: -1", Code.BAD_NUMBER, "jobs"),
    ("targt: main", Code.UNKNOWN_KEY, "targt"),
    ("rate_limits: {phrases: {a: 'a*b'}}", Code.BAD_PHRASE, "rate_limits.phrases.a"),
    ("agents: {a: }", Code.EMPTY_VALUE, "agents.a"),
    ('notify: {a: {webhook: "ftp://x"}}', Code.BAD_URL, "notify.a.webhook"),
    ("- a", Code.HEADER_NOT_MAPPING, ""),
    ("a: [", Code.YAML_SYNTAX, ""),
]


@pytest.mark.parametrize(("text", "code", "field"), SETTINGS_CASES, ids=[c[0] for c in SETTINGS_CASES])
def test_one_problem_of_the_settings(text: str, code: str, field: str) -> None:
    read = read_settings(Path("planctl.yaml"), text.encode())
    assert [(p.code, p.field, p.path) for p in read.problems] == [(code, field, "planctl.yaml")]
    assert read.settings == ProjectSettings()


NOT_YET = {
    "store": "/var/state",
    "executor": "dask",
}


@pytest.mark.parametrize(("key", "value"), NOT_YET.items())
def test_a_key_without_effect_in_this_version_is_a_warning_at_its_line(key: str, value: str) -> None:
    (problem,) = read_settings(Path("planctl.yaml"), f"jobs: 2\n{key}: {value}\n".encode()).problems
    assert (problem.code, problem.field, problem.line) == (Code.NO_EFFECT, key, 2)
    assert problem.severity is Severity.WARNING
    assert "has no effect in this version" in problem.message


def test_a_key_without_effect_that_says_what_is_so_anyhow_is_none() -> None:
    assert not read_settings(Path("planctl.yaml"), b"executor: local\n").problems
    assert set(NOT_YET) == set(project_file.NOT_YET)


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are made in the way of POSIX")
def test_what_lies_in_a_folder_of_plans_is_not_trusted(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "plans").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_bytes(header("plan: secret"))
    (root / "plans" / "link.md").symlink_to(tmp_path / "outside" / "secret.md")
    (root / "plans" / "folder").symlink_to(tmp_path / "outside")
    (root / "plans" / "circle.md").symlink_to("circle.md")
    (root / "plans" / "gone.md").symlink_to("nowhere.md")
    (root / "plans" / "good.md").write_bytes(header("title: good"))
    (root / "plans" / "twin.md").symlink_to("good.md")
    (root / "plans" / "folder.md").mkdir()
    (root / "plans" / "note.md").write_text("no header\n")
    os.mkfifo(root / "plans" / "pipe.md")
    catalog = load_catalog(root, ["plans", "docs/plans", "../outside"])
    assert list(catalog.plans) == ["good"]
    assert [(Path(p.path).name, p.code) for p in catalog.problems] == [
        ("outside", Code.OUTSIDE_REPOSITORY),
        ("circle.md", Code.UNREADABLE),
        ("folder", Code.OUTSIDE_REPOSITORY),
        ("gone.md", Code.UNREADABLE),
        ("link.md", Code.OUTSIDE_REPOSITORY),
        ("pipe.md", Code.NOT_A_FILE),
    ]


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plans.folders.MAX_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.md").write_bytes(header(""))
    catalog = load_catalog(tmp_path, ["."])
    assert (list(catalog.plans), codes(catalog.problems)) == (["a", "b"], [Code.TOO_MANY_FILES])


def test_every_code_is_shown_by_a_case_above() -> None:
    shown_here = Path(__file__).read_text(encoding="utf-8")
    assert [c.name for c in Code if f"Code.{c.name}" not in shown_here] == []
    assert all(c.meaning for c in Code)


def test_utf16_plans_are_seen() -> None:
    assert is_plan_file(Path("a.md"), "---\nplan: a\n".encode("utf-16"))
    assert is_plan_file(Path("a.md"), b"\xef\xbb\xbf---\r\nplan: a\r\n")
    assert is_plan_file(Path("a.yml"), b"")
    assert not is_plan_file(Path("a.md"), b"# Title\n---\n")
    assert not is_plan_file(Path("a.md"), b"----\n")
    assert not is_plan_file(Path("a.txt"), b"---\n---\n")
    assert not is_plan_file(Path("planctl.yaml"), b"plans: x")
