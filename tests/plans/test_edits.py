"""S1.8: what changed since it was read is never written over unasked; all files or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plans import edits
from plans.document import save_tick, save_ticks
from plans.edits import Edit, Fate, Seen, recover, see, write_all
from plans.errors import ChangedMeanwhileError
from plans.ids import TaskId
from plans.onchange import OnChange
from tests.support.cli import planctl
from tests.support.repo import GitRepo

PLAN = b"---\nplan: a\n---\n## Phase 1\n- [ ] 1.1 one\n- [ ] 1.2 two\n"


@pytest.fixture
def two(tmp_path: Path) -> tuple[Edit, Edit]:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(b"old\n")
    one, other = (Edit(see(path), b"new\n") for path in paths)
    return one, other


def contents(two: tuple[Edit, ...]) -> list[bytes]:
    return [edit.seen.path.read_bytes() for edit in two]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_s1_8_a_change_since_the_reading_aborts_and_nothing_is_written(two: tuple[Edit, Edit]) -> None:
    two[1].seen.path.write_bytes(b"by a person\n")
    with pytest.raises(ChangedMeanwhileError) as told:
        write_all(two)
    assert told.value.paths == (two[1].seen.path,)
    assert contents(two) == [b"old\n", b"by a person\n"]


def test_s1_8_what_is_saved_while_the_new_file_is_made_durable_is_not_written_over(
    two: tuple[Edit, Edit], monkeypatch: pytest.MonkeyPatch
) -> None:
    def saving(_descriptor: int) -> None:
        two[1].seen.path.write_bytes(b"by a person\n")

    monkeypatch.setattr(os, "fsync", saving)
    for how in (OnChange.ABORT, OnChange.OVERWRITE):
        two[1].seen.path.write_bytes(b"old\n")
        with pytest.raises(ChangedMeanwhileError):
            write_all(two, how)
        assert contents(two) == [b"old\n", b"by a person\n"]


def test_s1_8_or_skips_or_overwrites_as_asked(two: tuple[Edit, Edit]) -> None:
    two[1].seen.path.write_bytes(b"by a person\n")
    assert write_all(two, OnChange.SKIP) == (Fate.WRITTEN, Fate.SKIPPED)
    assert contents(two) == [b"new\n", b"by a person\n"]
    assert write_all(two, OnChange.OVERWRITE) == (Fate.UNCHANGED, Fate.WRITTEN)
    assert contents(two) == [b"new\n", b"new\n"]


def test_s1_8_a_dry_run_says_the_same_and_writes_nothing(two: tuple[Edit, Edit]) -> None:
    two[1].seen.path.write_bytes(b"by a person\n")
    before = [edit.seen.path.stat().st_mtime_ns for edit in two]
    assert write_all(two, OnChange.SKIP, dry_run=True) == (Fate.WRITTEN, Fate.SKIPPED)
    assert write_all(two, OnChange.OVERWRITE, dry_run=True) == (Fate.WRITTEN, Fate.WRITTEN)
    with pytest.raises(ChangedMeanwhileError):
        write_all(two, dry_run=True)
    assert [edit.seen.path.stat().st_mtime_ns for edit in two] == before


def test_s1_8_what_appeared_or_vanished_is_a_change_too(tmp_path: Path, two: tuple[Edit, Edit]) -> None:
    new = Edit(Seen(tmp_path / "c", None), b"new\n")
    (tmp_path / "c").write_bytes(b"by a person\n")
    for choice in (OnChange.ABORT, OnChange.OVERWRITE):
        with pytest.raises(ChangedMeanwhileError):
            write_all([*two, new], choice)
    two[0].seen.path.unlink()
    with pytest.raises(ChangedMeanwhileError):
        write_all(two)
    assert write_all([*two, new], OnChange.SKIP) == (Fate.SKIPPED, Fate.WRITTEN, Fate.SKIPPED)
    assert (tmp_path / "c").read_bytes() == b"by a person\n"


def test_s1_8_a_failure_takes_everything_back(
    tmp_path: Path, two: tuple[Edit, Edit], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Edit(Seen(tmp_path / "c", None), b"new\n")
    real = edits.write_atomic

    def full(path: Path, content: bytes, **how: Any) -> None:
        if path == two[1].seen.path and content == b"new\n":
            raise OSError(28, "No space left on device")
        real(path, content, **how)

    monkeypatch.setattr(edits, "write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        write_all([made, *two], journal=tmp_path / "journal")
    assert contents(two) == [b"old\n", b"old\n"]
    assert names(tmp_path) == ["a", "b"]


KILLED = """
import sys
from pathlib import Path
from plans.edits import Edit, Seen, see, write_all
folder = Path(sys.argv[1])
edits = [Edit(see(folder / "a"), b"new\\n"), Edit(Seen(folder / "c", None), b"new\\n"),
         Edit(see(folder / "b"), b"new\\n")]
write_all(edits, journal=folder / "journal")
"""


@pytest.mark.parametrize("moment", ["edits.write:before:2", "edits.write:after:2", "edits.write:after:3"])
def test_s1_8_killed_in_the_middle_is_taken_back_by_the_next(
    tmp_path: Path, two: tuple[Edit, Edit], moment: str
) -> None:
    env = {**os.environ, "PLANCTL_KILL_AT": moment}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    assert two[0].seen.path.read_bytes() == b"new\n", "half of it is done"
    if moment.endswith("3"):
        two[1].seen.path.write_bytes(b"by a person since\n")
    recover(tmp_path / "journal")
    last = b"by a person since\n" if moment.endswith("3") else b"old\n"
    assert contents(two) == [b"old\n", last]
    assert [name for name in names(tmp_path) if not name.endswith(".tmp")] == ["a", "b"]
    assert recover(tmp_path / "journal") == ()


def test_s1_8_a_tick_never_writes_over_an_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(PLAN)
    real = write_all

    def later(*arguments: object, **more: object) -> object:
        path.write_bytes(PLAN + b"a line of a person's\n")
        return real(*arguments, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as between:
        between.setattr("plans.document.write_all", later)
        with pytest.raises(ChangedMeanwhileError):
            save_tick(path, TaskId.parse("1.1"), done=True)
    assert path.read_bytes() == PLAN + b"a line of a person's\n"
    ticks = {path: (TaskId.parse("1.1"), TaskId.parse("1.2"))}
    assert save_ticks(ticks, done=True, dry_run=True) == {path: Fate.WRITTEN}
    assert path.read_bytes() == PLAN + b"a line of a person's\n"
    save_ticks(ticks, done=True)
    assert path.read_bytes() == PLAN.replace(b"[ ]", b"[x]") + b"a line of a person's\n"


def test_s1_8_init_and_new_write_all_or_nothing_and_show_it_first(repo: GitRepo) -> None:
    shown = planctl("init", "--dry-run", "--json", repo=repo.path).data
    assert shown["written"] == ["planctl.yaml", "plans/hello.md"]
    assert repo.git("status", "--porcelain") == ""
    assert planctl("new", "x", "--dry-run", repo=repo.path).stdout == "would write plans/x.md\n"
    assert repo.git("status", "--porcelain") == ""
    (repo.path / "plans").write_text("not a folder\n", encoding="utf-8")
    assert planctl("init", repo=repo.path).code == 2
    assert not (repo.path / "planctl.yaml").exists()
