"""A bare repository that several clones share and nothing else: no store, no lock, no disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.bootstrap import Remote as Named
from orchestrator.bootstrap import working
from tests.support.process import Done, run
from tests.support.queues import Queue
from tests.support.repo import GitRepo
from worktrees.repository import find

LANDED = "refs/planctl/landed"
EPOCH = "refs/planctl/epoch"


@dataclass(frozen=True)
class Remote:
    """The bare repository, and a place for clones beside it."""

    bare: GitRepo
    folder: Path
    url: str

    def clone(self, name: str, *options: str) -> GitRepo:
        self.bare.git("clone", "-q", *options, self.url, str(self.folder / name))
        return GitRepo(self.folder / name)

    def main(self) -> str:
        return self.bare.head("refs/heads/main")

    def landed(self) -> dict[str, str]:
        """Landing key to commit, as the remote has it."""
        listed = self.bare.git("for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", LANDED)
        return {key: commit for key, _, commit in (line.partition(" ") for line in listed.splitlines())}

    def references(self) -> str:
        return self.bare.git("for-each-ref")

    def subjects(self) -> list[str]:
        """Subjects of main's first-parent history, newest first."""
        return self.bare.git("log", "--first-parent", "--format=%s", "main").splitlines()

    def keys(self) -> list[str]:
        """The keys of all landings in main's history; one that is there twice was landed twice."""
        text = self.bare.git("log", "--format=%(trailers:key=Planctl-Key,valueonly,separator=)", "main")
        return [line for line in text.splitlines() if line]

    def push(self, clone: GitRepo, *names: str) -> None:
        clone.git("push", "-q", "origin", *names)

    def hook(self, text: str, name: str = "pre-receive") -> None:
        path = self.bare.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)


def remote_of(repo: GitRepo, folder: Path, url: str | None = None, **keys: object) -> Remote:
    """A bare remote with the history of ``repo``, whose ``planctl.yaml`` on main has ``keys``."""
    folder.mkdir(parents=True, exist_ok=True)
    if keys:
        repo.commit("settings", {"planctl.yaml": "".join(f"{key}: {value}\n" for key, value in keys.items())})
    bare = folder / "origin.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))
    return Remote(GitRepo(bare), folder, url or str(bare))


def merge(clone: GitRepo, *arguments: str, code: int | None = 0, env: dict[str, str] | None = None) -> Done:
    """``planctl merge --remote origin`` in a clone."""
    done = run("merge", "--remote", "origin", *arguments, cwd=clone.path, env=env)
    assert code is None or done.code == code, (done.code, done.out, done.err)
    return done


@contextlib.contextmanager
def queue_at(clone: GitRepo) -> Iterator[Queue]:
    """A session at the queue of the remote's main, worked at in this process."""
    with working(find(clone.path), "queue", remote=Named("origin")) as (bench, session):
        yield Queue(clone, bench, session)
        bench.store.close()
