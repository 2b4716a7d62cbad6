"""``docs/errors.md``, made of what the code says: errors, findings of ``doctor``, reasons of waits.

``python -m tests.errors_page`` writes it; ``tests/architecture/test_documents.py`` says when it is stale.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.cli.exits import _DISK_EXIT, EXITS, Exit
from orchestrator.scheduling.reasons import Code
from orchestrator.services.diagnosis.codes import findings

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "errors.md"
HEAD = """\
# Errors, findings and waits

Every code that planctl gives, in one place. Made of the code by `python -m tests.errors_page`; do not edit.
What else may be meant, and more of what to do, is in [troubleshooting](troubleshooting.md).

## Exit codes

| exit | meaning |
| --- | --- |
| 0 | done, or the answer is yes |
| 1 | the answer is no |
| 2 | usage, or input that is not valid: nothing was started |
| 3 | a bug, or something that nobody expected: one line, and the path of a log |
| 4 | busy: a lock or lease was not had in time; who holds it is named |
| 130, 143 | interrupted, terminated: children stopped, leases released, state kept |

## Errors

`code` is that of `{"error": {"code": …}}` with `--json`. What is not in this table is a fault, exit 3.

| code | exit | what | what to do |
| --- | --- | --- | --- |
"""
COLUMNS = """\
| code | what is so | why | what to do | `--fix` |
| --- | --- | --- | --- | --- |
"""
FINDINGS = """
## What doctor says

`--fix` never destroys work: what it takes away is rescued or parked first. It asks on a terminal, and is
harmless to repeat. Problems of `planctl.yaml` have the codes of [lint](troubleshooting.md#what-lint-says).
"""
WAITS = """
## Why a plan waits

As `status` and `run-multi --json` give them (`reason: {"code": …}`); what ends each wait is in
[troubleshooting](troubleshooting.md#a-plan-waits).

| code | meaning |
| --- | --- |
"""


class _Named:
    """Stands for an error in an advice that looks at it: each field is its own name."""

    def __getattr__(self, name: str) -> str:
        return name.upper()


def page() -> str:
    """The whole page."""
    sections = dict.fromkeys(found.section for found in findings().values())
    parts = [HEAD, *_errors(), FINDINGS]
    for section in sections:
        parts.append(f"\n### {section}\n\n{COLUMNS}")
        parts += [
            _row(f"`{code}`", f.what, f.why, f.do, f.fix)
            for code, f in findings().items()
            if f.section == section
        ]
    return "".join([*parts, WAITS, *(_row(f"`{code}`", said) for code, said in _reasons())])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _errors() -> Iterator[str]:
    rows = {_code(kind): (found, _first_line(kind.__doc__)) for kind, found in EXITS.items()}
    for code, (found, what) in sorted(rows.items()):
        yield _row(f"`{code}`", str(found.code), what, _advice(found))
    yield _row("`os`", str(_DISK_EXIT.code), "the disk is full, failing or read-only", _advice(_DISK_EXIT))


def _code(kind: type[Exception]) -> str:
    name = kind.__name__.removesuffix("Error")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _advice(found: Exit) -> str:
    if isinstance(found.advice, str):
        return found.advice or "as it says"
    if found.advice.__doc__:
        return _first_line(found.advice.__doc__)
    error: Any = _Named()
    return found.advise(error)


def _first_line(text: str | None) -> str:
    line = (text or "").strip().splitlines()[0].rstrip(".")
    return re.sub(r"``(.+?)``", r"`\1`", re.sub(r":\w+:`(.+?)`", r"`\1`", line))


def _reasons() -> Iterator[tuple[str, str]]:
    """The text under each member of the enum."""
    tree = ast.parse((ROOT / "orchestrator/scheduling/reasons.py").read_text(encoding="utf-8"))
    (kind,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    texts = {}
    for member, text in zip(kind.body, kind.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
            texts[ast.literal_eval(member.value)] = ast.literal_eval(text.value)
    for code in Code:
        yield code, _first_line(texts[code])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
