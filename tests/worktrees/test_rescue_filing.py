"""One state, one reference: what is rescued again as it was does not fill the list."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from worktrees import filing
from worktrees.references import Delete, References
from worktrees.rescue import list_rescues, rescue

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.repo import GitRepo
    from worktrees.git import Git


@pytest.fixture
def again(repo: GitRepo, slot: GitRepo, git: Git, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Rescue the slot, a second later each time."""
    numbers = count(1)

    def rescued() -> str:
        number = next(numbers)
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"@{1_800_000_000 + number} +0000")
        done = rescue(git, slot.path, "x", stamp=f"01J000000000000000000000{number:02}")
        assert done is not None
        assert done.commit == repo.head(done.reference), "the newest snapshot is the one that is kept"
        return done.reference

    return rescued


def test_p9_the_same_state_again_has_one_reference(slot: GitRepo, git: Git, again: Callable[[], str]) -> None:
    slot.write("src/a.py", "edited\n")
    first = again()
    before = list_rescues(git)
    assert again() == first
    (after,) = list_rescues(git)
    assert [info.commit for info in before] != [after.commit], "its age is that of the newer one"


def test_p9_what_differs_in_any_part_has_its_own(slot: GitRepo, git: Git, again: Callable[[], str]) -> None:
    """Files, then the index alone, then a permission alone, then HEAD alone; then the first state again."""
    slot.write("src/a.py", "edited\n")
    names = [again()]
    slot.git("add", "src/a.py")
    names.append(again())
    (slot.path / "src/a.py").chmod(0o600)
    names.append(again())
    slot.git("checkout", "-q", "-b", "elsewhere")
    names.append(again())
    slot.git("checkout", "-q", "plan/x")
    (slot.path / "src/a.py").chmod(0o644)
    slot.git("reset", "-q")
    names.append(again())
    assert [info.reference for info in list_rescues(git)] == names


def test_p9_a_reference_that_goes_at_that_moment_is_made_anew(
    slot: GitRepo, git: Git, again: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As retention in another process may take it."""
    slot.write("src/a.py", "edited\n")
    first = again()
    held = filing._held

    def goes(objects: object, commit: str) -> object:
        if References(git).read(first):
            References(git).transact([Delete(first, commit)], message="x", step="x")
        return held(objects, commit)  # type: ignore[arg-type]

    monkeypatch.setattr(filing, "_held", goes)
    second = again()
    assert second != first
    assert [info.reference for info in list_rescues(git)] == [second]


def test_p9_a_snapshot_that_is_lost_in_part_is_no_stand_in(
    repo: GitRepo, slot: GitRepo, git: Git, again: Callable[[], str]
) -> None:
    slot.write("src/a.py", "edited\n")
    first = again()
    lost = repo.head(f"{first}^3")
    (repo.path / ".git/objects" / lost[:2] / lost[2:]).unlink()
    second = again()
    assert second != first
    assert References(git).list(filing.PREFIX).keys() == {first, second}
