"""The graph in the DOT language of Graphviz. Graphviz itself is not needed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.drawing import escape
from plans.drawing.label import edge_label, until_label

if TYPE_CHECKING:
    from plans.graph import PlanGraph


def draw_dot(graph: PlanGraph) -> str:
    """A digraph with one rank a wave; dashed edges order only the landing."""
    critical = frozenset(graph.critical_path())
    lines = ["digraph plans {", "  rankdir=LR;", "  node [shape=box];"]
    for plan in graph.plans:
        bold = " [penwidth=3]" if plan in critical else ""
        lines.append(f"  {escape.dot(plan)}{bold};")
    lines += [f"  {{ rank=same; {' '.join(escape.dot(p) + ';' for p in wave)} }}" for wave in graph.waves()]
    for edge in graph.edges:
        style = "" if edge.delays_start else ", style=dashed"
        ends = f"{escape.dot(edge.before)} -> {escape.dot(edge.after)}"
        lines.append(f"  {ends} [label={escape.dot(edge_label(edge))}{style}];")
    for plan, dependencies in graph.external.items():
        for d in dependencies:
            ends = f"{escape.dot(d.plan)} -> {escape.dot(plan)}"
            lines.append(f"  {escape.dot(d.plan)} [style=dotted];")
            lines.append(f"  {ends} [label={escape.dot(until_label(d))}];")
    return "\n".join([*lines, "}"]) + "\n"
