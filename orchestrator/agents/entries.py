"""planctl's entries in the settings of an agent: put in and taken out of the text, nothing else is touched.

What was made for an entry (the list of its event, ``hooks``, the file, its folder) is noted in the entry
itself, as a word that the shell ignores: so it goes with the entry, whoever has copied the file where, and an
object that was empty before is left empty.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.agents.jsontext import Node, NotJsonError, appended, closes_itself, parsed, removed
from orchestrator.agents.known import EVENTS
from worktrees.hookscripts import HookKind

if TYPE_CHECKING:
    from orchestrator.agents.known import Agent

EMPTY: Final = "{}\n"
"""A file as planctl makes it, before anything is in it."""
_MADE: Final = re.compile(r": made-([0-4])([ks]);")


class Made(IntEnum):
    """What an entry was the reason for; each includes those before it."""

    NOTHING = 0
    EVENT = 1
    HOOKS = 2
    FILE = 3
    FOLDER = 4


class EntryState(StrEnum):
    """What stands in a settings file."""

    ABSENT = "absent"
    INSTALLED = "installed"
    PARTIAL = "partial"  # for one of the events only
    ALTERED = "altered"  # planctl's, with changes of somebody's: theirs
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry of planctl's: the group in the list of its event, and what it was the reason for."""

    at: int
    made: Made
    closed_itself: bool


def state_of(text: str, agent: Agent) -> EntryState:
    """Whether planctl's entries are there and as this planctl would write them."""
    try:
        root = parsed(text)
    except NotJsonError:
        return EntryState.UNREADABLE
    if not isinstance(root.value, dict):
        return EntryState.UNREADABLE
    named = json.dumps(root.value.get("hooks")).count(f'hooks/{HookKind.SESSION}\\" {agent.name} ')
    whole = sum(_find(root, agent, event) is not None for event in EVENTS)
    if named != whole:
        return EntryState.ALTERED
    if not whole:
        return EntryState.ABSENT
    return EntryState.INSTALLED if whole == len(EVENTS) else EntryState.PARTIAL


def put_in(text: str, agent: Agent, made: Made = Made.NOTHING) -> str:
    """``text`` with an entry for each event; where there is one already, nothing changes.

    ``made`` says whether the file was made for it. Raises :class:`NotJsonError`, also for another shape.
    """
    for event in EVENTS:
        root = parsed(text)
        if _find(root, agent, event) is None:
            text = _put_in(text, root, agent, event, made)
            made = Made.NOTHING
    return text


def _put_in(text: str, root: Node, agent: Agent, event: str, made: Made) -> str:
    _require(text, root, dict)
    hooks = root.get("hooks")
    if hooks is None:
        made = max(made, Made.HOOKS)
        entry = agent.entry(event, _note(text, root, made))
        return appended(text, root, {event: [entry]}, "hooks")
    _require(text, hooks, dict)
    groups = hooks.get(event)
    if groups is None:
        entry = agent.entry(event, _note(text, hooks, Made.EVENT))
        return appended(text, hooks, [entry], event)
    _require(text, groups, list)
    return appended(text, groups, agent.entry(event, _note(text, groups, Made.NOTHING)))


def _note(text: str, container: Node, made: Made) -> str:
    return f"made-{made:d}{'s' if closes_itself(text, container) else 'k'}"


def _require(text: str, node: Node, kind: type) -> None:
    if not isinstance(node.value, kind):
        before = text[: node.start]
        raise NotJsonError(before.count("\n") + 1, node.start - before.rfind("\n"))


def take_out(text: str, agent: Agent) -> tuple[str, Made]:
    """``text`` without planctl's entries, and what of the file itself was made for them and is empty now.

    An entry that somebody has changed is theirs and stays. Raises :class:`NotJsonError`.
    """
    reason = Made.NOTHING
    for event in reversed(EVENTS):
        while (found := _find(root := parsed(text), agent, event)) is not None:
            text = _taken_out(text, root, event, found)
            reason = max(reason, found.made)
    return text, reason if text == EMPTY and reason >= Made.FILE else Made.NOTHING


def _taken_out(text: str, root: Node, event: str, found: _Found) -> str:
    """Without the entry, and without what was made for it as far as nothing else is in there."""
    hooks = root.get("hooks")
    groups = hooks.get(event) if hooks else None
    if hooks is None or groups is None:
        return text
    container, at = groups, found.at
    if found.made >= Made.EVENT and len(groups.items) == 1:
        container, at = hooks, _index(hooks, event)
        if found.made >= Made.HOOKS and len(hooks.items) == 1:
            container, at = root, _index(root, "hooks")
    return removed(text, container, at, closed_itself=found.closed_itself)


def _index(container: Node, key: str) -> int:
    return max(i for i, item in enumerate(container.items) if item.key == key)


def _find(root: Node, agent: Agent, event: str) -> _Found | None:
    hooks = root.get("hooks")
    groups = hooks.get(event) if hooks else None
    for at, item in enumerate(groups.items if groups else ()):
        noted = _MADE.search(json.dumps(item.node.value))
        if noted and item.node.value == agent.entry(event, noted[0].removeprefix(": ").removesuffix(";")):
            return _Found(at, Made(int(noted[1])), noted[2] == "s")
    return None
