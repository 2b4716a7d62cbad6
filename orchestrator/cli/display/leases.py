"""Leases, who waits for them, and what became of them, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.output import Colour
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.cli.output import Part

_SHOWN: Final = 3
_LONG: Final = 120
Line = tuple["Part", ...]


def lines(said: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Line]:
    """What ``lock list`` has found."""
    for row in said.get("history", ()):
        yield (_history(row),)
    for row in said.get("leases", ()):
        yield _held(row)
    for row in said.get("waiting", ()):
        yield (_waiting(row),)
    for row in said.get("plans", ()):
        yield (_plan(row),)


def lasting(seconds: float | None) -> str:
    """A time in words: ``12 s``, ``5 min``, ``2 h 15 min``."""
    if seconds is None:
        return "?"
    if seconds < _LONG:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < _LONG else f"{minutes // 60} h {minutes % 60} min"


def _held(row: Mapping[str, Any]) -> Line:
    holder = row["holder"]
    who = (
        f"{holder['kind']} {row['session']} (pid {holder['pid']} on {holder['host']})"
        if holder
        else row["session"]
    )
    said = f"{_what(row)}  {who}, for {lasting(row['held_seconds'])}, token {row['token']}"
    purpose = f": {row['purpose']}" if row["purpose"] else ""
    dead = holder is not None and not holder["alive"]
    late: Part = ("  its process is gone", Colour.RED) if dead else ""
    if row["expired"] and not dead:
        late = ("  run out", Colour.YELLOW)
    return (one_line(said + purpose), late)


def _waiting(row: Mapping[str, Any]) -> str:
    about = f", about {lasting(row['expected_seconds'])} more" if row["expected_seconds"] is not None else ""
    since = f"waits for {lasting(row['waited_seconds'])}{about}"
    said = f"  {row['position']}. {_what(row)}  {row['session']} {since}"
    return one_line(f"{said}; held up by {', '.join(row['waits_for'])}" if row["waits_for"] else said)


def _plan(row: Mapping[str, Any]) -> str:
    return one_line(f"files of plan {row['plan']}, at work: {_few(row['files'])}")


def _few(files: Sequence[str]) -> str:
    return " ".join(files[:_SHOWN]) + (" …" if len(files) > _SHOWN else "")


def _history(row: Mapping[str, Any]) -> str:
    took = f" {lasting(row['seconds'])}" if row["seconds"] is not None else ""
    token = f" token {row['token']}" if row["token"] else ""
    detail = f": {row['detail']}" if row["detail"] else ""
    return one_line(f"{row['at']}  {row['action']:<9} {_what(row)}  {row['session']}{token}{took}{detail}")


def _what(row: Mapping[str, Any]) -> str:
    branch = f" of {row['branch']}" if row["branch"] else ""
    files = f" {_few(row['files'])}" if row["files"] else ""
    return f"{row['name']} ({row['scope']}{branch}){files}"
