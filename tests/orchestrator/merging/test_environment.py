"""S11: a verdict is of an environment; whatever of that is another one asks for another verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.merging import environment
from orchestrator.settings import Settings
from tests.support.queues import Queue, configure, queue_of
from tests.support.repo import GitRepo


@dataclass
class Place:
    """Where the checks run: ``version`` is a file outside the repository that a command prints."""

    queue: Queue
    version: Path
    patch: pytest.MonkeyPatch

    def prints(self) -> None:
        self.version.write_text("2\n")

    def brings(self) -> None:
        self.queue.repo.write("local.env", "SETTING=another\n")

    def is_another_machine(self) -> None:
        self.patch.setattr(environment, "machine", lambda: "another")

    def sets(self, **keys: Any) -> None:
        """An override of the command line: the tree stays the same."""
        reload = self.queue.bench.reload

        def other() -> Settings:
            settings = reload()
            return replace(settings, project=replace(settings.project, **keys))

        self.queue.bench = replace(self.queue.bench, reload=other)


CHANGES: dict[str, tuple[Callable[[Place], None], int]] = {
    "nothing": (lambda _: None, 1),
    "printed": (Place.prints, 2),
    "brought": (Place.brings, 2),
    "machine": (Place.is_another_machine, 2),
    "named": (lambda place: place.sets(environment_id="runner"), 2),
    "setup": (lambda place: place.sets(setup="true"), 2),
    "kept": (lambda place: place.sets(check_keep=("cache/",)), 2),
}
"""By what is another: the change, and how many checks are run of one tree."""


@pytest.mark.parametrize("change", CHANGES)
def test_s11_another_place_asks_for_another_verdict(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    version = tmp_path / "version"
    version.write_text("1\n")
    repo.write(".git/info/exclude", "local.env\n")
    repo.write("local.env", "SETTING=1\n")
    printing = repr([f"cat {version}"])
    configure(repo, check="test -e README.md", environment=printing, copy="[local.env]")
    with queue_of(repo) as queue:
        queue.work("one", {"one": "1\n"})
        in_the_way = repo.write("one", "in the way\n")
        queue.drain()
        assert (queue.states(), queue.checks_run()) == ({"one": "blocked"}, 1)
        in_the_way.unlink()
        happens, checks = CHANGES[change]
        happens(Place(queue, version, monkeypatch))
        queue.drain()
        assert (queue.states(), queue.checks_run()) == ({"one": "landed"}, checks)
