"""Every code of a finding, explained: the table ``findings.toml``.

``docs/errors.md`` is made of it, and ``doctor --json`` carries it. Problems of ``planctl.yaml`` have the
codes of ``lint``, with the meaning that ``plans.codes`` gives them.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from plans.codes import Code

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` is so, ``why`` (how it comes about, or what it leads to), what to ``do``, what ``fix`` does.

    ``section`` is the heading that it stands under.
    """

    section: str
    what: str
    why: str
    do: str
    fix: str = ""


@cache
def findings() -> Mapping[str, Finding]:
    """The table, in its order."""
    rows = tomllib.loads(Path(__file__).with_name("findings.toml").read_text(encoding="utf-8"))
    return {code: Finding(**row) for code, row in rows.items()}


def explained(code: str) -> Finding:
    """The row of a code; of a problem of ``planctl.yaml`` what ``lint`` says it means."""
    if (found := findings().get(code)) is not None:
        return found
    meanings = {str(known): known.meaning for known in Code}
    meaning = meanings.get(code, "planctl.yaml cannot be used as it is")
    return Finding("planctl.yaml", meaning, "planctl.yaml says so", "mend that line of planctl.yaml")
