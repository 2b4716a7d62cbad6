"""When an entry will have landed, how likely that is, and by what both are told, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.display.calibration import score
from orchestrator.planning.estimate import Evidence
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Data = Mapping[str, Any]


def when_landed(expected: Data) -> str:
    """When it will have landed, and by what that is told."""
    checks = f"{expected['checks']} check{'s' if expected['checks'] != 1 else ''}"
    by = f"by the last {checks} of the target, {expected['median']:.0f} s at the median"
    return f"landed in about {expected['seconds']:.0f} s if all before it pass, {by}"


def chance_lines(chance: Data | None) -> Iterator[str]:
    """The probability with the base rate, each piece of evidence, and how right such estimates were."""
    if chance is None:
        return
    yield f"chance: {chance['success']:.2f} that it lands; of all here {chance['usual']:.2f}"
    if not chance["trusted"]:
        yield f"  the evidence would say {chance['told']:.2f}, but has been worse than the base rate lately"
    for effect in chance["effects"]:
        if effect["evidence"] == Evidence.PATHS and not effect["of"]:
            continue  # nothing with that path has been decided yet
        yield f"  {_WORDS[effect['evidence']](effect)}: odds x {effect['odds']:.2f}"
    found = chance["calibration"]
    if found["outcomes"]:
        yield f"  such estimates here: {score(found)}"


def _size(effect: Data) -> str:
    files = f"{effect['files']} file{'s' if effect['files'] != 1 else ''}"
    return f"{files}, where {effect['usual_files']:.1f} are usual"


_WORDS: Final[Mapping[str, Callable[[Data], str]]] = {
    Evidence.SIZE: _size,
    Evidence.PATHS: lambda effect: (
        f"of the last {effect['of']} with {one_line(effect['path'])} {effect['landed']} landed"
    ),
    Evidence.MENDED: lambda _: "what its branch had before was rejected",
    Evidence.AGAIN: lambda _: "this very commit was rejected before",
    Evidence.OWN: lambda effect: (
        f"without what landed since, its check was {'green' if effect['holds'] else 'red'}"
    ),
}
