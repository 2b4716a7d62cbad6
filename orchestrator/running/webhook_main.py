"""The program that posts one webhook: ``python -I -S webhook_main.py``, its order as JSON on stdin.

A process of its own, so that whoever waits for it can end it at any moment: a name server that does not
answer and a receiver that sends a byte a second keep no thread of planctl's. Exit 0 when the receiver took
it (any 2xx), 75 (EX_TEMPFAIL) when it may take it later, 1 when it will not. The last line says why.

No redirect is followed: the address that stands in the settings is where it goes, or nowhere.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from http.client import HTTPException, InvalidURL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

TEMPORARY: Final = 75
_LOOK: Final = 0.5
_LATER: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other that is not 2xx."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def main() -> NoReturn:
    """Read the order, post it, say what became of it."""
    order = json.loads(sys.stdin.buffer.read())
    if order["parent"] is not None:
        threading.Thread(target=_end_with, args=(order["parent"],), daemon=True).start()
    request = urllib.request.Request(
        order["url"], order["body"].encode("ascii"), order["headers"], method="POST"
    )
    code, said = _post(request, order["timeout"])
    print(said)  # noqa: T201 - a program of its own
    sys.exit(code)


def _end_with(parent: int) -> None:
    """End when whoever would end this was killed, and nobody waits for an answer any more."""
    while os.getppid() == parent:
        threading.Event().wait(_LOOK)
    os._exit(TEMPORARY)


def _post(request: urllib.request.Request, timeout: float) -> tuple[int, str]:
    try:
        with urllib.request.build_opener(_NoRedirect()).open(request, timeout=timeout) as answer:
            return 0, f"{answer.status}"
    except urllib.error.HTTPError as error:
        return _refused(error)
    except (InvalidURL, ValueError):  # its words would hold the address, which may be a secret
        return 1, "the address cannot be read"
    except (OSError, HTTPException) as error:
        return TEMPORARY, str(getattr(error, "reason", "") or str(error) or type(error).__name__)


def _refused(error: urllib.error.HTTPError) -> tuple[int, str]:
    said = f"{error.code} {error.reason}"
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _LATER:
        return TEMPORARY, said
    if HTTPStatus.MULTIPLE_CHOICES <= error.code < HTTPStatus.BAD_REQUEST:
        return 1, f"{said}: it redirects to {_host(error.headers.get('location'))}, which is not followed"
    return 1, said


def _host(location: str | None) -> str:
    """The rest may be a secret, as the address that was posted to."""
    try:
        return urllib.parse.urlsplit(location or "").hostname or "another path"
    except ValueError:
        return "what is no address"


if __name__ == "__main__":
    main()
