"""Settings and filters of the user's: each alone, and all at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support import odd_settings as odd
from tests.support.odd_runs import require_refused, require_works
from tests.support.repo import GitRepo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands of these plans are POSIX shell")


@pytest.mark.stress
@pytest.mark.parametrize("name", odd.SETTINGS)
def test_an_odd_setting_works(two: GitRepo, name: str) -> None:
    require_works(odd.SETTINGS[name](two))


def test_all_odd_settings_work_at_once(two: GitRepo) -> None:
    for make in odd.SETTINGS.values():
        make(two)
    require_works(two)
    who = two.git("log", "-2", "--first-parent", "--format=%cn <%ce>", "main").splitlines()
    assert who == ["Included <included@example.invalid>"] * 2
    listed = two.git("ls-tree", "main", "--", "link", "tool", "one").splitlines()
    assert [line.split()[0] for line in listed] == ["120000", "100644", "100755"], "modes as they were"
    assert (two.path / "one").read_text() == "a\n"
    slots = [p for p in two.path.with_name("repo.worktrees").glob("slot-*") if p.is_dir()]
    assert len(slots) == 2
    for place in (two.path, *slots):
        assert (place / "big.lfs").read_text().endswith("size one\n"), "the filter was run"
        assert (place / "big.pointer").read_text() == odd.POINTER
    assert two.show("main", "big.lfs") == odd.POINTER, "and undone"


def test_a_umask_of_077_works(two: GitRepo) -> None:
    before = os.umask(0o077)
    try:
        require_works(two, "a")
    finally:
        os.umask(before)


def test_a_required_filter_without_its_program_is_refused(two: GitRepo, tmp_path: Path) -> None:
    odd.LFS_MISSING(two)
    said = "big.lfs needs the filter lfs, and its program cannot be found: no-git-lfs filter-process"
    require_refused(tmp_path, two, ("run", "a"), said)
