"""At the end of the campaigns: what was tried how often, and what held.

A plugin of the whole suite (see ``tests/conftest.py``): with workers only the first conftest is asked. A test
says what it tried by the property ``kills``, for kills by kind, or ``held``, a line for people.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from _pytest.terminal import TerminalReporter

Record = Callable[[str, object], None]
"""pytest's ``record_property``."""


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = [
        r for found in terminalreporter.stats.values() for r in found if getattr(r, "when", "") == "call"
    ]
    said_by = [(r, key, value) for r in reports for key, value in r.user_properties]
    show_held(terminalreporter, sorted(str(v) for r, key, v in said_by if key == "held" and r.passed))
    show_kills(terminalreporter, [value for _, key, value in said_by if key == "kills"])


def show_held(out: TerminalReporter, lines: Sequence[str]) -> None:
    if lines:
        out.section("held")
    for line in lines:
        out.write_line(line)


def show_kills(out: TerminalReporter, tallies: Sequence[tuple[str, dict[str, int], int, int, int]]) -> None:
    """Scenario, kills by kind, how many moments were not reached, failures, locks removed by hand."""
    if not tallies:
        return
    made: dict[str, Counter[str]] = defaultdict(Counter)
    for scenario, kinds, missed, failures, by_hand in tallies:
        made[scenario].update(kinds)
        made[scenario].update({"missed": missed, "failed": failures, "by hand": by_hand})
    out.section("kills")
    for scenario, counts in sorted(made.items()):
        out.write_line(f"{scenario:10} {said(counts)}")
    total = sum(made.values(), Counter())
    out.write_line(f"{'together':10} {said(total)}")
    if not total["failed"]:
        out.write_line(
            "each time: every plan landed once or is where it belongs, no commit, edit, untracked file or "
            "stash entry lost, main green, and nothing left over after resume and doctor --fix"
        )


def said(counts: Counter[str]) -> str:
    kills = sum(counts[kind] for kind in ("step", "planctl", "supervisor", "git", "all"))
    kinds = ", ".join(f"{kind} {counts[kind]}" for kind in ("step", "planctl", "supervisor", "git", "all"))
    rest = f"{counts['failed']} failed, {counts['by hand']} locks removed by hand"
    return f"{kills:5} kills ({kinds}; {counts['missed']} not reached), {rest}"
