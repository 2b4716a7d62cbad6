"""The graph as a Mermaid flowchart, for Markdown pages that draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.drawing import escape
from plans.drawing.label import edge_label, until_label

if TYPE_CHECKING:
    from plans.graph import PlanGraph


def draw_mermaid(graph: PlanGraph) -> str:
    """A flowchart from left to right; nodes are numbered, because an id such as ``end`` is a word there."""
    node = {plan: f"n{number}" for number, plan in enumerate(graph.plans)}
    lines = ["flowchart LR"]
    lines += [f"  {node[plan]}[{escape.mermaid(plan)}]" for plan in graph.plans]
    for edge in graph.edges:
        arrow = "-->" if edge.delays_start else "-.->"
        label = escape.mermaid(edge_label(edge))
        lines.append(f"  {node[edge.before]} {arrow}|{label}| {node[edge.after]}")
    outside = {d.plan: f"x{n}" for n, d in enumerate(d for ds in graph.external.values() for d in ds)}
    lines += [f"  {name}([{escape.mermaid(plan)}])" for plan, name in outside.items()]
    for plan, dependencies in graph.external.items():
        lines += [
            f"  {outside[d.plan]} -->|{escape.mermaid(until_label(d))}| {node[plan]}" for d in dependencies
        ]
    critical = [node[plan] for plan in graph.critical_path()]
    if critical:
        lines += ["  classDef critical stroke-width:3px", f"  class {','.join(critical)} critical"]
    return "\n".join(lines) + "\n"
