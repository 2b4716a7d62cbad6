from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.running.log import follow, last_line, last_lines, lines_since, plain


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"one\ntwo\n", "two"),
        (b"one\ntwo", "two"),
        (b"one\n\n  \n\x1b[0m\n", "one"),
        (b"\x1b[1;31mred\x1b[0m\n", "red"),
        (b"10%\r50%\r100%\r\n", "100%"),
        (b"\x1b]0;title\x07text\n", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link"),
        (b"a\x07b\x00c\x9bd\n", "a b c\ufffdd"),
        ("safe\u202etxt\n".encode(), "safe txt"),
        (b"x" * 100_000, "x" * 400),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
    ],
)
def test_last_line(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "log").write_bytes(data)
    assert last_line(tmp_path / "log") == expected


@given(st.text(max_size=200))
def test_a_plain_line_cannot_move_the_cursor(text: str) -> None:
    assert plain(text).isprintable()


def test_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == []
    assert last_line(log) == ""
    log.write_bytes(b"".join(b"%d\r\n" % n for n in range(50_000)))
    assert last_lines(log, 3) == ["49997", "49998", "49999"]
    assert last_lines(log, 0) == []


def test_follow_gives_everything_and_ends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = iter(
        [lambda: log.write_bytes(b"a" * 100_000), lambda: append(log, b"b"), lambda: append(log, b"c")]
    )

    def wait() -> bool:
        action = next(script, None)
        if action is None:
            append(log, b"written between the last look and the end")
            return False
        action()
        return True

    data = b"".join(follow(log, from_end=False, wait=wait))
    assert data == b"a" * 100_000 + b"bc" + b"written between the last look and the end"


def test_follow_from_the_end_and_a_log_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old old old")
    script = iter([lambda: append(log, b" new"), lambda: log.write_bytes(b"anew")])

    def wait() -> bool:
        action = next(script, None)
        if action is not None:
            action()
        return action is not None

    assert b"".join(follow(log, from_end=True, wait=wait)) == b" newanew"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


def test_a_pipe_in_the_place_of_the_log_holds_nothing_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    assert last_line(tmp_path / "log") == ""
    assert lines_since(tmp_path / "log", 0, 100) == []
