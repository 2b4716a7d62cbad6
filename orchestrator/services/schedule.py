"""``--dry-run``: what would be done, from what can be read alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.services.overlaps import report_data, reserved_among
from orchestrator.services.readiness import read_outlook, require_ready
from plans.drawing.data import graph_data
from plans.drawing.escape import one_line
from worktrees.links import FOLDER
from worktrees.pool import pool_folder

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.services.begin import Request
    from orchestrator.workbench import Workbench


def forecast(bench: Workbench, request: Request, here: Path) -> dict[str, Any]:
    """The graph, the overlaps and the schedule under the names of the contract; nothing is changed.

    Raises what would refuse the run before it starts.

    ``worktree`` is the readable link under which the plan's slot would be found.
    """
    outlook = read_outlook(bench, request, here)
    require_ready(bench, outlook, request)
    graph = outlook.graph
    folder = pool_folder(bench.repository, bench.settings.project.worktrees) / FOLDER
    wave_of = {plan: number for number, wave in enumerate(graph.waves(), 1) for plan in wave}
    return {
        "graph": graph_data(graph),
        "overlaps": report_data(
            outlook.report, reserved=reserved_among(bench.store, outlook.plans, bench.settings)
        ),
        "schedule": [
            {
                "plan": plan,
                "wave": wave_of[plan],
                "after": [
                    {"plan": edge.before, "why": str(edge.why)}
                    for edge in graph.predecessors(plan)
                    if edge.delays_start
                ],
                "worktree": str(folder / plan),
                "branch": graph.plans[plan].branch,
            }
            for plan in graph.order()
        ],
    }


def show_forecast(found: dict[str, Any]) -> str:
    """The schedule for people, a line a plan."""
    lines = []
    for row in found["schedule"]:
        after = ", ".join(f"{edge['plan']} ({edge['why']})" for edge in row["after"])
        lines.append(
            f"wave {row['wave']}  {row['plan']}  on {row['branch']}" + (f"  after {after}" if after else "")
        )
    lines += [
        one_line(f"{one['plan']} would wait for {one['holder']}, who has reserved {one['pattern']}")
        for one in found["overlaps"]["reserved"]
    ]
    return "\n".join(lines) if lines else "nothing to do"
