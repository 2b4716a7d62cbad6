"""A real ``planctl serve``, and requests to it with every header in the test's own hand."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.support.process import Done, end_of, start
from tests.support.repo import GitRepo

LIMIT = 60.0
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """One answer; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.data["error"]["code"])


@dataclass(frozen=True)
class Served:
    """A server at work."""

    process: subprocess.Popen[str]
    told: dict[str, Any]

    @property
    def token(self) -> str:
        return Path(self.told["token_file"]).read_text(encoding="ascii").strip()

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def connected(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.told["port"], timeout=LIMIT)

    def ask(
        self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", body: Any = None
    ) -> Answer:
        """Ask once; without a ``host`` among the headers the usual one is sent."""
        with contextlib.closing(self.connected()) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())

    def post(self, body: Any, headers: dict[str, str] | None = None) -> Answer:
        """``POST /doctor`` by who may; bytes are sent as they are."""
        said = body if isinstance(body, bytes) else json.dumps(body)
        return self.ask("/doctor", {**self.bearer, **JSON, **(headers or {})}, method="POST", body=said)

    def end(self) -> Done:
        """End it in order."""
        self.process.terminate()
        return end_of(self.process)


def serve(repo: GitRepo, *options: str, env: dict[str, str] | None = None) -> Served:
    """Start one, and return when it has said where it is."""
    process = start("serve", "--port", "0", "--json", *options, cwd=repo.path, env=env)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, end_of(process)
    return Served(process, json.loads(line))


@contextlib.contextmanager
def serving(repo: GitRepo, *options: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """One that is ended in order, with the exit code of SIGTERM, unless the test has ended it."""
    served = serve(repo, *options, env=env)
    yield served
    if served.process.poll() is None:
        done = served.end()
        assert (done.code, done.out) == (143, ""), done
