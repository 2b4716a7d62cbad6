"""A notice and a channel become an errand: an argv and what goes into its stdin. Nothing is run here.

A webhook is signed as Standard Webhooks has it (https://www.standardwebhooks.com): HMAC-SHA256 over
``id.timestamp.body``. The address and the secret go to the child by stdin, where no list of processes shows
them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.clock import machine
from orchestrator.running import webhook_main
from orchestrator.running.desktop import desktop_argv
from orchestrator.running.errand import Errand
from orchestrator.running.surroundings import command_environment
from plans.notify import Told, Way
from plans.systems import POSIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.deliveryrecords import Delivery
    from plans.notify import Channel
    from worktrees.repository import Repository

_SCHEME: Final = "whsec_"
_URGENT: Final = frozenset({Told.FAILED, Told.REJECTED, Told.CONFLICTED, Told.WAITING})


@dataclass(frozen=True, slots=True)
class Unusable:
    """The channel cannot be used by this process. ``for_all``: nor by another one beside it."""

    reason: str
    for_all: bool = False


def errand_of(
    channel: Channel, delivery: Delivery, repository: Repository, environ: Mapping[str, str], now: str
) -> Errand | Unusable:
    """What to run so that ``delivery`` is made through ``channel``."""
    folder = repository.primary_top or repository.common_dir
    told = {"id": message_id(delivery, repository), "repository": str(folder), **delivery.notice}
    body = json.dumps(told).encode("ascii")
    environment = command_environment(environ, folder)
    if channel.way is Way.COMMAND:
        return Errand(channel.argv, body, environment, folder, channel.timeout)
    if channel.way is Way.DESKTOP:
        argv = desktop_argv(
            str(told["title"]), str(told["text"]), environ, urgent=Told(delivery.kind) in _URGENT
        )
        if argv is None:
            return Unusable("nothing here shows notifications: no notify-send with a desktop", for_all=True)
        return Errand(argv, b"", environment, folder, channel.timeout)
    posted = _posted(channel, str(told["id"]), body, environ, now)
    if isinstance(posted, Unusable):
        return posted
    argv = (sys.executable, "-I", "-S", str(Path(webhook_main.__file__)))
    return Errand(argv, json.dumps(posted).encode("ascii"), environment, folder, channel.timeout)


def message_id(delivery: Delivery, repository: Repository) -> str:
    """The same for each try at one delivery, and no other's: receivers tell repetitions by it."""
    what = f"{machine()} {repository.common_dir} {delivery.at} {delivery.id}"
    return f"msg_{hashlib.sha256(what.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def _posted(
    channel: Channel, key: str, body: bytes, environ: Mapping[str, str], now: str
) -> dict[str, Any] | Unusable:
    """The request as ``webhook_main`` reads it."""
    url = channel.url if channel.url_env is None else environ.get(channel.url_env)
    if not url:
        return Unusable(f"the variable {channel.url_env} is not set")
    if not url.startswith(("http://", "https://")) or not url.isascii() or any(c.isspace() for c in url):
        return Unusable(f"the variable {channel.url_env} holds no http or https address")
    headers = {"content-type": "application/json", "user-agent": "planctl", "webhook-id": key}
    if channel.secret_env is not None:
        secret = environ.get(channel.secret_env)
        if not secret:
            return Unusable(f"the variable {channel.secret_env} is not set")
        headers |= signed(secret, key, body, now)
    return {
        "url": url,
        "headers": headers,
        "body": body.decode("ascii"),
        "timeout": channel.timeout,
        "parent": os.getpid() if POSIX else None,  # elsewhere its parent may be a launcher of Python's
    }


def signed(secret: str, key: str, body: bytes, now: str) -> dict[str, str]:
    """The headers that prove who sent ``body``, and when."""
    timestamp = str(int(datetime.fromisoformat(now).timestamp()))
    code = hmac.new(_secret_bytes(secret), f"{key}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(code.digest()).decode('ascii')}",
    }


def _secret_bytes(secret: str) -> bytes:
    """``whsec_`` and base64, as the standard has it; any other text is its own bytes."""
    if secret.startswith(_SCHEME):
        try:
            return base64.b64decode(secret.removeprefix(_SCHEME), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode("utf-8", "surrogateescape")
