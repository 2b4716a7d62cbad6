"""pygit2 has one door; git's and the plans' are held by import-linter and ruff."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOOR = {"worktrees/odb.py", "worktrees/objects.py"}


def test_pygit2_is_imported_only_at_its_door() -> None:
    found = set()
    for path in (p for room in ("plans", "worktrees", "orchestrator") for p in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "pygit2" for name in names):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == DOOR
