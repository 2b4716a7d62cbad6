"""From paths to what is answered. The work is done in threads, and that of the doctor one at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.web.answers import answer, failed, refused
from orchestrator.web.bodies import read_flags
from orchestrator.web.gate import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from orchestrator.web.site import Site

    Told = Callable[[Exception], Mapping[str, Any]]

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_HTTP: Final = {404: ("not-found", "there is nothing of that name"), 405: ("wrong-method", "not in this way")}
_STOPPING: Final = Refusal(503, "stopping", "the server is about to end; nothing was changed")


def application(site: Site, told: Told) -> Starlette:
    """The application of ``site``. ``told`` says of an error what the command line would, and logs faults."""
    here = _Routes(site, told)
    found = Starlette(
        routes=[
            Route("/health", here.health),
            Route("/status", here.status),
            Route("/metrics", here.metrics),
            Route("/doctor", here.doctor, methods=["GET", "POST"]),
        ],
        exception_handlers={HTTPException: _not_routed},
    )
    found.router.redirect_slashes = False
    return found


class _Routes:
    """What each path does."""

    def __init__(self, site: Site, told: Told) -> None:
        self._site = site
        self._told = told
        self._turn = asyncio.Lock()

    async def health(self, _request: Request) -> Response:
        return await self._done(lambda: answer(self._site.health()))

    async def status(self, _request: Request) -> Response:
        return await self._done(lambda: answer(self._site.status()))

    async def metrics(self, _request: Request) -> Response:
        return await self._done(lambda: Response(self._site.figures(), media_type=PROMETHEUS))

    async def doctor(self, request: Request) -> Response:
        flags: dict[str, bool] | Refusal = {"fix": False}
        if request.method == "POST":
            flags = await read_flags(request, {"fix": False})
        if isinstance(flags, Refusal):
            return refused(flags)
        work = self._site.mended if flags["fix"] else self._site.examined
        async with self._turn:
            if self._site.ended.is_set():
                return refused(_STOPPING)
            return await self._done(lambda: answer(work()))

    async def _done(self, work: Callable[[], Response]) -> Response:
        try:
            return await asyncio.to_thread(work)
        except Exception as error:  # noqa: BLE001 - whoever asks gets no trace; the log of the fault has it
            return failed(await asyncio.to_thread(self._told, error))


async def _not_routed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is what the handler was registered for"
    code, said = _HTTP.get(error.status_code, ("refused", "it cannot be answered"))
    response = refused(Refusal(error.status_code, code, said, "GET /health, /status, /metrics, /doctor"))
    response.headers.update(error.headers or {})
    return response
