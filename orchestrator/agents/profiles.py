"""What coding agents print when an account may ask no more for a while, as phrases, by the agent's program.

Collected from what they have printed in public issues since 2025. Where a time is said, it is in a phrase
of its own, so that the same limit said without one is known, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plans.phrases import Phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ANY: Final = (
    "retry-after: {when}",
    'retry-after": "{when}',
    'retry-after":{when}',
)
SAID_BY_75: Final = tuple(
    Phrase.parse(text)
    for text in (
        *_ANY,
        "try again in {when}",
        "try again at {when}",
        "retry in {when}",
        "retry at {when}",
        "retry after {when}",
        "resets at {when}",
        "resets in {when}",
        "resets {when}",
        "reset at {when}",
        "reset after {when}",
    )
)
"""Where a command that ended with 75 may say when, whoever it is: that it is to wait is known already."""
_PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "claude": (
        "usage limit reached|{when}",
        "limit reached*resets {when}",
        "limit will reset at {when}",
        "hit your*limit*resets {when}",
        "out of extra usage*resets {when}",
        "usage limit reached",
        "hour limit reached",
        "weekly limit reached",
        "session limit reached",
        "hit your*limit",
        "out of extra usage",
        "rate_limit_error",
        "overloaded_error",
    ),
    "codex": (
        "usage limit*try again in {when}",
        "usage limit*try again at {when}",
        "rate limit reached*try again in {when}",
        'usage_limit_reached*resets_at":{when}',
        'usage_limit_reached*resets_in_seconds":{when}',
        "hit your usage limit",
        "usage_limit_reached",
        "rate_limit_exceeded",
        "rate limit reached",
        "429 too many requests",
    ),
    "gemini": (
        'retrydelay": "{when}',
        'retrydelay":"{when}',
        "retry in {when}",
        "quota will reset after {when}",
        "resource_exhausted",
        "ratelimitexceeded",
        "resource has been exhausted",
        "exceeded your current quota",
        "exhausted your capacity",
        "quota exceeded for",
    ),
}


def profiles(own: Mapping[str, Sequence[Phrase]]) -> dict[str, tuple[Phrase, ...]]:
    """The phrases of each agent, by the name of its program; ``own`` are those of ``planctl.yaml``."""
    found = {name: tuple(map(Phrase.parse, (*said, *_ANY))) for name, said in _PHRASES.items()}
    return {name: (*own.get(name, ()), *found.get(name, ())) for name in {**found, **own}}
