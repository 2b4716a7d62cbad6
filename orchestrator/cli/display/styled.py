"""Lines of planctl's own parts as text of rich, for displays that redraw themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.cli.output import Part

STYLES: Final = {
    Colour.RED: "red",
    Colour.GREEN: "green",
    Colour.YELLOW: "yellow",
    Colour.BLUE: "blue",
    Colour.DIM: "dim",
    Colour.BOLD: "bold",
}


def styled(line: Iterable[Part], *, no_wrap: bool = False) -> Text:
    """One line; control characters become visible. ``no_wrap``: what is too long ends in an ellipsis."""
    text = Text(no_wrap=no_wrap, overflow="ellipsis" if no_wrap else None)
    for part in line:
        words, colour = (part, None) if isinstance(part, str) else part
        text.append(one_line(words), style=STYLES[colour] if colour else None)
    return text
