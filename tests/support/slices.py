"""What of a table of cases runs each time; `make stress` runs the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def seldom(*cases: object) -> list[object]:
    """The same cases for ``parametrize``, only in `make stress`; a tuple is one case of several values."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.stress)
        for case in cases
    ]


def mostly(cases: Iterable[object], often: Iterable[object]) -> list[object]:
    """``cases`` in their order; those that are not ``often`` only in `make stress`."""
    kept = list(often)
    return [case if case in kept else seldom(case)[0] for case in cases]


def sampled(cases: Iterable[object], every: int = 3) -> list[object]:
    """``cases`` in their order; all but the first and each ``every``-th only in `make stress`."""
    return [seldom(case)[0] if number % every else case for number, case in enumerate(cases)]
