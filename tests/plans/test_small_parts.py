"""Branch names as git takes them, circles, templates, settings."""

from __future__ import annotations

import itertools
import random
import subprocess
from pathlib import Path

import networkx as nx
import pytest

from plans.catalog import build_catalog
from plans.cycles import find_cycle
from plans.errors import InvalidNameError, Severity
from plans.ids import BranchName, PlanId
from plans.lint import lint
from plans.project import CheckoutPolicy, Enforce, Method, OverlapMode, ProjectSettings
from plans.project_file import SETTINGS, read_settings
from plans.templates import example_plan, new_plan, settings_template


def git_takes(name: str) -> bool:
    return (
        subprocess.run(
            ["git", "check-ref-format", "--branch", name], capture_output=True, check=False
        ).returncode
        == 0
    )


def test_branch_names_agree_with_git() -> None:
    pieces = [
        "a",
        "B",
        "/",
        ".",
        "..",
        ".lock",
        "@",
        "@{",
        "-",
        "~",
        " ",
        "^",
        ":",
        "?",
        "*",
        "[",
        "\\",
        "\x7f",
        "é",
        "{",
        "}",
    ]
    names = ["".join(parts) for size in (1, 2) for parts in itertools.product(pieces, repeat=size)]
    chance = random.Random(7)
    names += ["".join(chance.choices(pieces, k=chance.randint(3, 6))) for _ in range(150)]
    names += ["main", "feature/x", "HEAD", "@", "a" * 200, "-", "--force", "a\nb", "x.lock/y", "x/.y", "x//y"]
    taken = 0
    for name in names:
        try:
            BranchName.parse(name)
            taken += 1
            assert git_takes(name), name
        except InvalidNameError:
            assert not git_takes(name) or name in {"HEAD", "@"}, name  # to git, these stand for a branch
    assert taken > 30


@pytest.mark.parametrize("name", ["", "refs/heads/a", "a" * 201, "a\ud800", "HEAD"])
def test_branch_names_that_are_refused_beyond_git(name: str) -> None:
    with pytest.raises(InvalidNameError):
        BranchName.parse(name)


def test_cycles_agree_with_networkx() -> None:
    chance = random.Random(3)
    found = 0
    for _ in range(300):
        nodes = [f"n{i}" for i in range(chance.randint(1, 9))]
        edges = {n: chance.sample([*nodes, "outside"], chance.randint(0, min(2, len(nodes)))) for n in nodes}
        cycle = find_cycle(edges)
        assert (cycle is None) == nx.is_directed_acyclic_graph(nx.DiGraph(edges))
        if cycle:
            found += 1
            assert len(set(cycle)) == len(cycle)
            assert cycle[0] == min(cycle)
            assert all(b in edges[a] for a, b in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
            shuffled = dict(chance.sample(sorted(edges.items()), len(edges)))
            assert find_cycle(shuffled) == cycle
    assert 50 < found < 290


def test_a_long_chain_needs_no_recursion() -> None:
    chain = {str(n): [str(n + 1)] for n in range(50_000)}
    assert find_cycle(chain) is None
    assert len(find_cycle({**chain, "50000": ["0"]}) or ()) == 50_001


def test_templates_lint_clean() -> None:
    name, example = example_plan()
    settings = read_settings(Path("planctl.yaml"), settings_template())
    catalog = build_catalog([(Path("plans") / name, example)])
    assert lint(catalog, settings.settings, settings_problems=settings.problems) == ()
    assert list(catalog.plans) == ["hello"]
    for title in (None, "Title: 'x' \"y\" # z", "- [ ] 1.1 x", "é\x1b[0m\u202e", "x" * 1000, "---", "{plan}"):
        made = build_catalog([(Path("plans/new-one.md"), new_plan(PlanId("new-one"), title))])
        found = lint(made, ProjectSettings())
        assert {p.code for p in found} == {"no-run", "no-manifest"}
        assert all(p.severity is Severity.HINT for p in found)
        assert len(made.plans[PlanId("new-one")].tasks) == 2


def test_settings_of_every_key() -> None:
    text = """
plans: docs/plans
target: trunk
method: rebase
checkout: detach
overlap: isolate
enforce: off
pool: {max: 5, disk_floor: 2GiB}
host: {build_slots: 3, memory_floor: 1GiB}
verdict_ttl: 1h
check_timeout: 90s
resources: {db: 0}
agents: {claude: "claude -p"}
leftovers: false
"""
    read = read_settings(Path("planctl.yaml"), text.encode())
    assert read.problems == ()
    assert read.settings == ProjectSettings(
        plans=("docs/plans",),
        target="trunk",
        method=Method.REBASE,
        checkout=CheckoutPolicy.DETACH,
        overlap=OverlapMode.ISOLATE,
        enforce=Enforce.OFF,
        pool_max=5,
        pool_disk_floor=2 * 1024**3,
        host_build_slots=3,
        host_memory_floor=1024**3,
        verdict_ttl=3600,
        check_timeout=90,
        resources={"db": 0},
        agents={"claude": "claude -p"},
        leftovers=False,
    )
    assert (read.settings.capacity("db"), read.settings.capacity("other")) == (0, 1)


def test_every_field_of_the_settings_has_a_key() -> None:
    groups = {
        "pool": ("max", "disk_floor"),
        "host": ("build_slots", "memory_floor"),
        "leases": ("heartbeat", "expiry", "session"),
        "orphans": ("processes", "locks", "worktrees", "branches", "older_than"),
        "rate_limits": ("share", "holds", "total", "first", "longest", "phrases"),
    }
    grouped = {f"{group}_{key}" for group, keys in groups.items() for key in keys}
    keys = (SETTINGS.keys.keys() | grouped) - groups.keys()
    assert keys == set(ProjectSettings.__dataclass_fields__)


def test_empty_settings_are_the_defaults() -> None:
    for source in (b"", b"# nothing\n", b"---\n", b"\xef\xbb\xbf"):
        assert read_settings(Path("planctl.yaml"), source).problems == ()
        assert read_settings(Path("planctl.yaml"), source).settings == ProjectSettings()
