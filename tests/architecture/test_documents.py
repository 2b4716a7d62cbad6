"""The documents say everything that there is, and nothing that there is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from orchestrator.scheduling.reasons import Code as ReasonCode
from orchestrator.services.diagnosis.codes import findings
from orchestrator.services.diagnosis.upkeep import RACES
from orchestrator.states import EntryState, SlotState
from plans.codes import Code
from plans.header import DEPENDENCY, FILES, PHASE, RUN, YAML_PLAN
from plans.project_file import SETTINGS
from plans.shapes import Record
from tests import errors_page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
OF_SETTINGS = {"settings-uncommitted", "target-missing", "target-differs"}
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")


def section(page: str, title: str) -> str:
    """The text under a heading, sub-sections left out."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title!r}"
    return found[1]


def first_column(text: str) -> list[str]:
    """The words in code font in the first column of the tables of ``text``."""
    cells = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def keys(record: object) -> list[str]:
    assert isinstance(record, Record)
    return list(record.keys)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("The header", keys(YAML_PLAN)),
        ("Dependencies", keys(DEPENDENCY._long)),
        ("Files", keys(FILES)),
        ("Commands", keys(RUN._long)),
        ("Phases", keys(PHASE)),
        ("planctl.yaml", keys(SETTINGS)),
    ],
)
def test_every_key_is_described_and_no_other(title: str, expected: list[str]) -> None:
    described = first_column(section((DOCS / "plan-file.md").read_text(encoding="utf-8"), title))
    variables = [word for word in described if word.startswith("PLANCTL_")]
    assert sorted(set(described) - set(variables)) == sorted(expected)
    assert len(described) == len(set(described)), "a key is described twice"


def test_every_variable_of_a_command_is_described() -> None:
    from orchestrator.running.surroundings import NAMES, STAGE_NAMES

    text = section((DOCS / "plan-file.md").read_text(encoding="utf-8"), "Commands")
    assert {word for word in first_column(text) if word.startswith("PLANCTL_")} == {*NAMES, *STAGE_NAMES}


def test_every_variable_of_a_resolver_is_described() -> None:
    from orchestrator.running.surroundings import CONFLICT_NAMES

    text = section((DOCS / "plan-file.md").read_text(encoding="utf-8"), "resolver")
    assert {word for word in first_column(text) if word.startswith("PLANCTL_")} == set(CONFLICT_NAMES)


def test_every_code_of_lint_is_listed_with_its_meaning() -> None:
    """Those of plan files with the meaning in ``plans.codes``; those of patterns by name."""
    text = section((DOCS / "troubleshooting.md").read_text(encoding="utf-8"), "What lint says")
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \|$", text, re.MULTILINE))
    source = (ROOT / "plans/patterns.py").read_text(encoding="utf-8")
    of_patterns = set(re.findall(r'"(pattern-[a-z-]+)"', source))
    settings = (ROOT / "orchestrator/settings.py").read_text(encoding="utf-8")
    assert all(code in settings for code in OF_SETTINGS)
    assert {code: rows.get(code) for code in Code} == {code: code.meaning for code in Code}
    assert rows.keys() == {*Code, *of_patterns, *OF_SETTINGS}


def test_every_code_of_doctor_is_listed_with_what_to_do() -> None:
    """S1.16: whatever ``Issue("code", …)`` there is, and nothing else, with what, why and what to do."""
    calls = [
        node
        for path in (ROOT / "orchestrator").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Issue"
    ]
    codes = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    computed = {ast.unparse(call.args[0]) for call in calls if not isinstance(call.args[0], ast.Constant)}
    assert computed == {"p.code", "code"}, "of settings, which lint lists, and of a table of upkeep's"
    codes |= {code for _, code in RACES} | OF_SETTINGS
    assert sorted(findings()) == sorted(codes)
    assert all(found.what and found.why and found.do for found in findings().values())


def test_the_page_of_errors_is_made_of_the_code_of_today() -> None:
    """S1.16: every error, finding and wait; `python -m tests.errors_page` makes it anew."""
    assert errors_page.PAGE.read_text(encoding="utf-8") == errors_page.page()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{link}: no such heading"


def slug(heading: str) -> str:
    """The anchor of a heading, as forges make it."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


def test_every_decision_is_listed_once_and_numbered_once() -> None:
    files = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    listed = LINK.findall((DOCS / "decisions/README.md").read_text(encoding="utf-8"))
    assert listed == files
    assert len({name[:4] for name in files}) == len(files), "a number is given twice"


def test_every_reason_and_state_is_explained() -> None:
    """S1.16: each wait and each state has its cause and what to do."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "orchestrator").rglob("*.py")]
    stored = {code for source in sources for code in re.findall(r'"code": "([a-z-]+)"', source)}
    ours = {
        "unchanged",
        "recovered",
        "dropped",
        "conflict",
        "stopped",
    }  # no refusal: what was done, or a state's own name
    stand = (EntryState.BLOCKED, EntryState.HELD, EntryState.CONFLICTED, EntryState.RESOLVING)
    states = {*SlotState, *stand, EntryState.REJECTED}
    for word in sorted({*ReasonCode, *states, *(stored - ours)}):
        assert f"`{word}`" in text, f"{word} is not explained"
