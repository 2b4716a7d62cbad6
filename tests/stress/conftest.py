"""At the end of a campaign: per scenario how many kills of which kind, and what did not hold."""

from __future__ import annotations

from collections import Counter, defaultdict

from _pytest.terminal import TerminalReporter


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    made: dict[str, Counter[str]] = defaultdict(Counter)
    for report in (r for reports in terminalreporter.stats.values() for r in reports):
        for key, value in getattr(report, "user_properties", ()):
            if key == "kills" and getattr(report, "when", "") == "call":
                scenario, kinds, missed, failures, by_hand = value
                made[scenario].update(kinds)
                made[scenario].update({"missed": missed, "failed": failures, "by hand": by_hand})
    if not made:
        return
    terminalreporter.section("kills")
    total: Counter[str] = Counter()
    for scenario, counts in sorted(made.items()):
        terminalreporter.write_line(f"{scenario:10} {said(counts)}")
        total.update(counts)
    terminalreporter.write_line(f"{'together':10} {said(total)}")
    if not total["failed"]:
        terminalreporter.write_line(
            "each time: every plan landed once or is where it belongs, no commit, edit, untracked file or "
            "stash entry lost, main green, and nothing left over after resume and doctor --fix"
        )


def said(counts: Counter[str]) -> str:
    kills = sum(counts[kind] for kind in ("step", "planctl", "supervisor", "git", "all"))
    kinds = ", ".join(f"{kind} {counts[kind]}" for kind in ("step", "planctl", "supervisor", "git", "all"))
    rest = f"{counts['failed']} failed, {counts['by hand']} locks removed by hand"
    return f"{kills:5} kills ({kinds}; {counts['missed']} not reached), {rest}"
