"""Overlaps for people: few in full, many as a matrix and a line each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.cli.output import Output, Part
    from orchestrator.services.overlaps import Found
    from plans.ids import PlanId
    from plans.overlap import Overlap, OverlapReport
    from plans.predict import Guess

_SHOWN: Final = 5
FEW: Final = 12
"""The most overlaps that are shown in full."""
WIDEST: Final = 40
"""The most plans in a matrix."""
_MEANING: Final = {
    "write-write": "both write",
    "write-read": "{a} writes what {b} reads",
    "read-write": "{b} writes what {a} reads",
}


def show_overlaps(found: Found, output: Output, *, everything: bool) -> None:
    """All that was found; ``everything``: all files of each pair."""
    report = found.report
    _show_pairs(found, output, everything=everything)
    for met in report.hot:
        writers = f": a hot file, written by {len(met.plans)} plans: none waits for that"
        output.text(one_line(met.path), writers)
    for one in found.reserved:
        which = one.witness or one.pattern
        said = f"{one.plan} would wait for {one.holder}, who has reserved {one.pattern}: both match {which}"
        output.text((one_line(said), Colour.YELLOW))
    for near in report.proximity:
        output.text(f"{near.a} and {near.b}: proximity, both work in ", one_line(near.folder or "/"))
    _show_predictions(report, output, everything=everything)
    count = len(report.overlaps)
    output.note(f"{len(report.plans)} plans: {count or 'no'} overlap{'s' * (count != 1)}")


def _show_pairs(found: Found, output: Output, *, everything: bool) -> None:
    overlaps = found.report.overlaps
    if len(overlaps) <= FEW or everything:
        for overlap in overlaps:
            _show_one(overlap, found, output, everything=everything)
        return
    _show_matrix(overlaps, output)
    for overlap in overlaps:
        _show_in_a_line(overlap, found, output)


def _show_predictions(report: OverlapReport, output: Output, *, everything: bool) -> None:
    if report.unknown:
        output.text("no files declared, so nothing is known of: ", ", ".join(report.unknown))
    for plan, guesses in report.guesses.items():
        _show_guesses(plan, guesses, output, most=len(guesses) if everything else _SHOWN)
    for overlap in report.possible:
        said = f"{overlap.a} and {overlap.b}: possible by what is predicted, {meaning(overlap)}: "
        output.text(said, where(overlap))


def meaning(overlap: Overlap) -> str:
    """What the two do with the files."""
    return _MEANING[overlap.kind].format(a=overlap.a, b=overlap.b)


def where(overlap: Overlap) -> str:
    """The witness, made harmless."""
    undecided = "not decided, so taken as one: the exclusions (!) are too entangled"
    return one_line(overlap.witness) if overlap.witness else undecided


def advice(overlap: Overlap, found: Found) -> str:
    """What the pair should do, in which phases, and who goes first by what."""
    meet = " and ".join(
        f"{plan} in phase {', '.join(phases)}"
        for plan, phases in zip((overlap.a, overlap.b), overlap.phases, strict=True)
        if phases
    )
    first = found.first.get((overlap.a, overlap.b))
    parts = [str(overlap.advice) + (f" ({meet})" if meet else "")]
    if first is not None:
        how = "goes first" if first.delays else "lands first"
        parts.append(f"{first.plan} {how}: {first.why}")
    return ", ".join(parts)


def _coloured(overlap: Overlap) -> Part:
    return (str(overlap.severity), Colour.RED if overlap.severity == "high" else Colour.YELLOW)


def _show_one(overlap: Overlap, found: Found, output: Output, *, everything: bool) -> None:
    output.text(f"{overlap.a} and {overlap.b}: ", _coloured(overlap), f", {meaning(overlap)}")
    output.text("  both match: " if overlap.witness else "  ", where(overlap))
    for plan, pattern in zip((overlap.a, overlap.b), overlap.patterns, strict=True):
        output.text(f"  {plan}: ", one_line(pattern))
    files = overlap.files if everything else overlap.files[:_SHOWN]
    for path in files:
        output.text("  existing: ", one_line(path))
    if overlap.files_total > len(files):
        output.text(f"  … {overlap.files_total - len(files)} more existing files")
    output.text("  advice: ", advice(overlap, found))


def _show_in_a_line(overlap: Overlap, found: Found, output: Output) -> None:
    pair = f"{overlap.a} and {overlap.b}: "
    output.text(
        pair, _coloured(overlap), f", {meaning(overlap)}, ", where(overlap), "; ", advice(overlap, found)
    )


def _show_matrix(overlaps: Sequence[Overlap], output: Output) -> None:
    """A row and a column for each plan that overlaps, those with the most first: H high, m medium."""
    marks: dict[tuple[PlanId, PlanId], str] = {}
    for overlap in overlaps:
        mark = "H" if overlap.severity == "high" else "m"
        for pair in ((overlap.a, overlap.b), (overlap.b, overlap.a)):
            marks[pair] = min(mark, marks.get(pair, mark))
    counts = Counter(one for one, _ in marks)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    shown, width, longest = names[:WIDEST], len(str(len(names[:WIDEST]))), max(map(len, names))
    head = " ".join(f"{number:>{width}}" for number in range(1, len(shown) + 1))
    output.text(" " * (width + longest + 2), head)
    for number, name in enumerate(shown, 1):
        row = " ".join(f"{marks.get((name, other), '·'):>{width}}" for other in shown)
        output.text(f"{number:>{width}} {name:<{longest}} ", row)
    if len(names) > len(shown):
        output.text(f"… and {len(names) - len(shown)} plans with fewer overlaps")


def _show_guesses(plan: PlanId, guesses: Sequence[Guess], output: Output, *, most: int) -> None:
    """What the plan's text names in one line; what history adds in one each, with what it rests on."""
    named = [guess.pattern for guess in guesses if guess.because is None]
    if named:
        more = f" and {len(named) - most} more" if len(named) > most else ""
        output.text(f"the text of {plan} names ", one_line(", ".join(named[:most])), more)
    rules = [guess.because for guess in guesses if guess.because is not None]
    for rule in rules[:most]:
        of = f" ({rule.support} of {rule.commits} commits)"
        output.text(f"{plan}: with ", one_line(rule.given), " changes ", one_line(rule.then), of)
    if len(rules) > most:
        output.text(f"{plan}: … {len(rules) - most} more files that change together")
