from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from plans.effects import append_line, create_atomic, write_atomic


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o755)
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o755
    assert os.listdir(tmp_path) == ["f"]


def test_a_failed_replace_leaves_the_old_bytes_and_no_litter(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "f", b"new")
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize(("side", "content"), [("before", b"old"), ("after", b"new")])
def test_a_test_can_kill_the_process_around_a_step(tmp_path: Path, side: str, content: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    code = f"from plans.effects import Path, write_atomic; write_atomic(Path({str(path)!r}), b'new')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**os.environ, "PLANCTL_KILL_AT": f"file.replace:{side}"},
    )
    assert done.returncode == -9
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("at", "contents"),
    [("file.replace:before", b"old one two"), ("file.replace:after", b"new one two"), ("*:1+", b"old")],
)
def test_a_test_can_have_the_disk_fail_at_a_step_once_or_from_then_on(
    tmp_path: Path, at: str, contents: bytes
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    code = f"""
import errno, sys
from plans.effects import Path, append_line, write_atomic
path = Path({str(path)!r})
for write in (lambda: write_atomic(path, b"new"), lambda: append_line(path, " one"),
              lambda: append_line(path, " two")):
    try:
        write()
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PLANCTL_FAIL_AT": f"ENOSPC@{at}"},
    )
    assert done.stdout.split() == ["ENOSPC"] * (3 if at.endswith("+") else 1)
    assert path.read_bytes().replace(b"\n", b"") == contents
    assert os.listdir(tmp_path) == ["f"]


def _write_lines(path: Path, writer: int, lines: int) -> None:
    for n in range(lines):
        append_line(path, f"{writer}:{n}:" + "x" * 1000)


@pytest.mark.parametrize(("at_once", "each"), [(8, 25), pytest.param(100, 100, marks=pytest.mark.stress)])
def test_s1_12_every_line_of_many_writers_is_whole(tmp_path: Path, at_once: int, each: int) -> None:
    path = tmp_path / "log"
    with ProcessPoolExecutor(at_once) as pool:
        for job in [pool.submit(_write_lines, path, writer, each) for writer in range(100)]:
            job.result()
    written = {f"{writer}:{n}:" + "x" * 1000 for writer in range(100) for n in range(each)}
    lines = path.read_text().splitlines()
    assert len(lines) == len(written)
    assert set(lines) == written


def test_a_new_file_is_made_whole_and_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert create_atomic(path, b"one")
    assert not create_atomic(path, b"two")
    assert path.read_bytes() == b"one"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert not create_atomic(tmp_path / "link", b"x")
    assert sorted(os.listdir(tmp_path)) == ["f", "link"]


def test_a_new_file_has_the_mode_that_the_user_gives_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        create_atomic(tmp_path / "f", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def test_a_new_file_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    assert create_atomic(tmp_path / "f", b"one")
    assert not create_atomic(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["f"]
