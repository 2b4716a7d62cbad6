"""A server at work, from its socket to its end.

1. the socket listens: a port that is taken is told before anything is written
2. a session is registered, so that others see the server and its death gives back what it held
3. the token is read, or made
4. side by side, until ``ended`` is set or the session is lost: HTTP, and the watchdog, which stands for
   election like any other
5. requests at work are answered, a cure at work is finished and no further one begun, the session ends
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.bootstrap import thread_store, watching
from orchestrator.services.watchdog.log import CleanupLog
from orchestrator.services.watchdog.sweep import Post
from orchestrator.services.watchdog.watch import Watchdog
from orchestrator.web.door import Door
from orchestrator.web.gate import Rules
from orchestrator.web.listener import Listener
from orchestrator.web.place import listening
from orchestrator.web.routes import application
from orchestrator.web.site import Site
from orchestrator.web.token import kept_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.services.watchdog.report import Swept
    from orchestrator.web.place import Place, Wish
    from orchestrator.workbench import Workbench
    from worktrees.repository import Repository


LOOK: Final = 3.0
"""Seconds between two looks whether the session lives: as often as it beats."""


@dataclass(frozen=True, slots=True)
class Voice:
    """To whom what is said: that it has begun, each request, what the watchdog did, and what errors are."""

    begun: Callable[[Place, Path, str], None]
    asked: Callable[[str], None]
    swept: Callable[[Swept], None]
    told: Callable[[Exception], Mapping[str, Any]]


def serve(
    repository: Repository, wish: Wish, ended: threading.Event, voice: Voice, *, watches: bool = True
) -> None:
    """Serve until ``ended`` is set. ``watches``: stand for the watchdog's office, too.

    Raises what :func:`orchestrator.web.place.listening` and :func:`orchestrator.bootstrap.watching` do,
    TokenUnusableError, and LeaseLostError when somebody else has ended the session.
    """
    with (
        listening(wish) as (sock, place),
        watching(repository, place.url, "serve") as (session, bench),
    ):
        path, token = kept_token(repository.state_dir)
        site = Site(repository, session, threading.Lock(), ended)
        rules = Rules(token, place.names, is_private=not place.is_loopback)
        door = Door(application(site, voice.told), rules, session.clock, voice.asked)
        listener = Listener(door, sock)
        with contextlib.ExitStack() as both:
            both.enter_context(_beside("http", listener.run, ended, listener.stop))
            if watches:
                both.enter_context(_beside("watchdog", lambda: _look_after(site, bench, voice), ended))
            voice.begun(place, path, session.id)
            while session.is_alive() and not session.clock.wait(ended, LOOK):
                continue
        session.require_alive()


def _look_after(site: Site, bench: Callable[[], Workbench], voice: Voice) -> None:
    repository, session = site.repository, site.session
    log = CleanupLog(repository.state_dir, session.clock)
    with contextlib.closing(thread_store(repository)()) as store:
        post = Post(repository, session, store, bench, log)
        Watchdog(post, site.ended, voice.swept, site.hands).watch()


@contextlib.contextmanager
def _beside(
    name: str, work: Callable[[], None], ended: threading.Event, stop: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Do ``work`` in a thread beside the body; whichever of the two ends, ends both. Raises what it does."""
    with ThreadPoolExecutor(1, name) as beside:
        doing = beside.submit(work)
        doing.add_done_callback(lambda _: ended.set())
        try:
            yield
        finally:
            ended.set()
            stop()
        doing.result()
