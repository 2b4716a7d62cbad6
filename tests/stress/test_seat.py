"""What the model of the queue goes by when it halts a worker (see ``model/world.py``)."""

from __future__ import annotations

import contextlib
import sqlite3

from tests.stress.model.seat import Seat
from tests.support.repo import GitRepo
from worktrees.metadata_lock import metadata_lock
from worktrees.repository import find


def test_a_halted_worker_keeps_everybody_out_by_the_kernels_locks_alone(repo: GitRepo) -> None:
    """In a transaction of the store, or with the lock on git's list of worktrees; who reads does not."""
    seat = Seat(repo)
    seat.begin()
    with metadata_lock(find(repo.path)):
        assert seat.is_kept_out()
    assert not seat.is_kept_out()
    with contextlib.closing(sqlite3.connect(repo.path / ".git/planctl/state.db")) as store:
        store.execute("BEGIN IMMEDIATE")
        assert seat.is_kept_out()
        store.rollback()
        store.execute("BEGIN")
        store.execute("SELECT count(*) FROM entries").fetchone()
        assert not seat.is_kept_out()
        store.rollback()
    seat.end()
