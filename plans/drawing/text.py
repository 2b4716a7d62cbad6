"""The graph for a terminal: waves, what each plan waits for, the critical path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.drawing.escape import one_line
from plans.drawing.label import edge_label, until_label

if TYPE_CHECKING:
    from plans.graph import PlanGraph
    from plans.ids import PlanId


def draw_text(graph: PlanGraph) -> str:
    """Several lines of text, the last one ended."""
    if not graph.plans:
        return "no plans\n"
    lines: list[str] = []
    for number, wave in enumerate(graph.waves(), 1):
        lines.append(f"wave {number}")
        for plan in wave:
            lines += _plan_lines(graph, plan)
    lines.append("critical path: " + " → ".join(graph.critical_path()))
    return "\n".join(lines) + "\n"


def _plan_lines(graph: PlanGraph, plan: PlanId) -> list[str]:
    own = graph.plans[plan]
    title = f"  {one_line(own.title, 60)}" if own.title and own.title != plan else ""
    lines = [f"  {plan}  (priority {own.priority:g}){title}"]
    lines += [f"    after {e.before}: {one_line(edge_label(e))}" for e in graph.predecessors(plan)]
    lines += [
        f"    needs {d.plan}, not among these plans: {until_label(d)}" for d in graph.external.get(plan, ())
    ]
    return lines
