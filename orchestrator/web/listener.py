"""The HTTP server: uvicorn without what it would do beyond HTTP, and without patience."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

PATIENCE: Final = 10.0
"""Seconds that a connection has for the next request to come, and for an answer to be taken."""
LAST_ANSWERS: Final = 30
"""Seconds that requests at work have once the server is to end."""
_MOST: Final = 64
_LARGEST: Final = 16 << 10


class Impatient(H11Protocol):
    """Ends a connection on which nothing whole is asked, or taken: a byte now and then holds no place."""

    patience = PATIENCE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self.loop.call_later(self.patience, self._look, self._stand())

    def _stand(self) -> tuple[object, bool, bool]:
        """The request that is at work or was the last one, whether its answer has begun, and has ended."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:
            return None, True, True
        return cycle, cycle.response_started, cycle.response_complete

    def _look(self, before: tuple[object, bool, bool]) -> None:
        now = self._stand()
        if self not in self.connections:
            return  # it has ended
        if now == before and now[1]:
            self.transport.abort()
            return
        self.loop.call_later(self.patience, self._look, now)


class Listener:
    """Answers on a socket that listens already, in whatever thread calls :meth:`run`."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        self._listening = listening
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=Impatient,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=_MOST,
                timeout_graceful_shutdown=LAST_ANSWERS,
                h11_max_incomplete_event_size=_LARGEST,
            )
        )

    def run(self) -> None:
        """Answer until :meth:`stop` is called, and then to the end of what is being answered."""
        asyncio.run(self._server.serve([self._listening]))

    def stop(self) -> None:
        """Take no more requests; may be called from any thread, also before :meth:`run`."""
        self._server.should_exit = True
