"""P18: a conflict of a branch that only the remote has, or that is ahead there, has its resolver as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.queues import require_sound
from tests.support.remotes import merge, remote_of
from tests.support.repo import GitRepo


def test_p18_a_branch_that_was_made_here_goes_again_when_nothing_comes_of_it(
    repo: GitRepo, tmp_path: Path
) -> None:
    resolver = 'test -z "$(git branch --list two --points-at HEAD)" && git commit -qam kept; exit 1'
    remote = remote_of(repo, tmp_path / "hub", resolver=json.dumps(resolver))
    theirs, mine = remote.clone("theirs"), remote.clone("mine")
    for name in ("one", "two", "three"):
        theirs.branch(name, {"src/a.py": f"{name}\n"})
    remote.push(theirs, "one", "two", "three")
    merge(mine, "one", "two", "three", code=1)
    assert mine.git("branch", "--list", "two") == ""
    kept = mine.git("log", "-1", "--format=%s", "three")
    assert kept == "kept", "a branch with a commit of the resolver's stays"
    require_sound(mine)


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
