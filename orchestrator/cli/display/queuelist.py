"""The merge queue as a list for people, one line an entry; loads nothing that tells of what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.output import Colour
from orchestrator.submitting.standstill import Freeze, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.cli.output import Output

COLOURS: Final = {
    "landed": Colour.GREEN,
    "conflicted": Colour.RED,
    "rejected": Colour.RED,
    "resolving": Colour.YELLOW,
    "held": Colour.YELLOW,
    "blocked": Colour.YELLOW,
}


def show_queue(output: Output, queue: Mapping[str, Any]) -> None:
    """The queue as a list; an empty one says so."""
    worker = queue["worker"]
    frozen = Freeze(**queue["frozen"]) if queue["frozen"] else None
    output.lines(_row(entry, frozen) for entry in queue["entries"])
    if queue["paused"]:
        output.text(("stands still: ", Colour.YELLOW), str(queue["paused"]))
    if frozen:
        output.text(("frozen: ", Colour.YELLOW), str(frozen))
    if not queue["entries"]:
        output.note("the queue is empty" if queue["tip"] else f"nothing is queued; {_unseen(queue)}")
    elif worker:
        output.note(f"{worker['kind']} {worker['session']} (pid {worker['pid']}) works at it")
    elif any(entry["position"] for entry in queue["entries"]):
        output.note("nobody works at it; `planctl queue run` does")


def _unseen(queue: Mapping[str, Any]) -> str:
    where = f"{queue['remote']}/{queue['target']}"
    return f"{where} has not been looked at from here yet, `planctl queue run --once` does"


def _row(entry: Mapping[str, Any], frozen: Freeze | None) -> Iterable[str | tuple[str, Colour]]:
    place = f"{entry['position']:>3}" if entry["position"] else "   "
    detail = entry["reason"].get("detail") or entry["reason"].get("code") or ""
    if frozen and entry["state"] == "queued" and frozen.holds(entry["priority"]):
        detail = f"frozen, its priority is {shown(entry['priority'])}"  # whether a worker has said so or not
    commit = f" {entry['landed_commit'][:12]}" if entry["landed_commit"] else ""
    state = str(entry["state"])
    yield from (f"{place}  ", (entry["plan"] or entry["branch"], Colour.BOLD), f" {entry['id'][:8]} ")
    yield from ((state, COLOURS.get(state, Colour.DIM)), commit, f"  {detail}" if detail else "")
