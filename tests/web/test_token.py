"""The token: made once, readable by its owner alone, and never taken on trust (S1.6)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.servingerrors import TokenUnusableError
from orchestrator.web.token import kept_token


def test_s1_6_of_many_that_make_it_at_once_all_have_the_same(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(kept_token, [tmp_path] * 16))
    finally:
        os.umask(before)
    ((path, token),) = found
    assert len(token) == 64
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (f"{token}\n", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def foldered(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.chmod(0o640), "others can read it"),
        (lambda path: path.chmod(0o602), "others can read it"),
        (lambda path: path.write_text(""), "no token"),
        (lambda path: path.write_text("let me in"), "no token"),
        (lambda path: path.write_text("a" * 65), "no token"),
        (lambda path: path.write_bytes(b"\xff" * 64), "no token"),
        (linked, "cannot be used"),
        (piped, "it is not a file"),
        (foldered, "it is not a file"),
    ],
)
def test_s1_6_what_others_may_know_or_is_no_token_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    path, _ = kept_token(tmp_path)
    spoil(path)
    with pytest.raises(TokenUnusableError, match=why):
        kept_token(tmp_path)
