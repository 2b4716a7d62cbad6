"""Files cut off anywhere, as a crash in the middle of a write leaves them: whole, or they tell nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from orchestrator.clock import SystemClock
from orchestrator.running.outputs import PlanOutputs
from orchestrator.running.records import STARTED, read_record, write_record
from orchestrator.store.sqlite.opening import open_sqlite
from plans.effects import append_line
from plans.ids import PlanId
from tests.support.repo import GitRepo
from worktrees.followlock import MARK, Mark, read_mark
from worktrees.journal import Making, journal_of
from worktrees.repository import find


def every_prefix(path: Path, read: Callable[[], object], nothing: object = None) -> None:
    """The file cut off after each byte tells nothing; whole but for its last newline it may tell all."""
    whole, all_of_it = path.read_bytes(), read()
    assert all_of_it != nothing
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        almost = whole[:size] == whole.rstrip()
        assert read() == nothing or (almost and read() == all_of_it), f"after {size} bytes"


def test_torn_records_outputs_marks_and_journals_tell_nothing(repo: GitRepo, tmp_path: Path) -> None:
    write_record(str(tmp_path), STARTED, {"attempt": "a-0", "pid": 1, "at": 2.5}, durable=True)
    every_prefix(tmp_path / STARTED, lambda: read_record(str(tmp_path), STARTED))
    outputs = PlanOutputs.of(tmp_path, PlanId("api"))
    outputs.prepare()
    outputs.write_status({"plan": "api", "state": "failed", "reason": {"code": "é"}})
    every_prefix(outputs.status, outputs.read_status)
    lock = tmp_path / "index.lock"
    lock.write_text(Mark("refs/heads/main", "a" * 40, "b" * 40, "token").line())
    assert lock.read_text().startswith(MARK)
    every_prefix(lock, lambda: read_mark(tmp_path))
    found, making = find(repo.path), Making("/pool/slot-01", "/git/worktrees/slot-01", "c" * 40)
    with journal_of(found, "slot-01") as journal:
        journal.write(making)
    path = found.state_dir / "slots" / "slot-01.making"

    def read() -> Making | None:
        with journal_of(found, "slot-01") as journal:
            return journal.read()

    every_prefix(path, read)


def test_a_torn_last_line_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    append_line(path, json.dumps({"n": 1}))
    with path.open("ab") as file:
        file.write(b'{"n": 2, "torn')
    append_line(path, json.dumps({"n": 3}))
    append_line(path, json.dumps({"n": 4}))
    lines = path.read_text().splitlines()
    assert lines == ['{"n": 1}', '{"n": 2, "torn', '{"n": 3}', '{"n": 4}']


def test_a_torn_log_of_the_store_gives_the_first_transactions(tmp_path: Path) -> None:
    """What a power cut leaves of the write-ahead log: an older store, whole, and never an error."""
    path, clock = tmp_path / "state.db", SystemClock()
    store = open_sqlite(path, clock).store
    for number in range(12):
        with store.transaction():
            store.emit("one", at="t", number=number)
            store.emit("two", at="t", number=number)
    log = Path(f"{path}-wal")
    size = log.stat().st_size
    seen = set()
    for cut in sorted({*range(0, size, size // 9), size - 1}):
        copy = tmp_path / f"cut-{cut}" / "state.db"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        (copy.parent / "state.db-wal").write_bytes(log.read_bytes()[:cut])
        opened = open_sqlite(copy, clock)
        events = opened.store.events_after(0)
        assert opened.set_aside is None
        assert [(e.event, e.data["number"]) for e in events] == [
            (name, number) for number in range(len(events) // 2) for name in ("one", "two")
        ]
        seen.add(len(events))
        opened.store.close()
    store.close()
    assert len(seen) > 3
    assert max(seen) == 22
