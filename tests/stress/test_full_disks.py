"""Disks that are really full: a small file system holds the repository, or the pool alone (root, Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stress.test_failing_disks import CHECK, PLANS, go_on_to_the_end, require_clean_words
from tests.support.campaigns import Record
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.repo import GitRepo

needs_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux may mount a small file system"
)
KIB = 1024


@contextmanager
def small_disk(folder: Path, mib: int = 16) -> Iterator[Path]:
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "planctl-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"this root may not mount: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """Leave ``left`` bytes on ``disk`` free."""
    ballast = disk / "ballast"
    found = os.statvfs(disk)
    try:
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - left)
        yield
    finally:
        ballast.unlink()


def fill_and_go_on(template: Path, folder: Path, left: int, where: str) -> None:
    at = f"{left} bytes left for {where}"
    folder.mkdir()
    with small_disk(folder / "disk") as disk:
        repo = GitRepo.copy_of(template, (disk if where == "all" else folder) / "repo")
        settings = CHECK if where == "all" else f"{CHECK}worktrees: {disk}/pool\n"
        commit_plans(repo, PLANS, settings)
        with filled(disk, left):
            done = run("run-multi", *PLANS, "-j", "2", cwd=repo.path)
        require_clean_words(done, at)
        go_on_to_the_end(repo, at)


@needs_mount
@pytest.mark.timeout(300)
def test_a_run_on_a_full_disk_is_gone_on_with(template: Path, tmp_path: Path) -> None:
    fill_and_go_on(template, tmp_path / "all", 200 * KIB, "all")


@needs_mount
@pytest.mark.stress
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("where", ["all", "pool"])
def test_every_level_of_a_disk_that_fills_up(
    template: Path, tmp_path: Path, record_property: Record, where: str
) -> None:
    most = 900 if where == "all" else 120
    levels = range(0, most, most // 45)
    for left in levels:
        fill_and_go_on(template, tmp_path / f"{left}", left * KIB, where)
    record_property("held", f"{len(levels)} levels of a full disk under {where}: all landed once in the end")
