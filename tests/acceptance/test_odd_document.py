"""The tables of ``docs/repositories.md`` and the tests of odd repositories name the same rows."""

from __future__ import annotations

import re
from pathlib import Path

from tests.acceptance import (
    test_odd_places,
    test_odd_plans,
    test_odd_repositories,
    test_odd_settings,
    test_odd_stores,
)
from tests.support import odd_places, odd_settings, odd_stores

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/repositories.md"
MODULES = (test_odd_places, test_odd_plans, test_odd_repositories, test_odd_settings, test_odd_stores)
CASES = {
    *test_odd_repositories.WORKS,
    *test_odd_repositories.REFUSED,
    *test_odd_repositories.COMMANDS,
    *odd_settings.SETTINGS,
    *odd_places.PLACES,
    *odd_places.HIDDEN,
    *odd_stores.STORES,
    *odd_stores.REFUSED,
}


def test_every_row_is_in_the_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\|.*\| `([^`|]+)` \|$", text, flags=re.MULTILINE)
    tests = {name for module in MODULES for name in vars(module) if name.startswith("test_")}
    assert set(rows) <= CASES | tests, "the document names a row that is not tested"
    assert set(rows) >= CASES, "a row is missing in the document"
