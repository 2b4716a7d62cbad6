"""What is asked for in a request's body: a small JSON object of known keys, read within bounds."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from orchestrator.web.gate import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

LARGEST: Final = 4096
"""Bytes."""
PATIENCE: Final = 10.0
"""Seconds for the whole of it to come."""
_TOO_LARGE: Final = Refusal(413, "body-too-large", f"the body is larger than {LARGEST} bytes")
_TOO_SLOW: Final = Refusal(408, "body-too-slow", f"the body did not come within {PATIENCE:.0f} seconds")
_CUT: Final = Refusal(400, "body-cut", "who asks went away before the body was whole")
_NOT_JSON: Final = Refusal(415, "not-json", "the body has to be application/json")
_BROKEN: Final = Refusal(400, "bad-json", "the body is not JSON")


async def read_flags(request: Request, known: Mapping[str, bool]) -> dict[str, bool] | Refusal:
    """The flags that the body sets, over those that are ``known`` with their defaults; or why not."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _NOT_JSON
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > LARGEST:
        return _TOO_LARGE
    try:
        async with asyncio.timeout(PATIENCE):
            body = await _bounded(request)
    except TimeoutError:
        return _TOO_SLOW
    except ClientDisconnect:
        return _CUT
    return _TOO_LARGE if body is None else _flags(body, known)


async def _bounded(request: Request) -> bytes | None:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            return None
    return bytes(body)


def _flags(body: bytes, known: Mapping[str, bool]) -> dict[str, bool] | Refusal:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return _BROKEN
    if not isinstance(found, dict):
        return Refusal(422, "bad-value", "the body has to be an object")
    for key, value in found.items():
        if key not in known:
            return Refusal(422, "unknown-key", f"there is no {key[:40]!a}", f"known: {', '.join(known)}")
        if not isinstance(value, bool):
            return Refusal(422, "bad-value", f"{key} has to be true or false")
    return {**known, **found}
