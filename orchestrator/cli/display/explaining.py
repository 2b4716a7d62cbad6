"""What ``planctl queue explain`` says of one entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.display.chance import chance_lines, when_landed
from orchestrator.cli.output import Colour
from orchestrator.submitting.standstill import Freeze
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.cli.output import Output

_OTHERS: Final = 5


def show_explained(output: Output, found: Mapping[str, Any]) -> None:
    """Why the entry is where it is, what its landing rests on, what is expected, what would change that."""
    entry = found["entry"]
    output.text((entry["plan"] or entry["branch"], Colour.BOLD), _state(entry, found["why"]))
    _show_reason(output, entry["reason"])
    _show_proof(output, found["proof"])
    if found["paused"]:
        output.text("  the queue stands still: ", str(found["paused"]))
    if found["frozen"] and entry["state"] != "queued":
        output.text("  it will not land: ", str(Freeze(**found["frozen"])))
    if found["expected"]:
        output.text("  expected: ", when_landed(found["expected"]))
    for line in chance_lines(found["chance"]):
        output.text("  ", line)
    if found["cure"]:
        output.text(("  hint: ", Colour.DIM), str(found["cure"]))


def _state(entry: Mapping[str, Any], why: str) -> str:
    """Its state and why; what has landed says both at once."""
    return f" {why}" if why.startswith(f"{entry['state']} ") else f" {entry['state']}: {why}"


def _show_reason(output: Output, reason: Mapping[str, Any]) -> None:
    for path in reason.get("paths", ()):
        output.text("  ", one_line(path))
    for other in reason.get("others", ())[:_OTHERS]:
        output.text("  with: ", one_line(_other(other)))
    for key in ("log", "rescue"):
        if reason.get(key):
            output.text(f"  {key}: ", str(reason[key]))


def _other(other: Mapping[str, Any]) -> str:
    """What landed on the same paths."""
    return f"{other['plan'] or other['subject']}, {str(other['commit'])[:12]}"


def _show_proof(output: Output, proof: Mapping[str, Any] | None) -> None:
    """What a landing rests on (P7): where it stands, and which verdict spoke of exactly its tree."""
    if not proof:
        return
    output.text("  follows: ", str(proof["follows"])[:12])
    if proof.get("tree"):
        output.text("  tree: ", str(proof["tree"])[:12])
    for commit, tree in proof.get("checked_trees", {}).items():
        output.text(f"  checked: {commit[:12]} with tree {tree[:12]}")
    if proof.get("log"):
        output.text("  log of the check: ", str(proof["log"]))
