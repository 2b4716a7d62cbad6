"""P18: a conflict of a branch that only the remote has, or that is ahead there, has its resolver as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.queues import require_sound
from tests.support.remotes import merge, remote_of
from tests.support.repo import GitRepo


@pytest.mark.parametrize("behind", [False, True])
def test_p18_a_branch_of_the_remote_is_brought_here_and_resolved(
    repo: GitRepo, tmp_path: Path, behind: bool
) -> None:
    remote = remote_of(repo, tmp_path / "hub", resolver=json.dumps("printf 'both\\n' > src/a.py"))
    theirs, mine = remote.clone("theirs"), remote.clone("mine")
    theirs.branch("one", {"src/a.py": "one\n"})
    theirs.branch("two", {"src/a.py": "two\n"})
    remote.push(theirs, "one", "two")
    if behind:
        mine.git("branch", "-q", "--no-track", "two", "origin/main")
    merge(mine, "one", "two")
    assert remote.bare.show("main", "src/a.py") == "both\n"
    assert mine.git("merge-base", "--is-ancestor", theirs.head("two"), "two") == ""
    require_sound(mine)
