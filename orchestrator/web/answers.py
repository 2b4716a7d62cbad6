"""Answers: JSON that any client reads, errors as the command line tells them with ``--json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.web.gate import Refusal

_BY_EXIT: Final[Mapping[int, int]] = {1: 409, 2: 422, 4: 503}
"""HTTP status by the exit code that the command line would end with; all others are faults, 500."""
_FAULT: Final = 500


def answer(data: object, status: int = 200) -> Response:
    """``data`` as JSON in ASCII, so that exact bytes of names survive."""
    content = json.dumps(data, ensure_ascii=True).encode("ascii") + b"\n"
    return Response(content, status, media_type="application/json")


def refused(refusal: Refusal) -> Response:
    """Why a request is not answered."""
    said = {"code": refusal.code, "message": refusal.message, "advice": refusal.advice}
    response = answer({"error": said}, refusal.status)
    if refusal.status == 401:  # noqa: PLR2004 - the one status that must name the way in
        response.headers["www-authenticate"] = 'Bearer realm="planctl"'
    return response


def failed(said: Mapping[str, Any]) -> Response:
    """An error as the command line tells it; ``exit`` in it decides the status."""
    return answer({"error": dict(said)}, _BY_EXIT.get(said["exit"], _FAULT))
