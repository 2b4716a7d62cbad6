"""Before the routes: the gate, headers that every answer has, and a line for each request.

The line holds neither query nor headers, which may be secrets, and nothing in it is taken as it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.web.answers import refused
from orchestrator.web.gate import Asked, Rules, refusal
from plans.drawing.escape import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from orchestrator.clock import Clock

_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_SHOWN: Final = 100
_NOBODY: Final = ("", 0)


class Door:
    """The application that the server is given."""

    def __init__(self, inner: ASGIApp, rules: Rules, clock: Clock, tell: Callable[[str], None]) -> None:
        self._inner = inner
        self._rules = rules
        self._clock = clock
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        assert scope["type"] == "http", "the server is told to do nothing else"
        began, status = self._clock.monotonic(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_ALWAYS]
            await send(message)

        try:
            found = refusal(_asked(scope), self._rules)
            await (self._inner if found is None else refused(found))(scope, receive, sent)
        finally:
            self._say(scope, status, self._clock.monotonic() - began)

    def _say(self, scope: Scope, status: int, seconds: float) -> None:
        client, _ = scope.get("client") or _NOBODY
        path = scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
        said = f"{client} {scope['method'][:20]} {path[:_SHOWN]} {status or 'cut'} {seconds:.3f} s"
        self._tell(one_line(f"{self._clock.now()} {said}"))


def _asked(scope: Scope) -> Asked:
    address, _ = scope.get("server") or _NOBODY
    return Asked(scope["method"], address, tuple(scope["headers"]))
