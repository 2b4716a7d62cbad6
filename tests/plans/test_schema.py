"""The JSON Schema says what the reader takes: the same files pass both, the same are refused by both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from plans.document import read_plan
from plans.errors import Severity
from plans.ids import PlanId
from plans.project_file import read_settings
from plans.schema import header_schema, settings_schema
from plans.templates import example_plan, new_plan, settings_template
from tests.plans.test_document import FULL


class CoreLoader(yaml.SafeLoader):
    """Scalars as YAML 1.2 (and so an editor) types them: no dates, no yes, no clock times."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, expression, first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~\0"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?[0-9]+\.[0-9]+", "-+0123456789"),
):
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{expression})$"), list(first)
    )  # type: ignore[no-untyped-call]

GOOD = [
    FULL.split("---\n")[1],
    "{}",
    "plan: 1.10\ntitle: true\nlabels: [1, 2.5]\nphases: {name: 3}",
    "dependencies: a",
    "dependencies: [a.phase2, a.phase-2.1, 7, {plan: 8, phase: 1, status: completed}]",
    "files: {write: [], read: x}",
    "run: {command: make}",
    "run: {agent: a}",
    "run: |\n  a\n  b\n",
    'run: {agent: "a", prompt: "x\\ny", tty: "true"}',
    "timeout: 1.5",
    "timeout: 1d",
    "priority: -3",
    "priority: '12.5'",
    "retries: '2'",
    "branch: a/b@c",
    "title: >\n  folded\n",
    "conflicts_with: [a, b]\nresources: {8080: 1}",
]
WRONG = [
    "plan: A",
    "plan: a..b",
    "plan: a.lock",
    "plan: -a",
    "plan: [a]",
    "plan:",
    "titel: x",
    "title: ''",
    "title: {a: b}",
    'title: "a\\nb"',
    "title: " + "x" * 301,
    "priority: urgent",
    "priority: 1e999",
    "priority: 10000000",
    "branch: a..b",
    "branch: /a",
    "branch: a.lock/b",
    "branch: a/.b",
    "branch: -a",
    "branch: 'a b'",
    "branch: '@'",
    "base: refs/heads/a",
    "base: a/",
    "dependencies: [A]",
    "dependencies: {phase: 1}",
    "dependencies: {plan: a, phase: 1, status: started}",
    "dependencies: {plan: a, phase: 1, status: landed}",
    "dependencies: {plan: a, status: ready}",
    "dependencies: [[a]]",
    "files: x",
    "files: {wrote: x}",
    "files: {write: {a: b}}",
    "files: {write: [['a']]}",
    "resources: [db]",
    "resources: {db: 0}",
    "resources: {db: many}",
    "resources: {'d b': 1}",
    "conflicts_with: A",
    "labels: ['a b']",
    "run: [a]",
    "run: {}",
    "run: {command: a, agent: b}",
    "run: {command: a, prompt: b}",
    "run: {command: a, tty: 1}",
    "check: {a: b}",
    "timeout: soon",
    "timeout: 0",
    "timeout: -1",
    "timeout: 99999999",
    "retries: 1.5",
    "retries: 101",
    "phases: [{title: x}]",
    "phases: [{name: 'a b'}]",
    "phases: [{name: 1, check: x}]",
    "phases: 1",
    "- a",
    "word",
]


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    return jsonschema.Draft202012Validator(schema)


HEADER = validator(header_schema(with_body=False))


@pytest.mark.parametrize("header", GOOD)
def test_what_the_reader_takes_the_schema_takes(header: str) -> None:
    read = read_plan(Path("some.md"), f"---\n{header}\n---\n".encode())
    assert read.plan, read.problems
    assert [e.message for e in HEADER.iter_errors(yaml.load(header, Loader=CoreLoader))] == []


@pytest.mark.parametrize("header", WRONG)
def test_what_the_reader_refuses_the_schema_refuses(header: str) -> None:
    assert read_plan(Path("some.md"), f"---\n{header}\n---\n".encode()).plan is None
    assert not HEADER.is_valid(yaml.load(header, Loader=CoreLoader))


