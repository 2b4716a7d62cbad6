"""The graph as one SVG picture, laid out by hand: a column for each wave, a curve for each edge.

Nothing in it runs or loads anything: no script, no link, no style from outside. Every text is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.drawing.escape import one_line, xml
from plans.drawing.label import edge_label, until_label

if TYPE_CHECKING:
    from plans.edges import Edge
    from plans.graph import PlanGraph
    from plans.ids import PlanId

_WIDTH: Final = 200
_HEIGHT: Final = 44
_GAP_X: Final = 110
_GAP_Y: Final = 26
_MARGIN: Final = 24
_TOP: Final = 28
_LETTERS: Final = 26
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#1f2328}.id{font-weight:600}.wave,.title{fill:#59636e}"
    "rect{fill:#f6f8fa;stroke:#59636e}.critical{stroke:#0969da;stroke-width:3}"
    "path{fill:none;stroke:#59636e;stroke-width:1.5}.overlap,.conflicts_with{stroke:#bc4c00}"
    ".landing{stroke-dasharray:5 4}"
)

Place = tuple[int, int]


def draw_svg(graph: PlanGraph) -> str:
    """An SVG document of the size it needs; edges first, so that boxes lie over them."""
    waves = graph.waves()
    places = _places(waves)
    width = 2 * _MARGIN + max(1, len(waves)) * (_WIDTH + _GAP_X) - _GAP_X
    rows = max((len(wave) for wave in waves), default=0)
    height = 2 * _MARGIN + _TOP + rows * (_HEIGHT + _GAP_Y)
    critical = frozenset(graph.critical_path())
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-label="graph of plans">'
        ),
        f"<style>{_STYLE}</style>",
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#59636e;stroke:none"/></marker></defs>'
        ),
        *(_heading(number) for number in range(len(waves))),
        *(_curve(edge, places) for edge in graph.edges),
        *(_box(graph, plan, place, critical) for plan, place in places.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _places(waves: tuple[tuple[PlanId, ...], ...]) -> dict[PlanId, Place]:
    return {
        plan: (_MARGIN + column * (_WIDTH + _GAP_X), _MARGIN + _TOP + row * (_HEIGHT + _GAP_Y))
        for column, wave in enumerate(waves)
        for row, plan in enumerate(wave)
    }


def _heading(column: int) -> str:
    x = _MARGIN + column * (_WIDTH + _GAP_X)
    return f'<text class="wave" x="{x}" y="{_MARGIN + 8}">wave {column + 1}</text>'


def _curve(edge: Edge, places: dict[PlanId, Place]) -> str:
    (x1, y1), (x2, y2) = places[edge.before], places[edge.after]
    middle = _HEIGHT // 2
    if x1 < x2:
        start, end, bend = (x1 + _WIDTH, y1 + middle), (x2, y2 + middle), _GAP_X // 2
        through = f"{start[0] + bend} {start[1]} {end[0] - bend} {end[1]}"
    else:  # only the landing is ordered: within a column or backwards, round the right side
        start, end = (x1 + _WIDTH, y1 + middle), (x2 + _WIDTH, y2 + middle)
        out = max(start[0], end[0]) + _GAP_X // 2
        through = f"{out} {start[1]} {out} {end[1]}"
    kind = str(edge.why) if edge.delays_start else f"{edge.why} landing"
    return (
        f'<path class="{kind}" marker-end="url(#tip)" d="M{start[0]} {start[1]}C{through} {end[0]} {end[1]}">'
        f"<title>{xml(f'{edge.before} → {edge.after}: {edge_label(edge)}')}</title></path>"
    )


def _box(graph: PlanGraph, plan: PlanId, place: Place, critical: frozenset[PlanId]) -> str:
    x, y = place
    own = graph.plans[plan]
    mark = ' class="critical"' if plan in critical else ""
    outside = "".join(f"; needs {d.plan}: {until_label(d)}" for d in graph.external.get(plan, ()))
    hover = xml(f"{plan}: {one_line(own.title)} (priority {own.priority:g}{outside})")
    return (
        f'<g><title>{hover}</title><rect{mark} x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text class="id" x="{x + 10}" y="{y + 18}">{xml(_short(plan))}</text>'
        f'<text class="title" x="{x + 10}" y="{y + 35}">{xml(_short(own.title))}</text></g>'
    )


def _short(text: str) -> str:
    return one_line(text, _LETTERS)
