"""The graph as data for JSON. Scripts rely on the names; see ``docs/commands.md``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plans.edges import Edge
    from plans.graph import PlanGraph


def graph_data(graph: PlanGraph) -> dict[str, object]:
    """The graph as plain values.

    In ``edges`` every ``from`` runs before its ``to``. What may run at once and only lands in order is
    under ``landing_order``, so that an edge always leads to a later wave.
    """
    return {
        "nodes": [
            {"id": plan.id, "priority": _number(plan.priority), "title": plan.title}
            for plan in graph.plans.values()
        ],
        "edges": [_edge(e) for e in graph.edges if e.delays_start],
        "landing_order": [_edge(e) for e in graph.edges if e.lands_after],
        "waves": [list(wave) for wave in graph.waves()],
        "critical_path": list(graph.critical_path()),
        "external": [
            {"plan": plan, "needs": d.plan, "until": d.until, "phase": d.phase}
            for plan, dependencies in graph.external.items()
            for d in dependencies
        ],
    }


def _number(value: float) -> float | int:
    """50 rather than 50.0, as it was written."""
    return int(value) if value == int(value) else value


def _edge(edge: Edge) -> dict[str, object]:
    return {
        "from": edge.before,
        "to": edge.after,
        "why": edge.why,
        "until": edge.until,
        "phase": edge.phase,
        "detail": edge.detail,
    }


def draw_json(graph: PlanGraph) -> str:
    """The graph as one JSON document in ASCII."""
    return json.dumps(graph_data(graph), ensure_ascii=True, indent=2) + "\n"