def test_the_body_belongs_to_plans_in_yaml() -> None:
    value = {"plan": "a", "body": "# Title\n- [ ] 1.1 x\n"}
    assert validator(header_schema()).is_valid(value)
    assert not HEADER.is_valid(value)


def test_every_key_is_described() -> None:
    for schema in (header_schema(), settings_schema()):
        assert schema["$schema"].startswith("https://json-schema.org/")
        assert all(key["description"].endswith(".") for key in schema["properties"].values())


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (settings_template().decode(), True),
        (settings_template().decode().replace("# ", "", 1).split("\n\n")[1], True),
        ("pool: {max: 3, disk_floor: 5GB}\njobs: 4\nrequire_check: true\nagents: {claude: claude -p}", True),
        ("check_env: [CC]\nhot_files: {CHANGELOG.md: union}\nretention: {rescue: 30d}\nverdict_ttl: 0", True),
        ("retention: {rescue: forever, archive: 1d12h}", True),
        ("plans: x\ntarget: trunk\nmethod: squash\nenforce: 'off'\nworktrees: ../w\nremote: origin", True),
        ("notify: {a: desktop, b: {webhook: 'https://x/y', on: [failed, landed], timeout: 5s}}", True),
        ("notify: {a: {command: [x, -v, -v]}, b: {webhook_env: X, secret_env: Y}, c: {desktop: true}}", True),
        ("notify: [me]", False),
        ("notify: {a: mail}", False),
        ("notify: {a: {on: [failed]}}", False),
        ("notify: {a: {desktop: false}}", False),
        ("notify: {a: {webhook: 'https://x', command: x}}", False),
        ("notify: {a: {webhook: 'file:///etc/passwd'}}", False),
        ("notify: {a: {webhook: 'https://me:secret@x/'}}", False),
        ("notify: {a: {webhook: 'https://x', secret: hidden}}", False),
        ("notify: {a: {webhook: 'https://x', on: [all]}}", False),
        ("retention: {rescue: 60}", False),
        ("retention: {rescues: 30d}", False),
        ("plans: /x", False),
        ("plans: a/../b", False),
        ("remote: -x", False),
        ("method: octopus", False),
        ("require_check: maybe", False),
        ("pool: {min: 1}", False),
        ("pool: {disk_floor: lots}", False),
        ("check_env: [1A]", False),
        ("jobs: 5000", False),
    ],
)
def test_settings(text: str, good: bool) -> None:
    read = read_settings(Path("planctl.yaml"), text.encode())
    errors = [p for p in read.problems if p.severity is Severity.ERROR]
    assert (not errors) is good, read.problems
    assert validator(settings_schema()).is_valid(yaml.load(text, Loader=CoreLoader)) is good


def test_every_line_of_the_settings_template_can_be_switched_on() -> None:
    lines = settings_template().decode().splitlines()
    keys = [line.removeprefix("# ") for line in lines[3:]]
    text = "\n".join(keys)
    assert read_settings(Path("planctl.yaml"), text.encode()).problems == ()
    assert len(keys) > 20


def test_every_line_of_a_new_plan_can_be_switched_on() -> None:
    text = new_plan(PlanId("some"), 'A "title": with \\ signs\nand lines').decode()
    header, body = text.removeprefix("---\n").split("---\n", 1)
    on = "\n".join(line.removeprefix("# ") for line in header.splitlines())
    plan = read_plan(Path("some.md"), f"---\n{on}\n---\n{body}".encode()).plan
    assert plan
    assert plan.title == 'A "title": with \\ signs and lines'
    assert plan.run
    assert plan.manifest
    assert HEADER.is_valid(yaml.load(on, Loader=CoreLoader))
    assert HEADER.is_valid(yaml.load(example_plan()[1].decode().split("---\n")[1], Loader=CoreLoader))
