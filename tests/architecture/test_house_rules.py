"""The rules of the house that no linter holds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(p for room in ("plans", "worktrees", "orchestrator") for p in (ROOT / room).rglob("*.py"))
MAX_LINES = 300
MAX_STATEMENTS = 40
# Files and functions over budget; the list may only shrink.
OVER_BUDGET: frozenset[str] = frozenset()
SEEN_BY_WORKTREES = {"plans.ids", "plans.errors", "plans.effects", "plans.onchange", "plans.systems"}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_file_is_within_budget(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES or name_of(path) in OVER_BUDGET, f"{lines} lines: split it by purpose"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = sum(isinstance(n, ast.stmt) for n in ast.walk(node)) - 1
            assert count <= MAX_STATEMENTS, f"{name_of(path)}:{node.name} has {count} statements"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_file_is_named_for_what_it_holds(path: Path) -> None:
    assert not BANNED_NAMES & {path.stem, *path.relative_to(ROOT).parts}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_exception_is_swallowed_silently(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            only_pass = all(isinstance(s, ast.Pass) for s in node.body)
            assert not only_pass, f"{name_of(path)}:{node.lineno}: use contextlib.suppress with a reason"
            broad = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
            )
            reports = any(isinstance(s, ast.Raise | ast.Call) for s in ast.walk(node))
            assert not broad or reports, f"{name_of(path)}:{node.lineno}: broad and silent"


@pytest.mark.parametrize("path", sorted((ROOT / "worktrees").rglob("*.py")), ids=name_of)
def test_worktrees_sees_only_ids_errors_and_effects_of_plans(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    whole = {f"plans.{alias.name}" for node in froms if node.module == "plans" for alias in node.names}
    parts = {node.module for node in froms if (node.module or "").startswith("plans.")}
    assert parts | whole <= SEEN_BY_WORKTREES
