"""Trailers at the end of a commit message, by the rules of ``git interpret-trailers --no-divider``.

The rules are re-implemented (a process per commit of a rebase would cost 2 ms each) and held to git's by a
differential test. A block of trailers is the last paragraph, never the first, if all its lines are
trailers, or if a line that git itself writes is among them and at least a quarter are. A line that starts
with a blank continues the one before.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PLAN_TRAILER: Final = "Plan-Id"
"""The plan whose work a commit is."""
RUN_TRAILER: Final = "Planctl-Run"
"""The run that it came from."""
KEY_TRAILER: Final = "Planctl-Key"
"""Of a landing's commit: the landing key."""
BATCH_TRAILER: Final = "Planctl-Batch"
"""Of the commit over a batch: the key of its first member; the landings are its side chain."""
OWN_TRAILERS: Final = (PLAN_TRAILER, RUN_TRAILER, KEY_TRAILER, BATCH_TRAILER)
"""What only planctl says of a landing, never the message of the work that lands."""
_TRAILER: Final = re.compile(r"([A-Za-z0-9-]+)[ \t]*:(.*)", re.DOTALL)
_BY_GIT: Final = ("Signed-off-by: ", "(cherry picked from commit ")
_CO_AUTHOR: Final = "co-authored-by"


def with_trailers(
    message: str, trailers: Iterable[tuple[str, str]], *, replacing: Collection[str] = ()
) -> str:
    """Return ``message`` with ``trailers`` at its end; one that stands there already is not repeated.

    Trailers in the message whose key (in any case) is in ``replacing`` are removed: nobody's message may
    speak in planctl's name.
    """
    body, block = split(message)
    unwanted = {key.lower() for key in replacing}
    kept = [line for line in block if _key(line) not in unwanted]
    for key, value in trailers:
        line = f"{key}: {' '.join(value.split())}"
        if line not in kept:
            kept.append(line)
    if not kept:
        return body + "\n"
    return f"{body}\n\n{chr(10).join(kept)}\n"


def split(message: str) -> tuple[str, list[str]]:
    """Return the message without its trailers, and the lines of the block, continuations joined on."""
    lines = message.replace("\0", "").rstrip().split("\n")
    start = len(lines)
    while start > 0 and lines[start - 1].strip():
        start -= 1
    block = _folded(lines[start:])
    if not "".join(lines[:start]).strip() or not _is_block(block):
        return "\n".join(lines), []
    return "\n".join(lines[:start]).rstrip(), block


def trailers_of(message: str) -> dict[str, str]:
    """Return the trailers of a message by their keys; of one that stands there twice the last."""
    lines = (line.partition(":") for line in split(message)[1])
    return {key.strip(): value.strip() for key, _, value in lines}


def says(message: str, key: str, value: str) -> bool:
    """Whether a line of the message is just this trailer, wherever it stands."""
    return f"\n{key}: {value}\n" in f"{message}\n"


def co_authors(message: str) -> list[str]:
    """Return the values of the Co-authored-by trailers of a message."""
    return [line.partition(":")[2].strip() for line in split(message)[1] if _key(line) == _CO_AUTHOR]


def _folded(lines: list[str]) -> list[str]:
    folded: list[str] = []
    for line in lines:
        if folded and line[:1] in (" ", "\t"):
            folded[-1] += "\n" + line
        else:
            folded.append(line)
    return folded


def _is_block(block: list[str]) -> bool:
    trailers = sum(_key(line) is not None or line.startswith(_BY_GIT) for line in block)
    # continuation lines count for the line that they continue
    weights = [line.count("\n") + 1 for line in block]
    others = sum(w for w, line in zip(weights, block, strict=True) if not _counts(line))
    if trailers and not others:
        return True
    return any(line.startswith(_BY_GIT) for line in block) and trailers * 3 >= others


def _counts(line: str) -> bool:
    return _key(line) is not None or line.startswith(_BY_GIT)


def _key(line: str) -> str | None:
    found = _TRAILER.match(line)
    return found.group(1).lower() if found else None
