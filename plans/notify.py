"""Who is told of what: channels of ``notify:`` in ``planctl.yaml``. Secrets are named here, never held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from plans.codes import Code
from plans.errors import BadValueError
from plans.kinds import Word, choice, matching, text
from plans.quantities import duration
from plans.shapes import Key, Many, Record, WordOr
from plans.vocabulary import variable

TIMEOUT: Final = 10.0


class Told(StrEnum):
    """What a channel may be told."""

    LANDED = "landed"
    FAILED = "failed"
    REJECTED = "rejected"
    CONFLICTED = "conflicted"
    WAITING = "waiting"
    CLEANED = "cleaned"


class Way(StrEnum):
    """How a channel is told."""

    DESKTOP = "desktop"
    WEBHOOK = "webhook"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Channel:
    """``url`` or ``url_env`` of a webhook, ``argv`` of a command; ``timeout`` in seconds.

    ``url_env`` and ``secret_env`` are names of environment variables.
    """

    way: Way
    url: str | None = None
    url_env: str | None = None
    secret_env: str | None = None
    argv: tuple[str, ...] = ()
    on: tuple[Told, ...] = tuple(Told)
    timeout: float = TIMEOUT


_WAYS: Final = ("desktop", "webhook", "webhook_env", "command")


def _url() -> Word[str]:
    pattern = r"https?://[^\s/@?#\\]{1,250}(?:[/?#][^\s]{0,2000})?"
    hint = "http or https, and no user or password: planctl.yaml is for everybody to read"
    return matching(pattern, Code.BAD_URL, "an address that can be posted to", hint)


def _true() -> Word[bool]:
    def parse(value: str) -> bool:
        if value != "true":
            raise BadValueError(Code.BAD_CHOICE, "true is all that can stand here", "or leave the key out")
        return True

    return Word(parse, {"enum": [True, "true"]})


def _channel(values: dict[str, Any]) -> Channel:
    found = [way for way in _WAYS if values.get(way)]
    if len(found) != 1:
        code = Code.CONFLICTING_KEYS if found else Code.MISSING_KEY
        raise BadValueError(code, f"one of these says how it is told: {', '.join(_WAYS)}")
    if "secret_env" in values and not found[0].startswith("webhook"):
        raise BadValueError(Code.CONFLICTING_KEYS, "only a webhook is signed with a secret")
    return Channel(
        Way(found[0].removesuffix("_env")),
        url=values.get("webhook"),
        url_env=values.get("webhook_env"),
        secret_env=values.get("secret_env"),
        argv=values.get("command", ()),
        on=values.get("on", tuple(Told)),
        timeout=values.get("timeout", TIMEOUT),
    )


CHANNEL: Final[WordOr[Channel]] = WordOr(
    choice({"desktop": Channel(Way.DESKTOP)}),
    Record(
        {
            "desktop": Key(_true(), "true: a notification of the desktop."),
            "webhook": Key(_url(), "Posts JSON to this address."),
            "webhook_env": Key(variable(), "The same; the environment variable with the address."),
            "secret_env": Key(variable(), "The environment variable with the secret that signs it."),
            "command": Key(
                Many(text(longest=4096), identity=lambda _: object()), "Runs this argv, JSON on its stdin."
            ),
            "on": Key(Many(choice({str(told): told for told in Told})), "What it is told; all if left out."),
            "timeout": Key(duration(least=0.1), "The longest it may take."),
        },
        _channel,
        {"oneOf": [{"required": [way]} for way in _WAYS]},
    ),
)
"""One channel of ``notify``."""
