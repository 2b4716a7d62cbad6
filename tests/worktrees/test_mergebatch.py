"""Many pairs in one batch: what git merge makes of each, and how many git processes it takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest

from tests.support.histories import Random, write_history
from tests.support.merging import Pair as Doors
from tests.support.merging import real_merge
from tests.support.repo import GitRepo
from tests.support.standin import before_git
from worktrees.livetree import LiveTree, committed, live_tree
from worktrees.mergebatch import Comparison, Outcome, compare_pairs
from worktrees.quarantine import Quarantine, quarantine
from worktrees.unread import Unread


def compared(repo: GitRepo, *branches: str) -> dict[tuple[str, str], Comparison]:
    doors = Doors.of(repo)
    sides = [committed(doors.objects, repo.head(branch)) for branch in branches]
    with quarantine(doors.git) as room:
        found = compare_pairs(room, doors.objects, [*combinations(sides, 2)], repo.head("main"))
    return dict(zip(combinations(branches, 2), found, strict=True))


@contextmanager
def counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The subcommands of every git that is started."""
    calls = folder / "calls"
    calls.touch()
    found: list[str] = []
    with monkeypatch.context() as patched:
        before_git(folder / "shim", f'echo "$*" >> "{calls}"', patched)
        yield found
    found += calls.read_text().splitlines()


def test_p2_processes_do_not_grow_with_pairs(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"w{n}" for n in range(9)]
    for number, name in enumerate(names):
        repo.branch(name, {"src/a.py": f"{number % 5}\n", f"own/{name}": "x\n"})
    numbers = []
    for some in (names[:3], names):
        folder = tmp_path / f"of{len(some)}"
        folder.mkdir()
        with counted(folder, monkeypatch) as calls:
            found = compared(repo, *some)
        assert {c.outcome for c in found.values()} >= {Outcome.CONFLICT}
        numbers.append(len([call for call in calls if "--version" not in call and "rev-parse" not in call]))
    assert numbers == [2, 2], "one diff-tree and one merge-tree, for 3 pairs and for 36"


def test_p2_far_apart_pairs_start_no_merge(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.branch("one", {"src/a.py": "1\n", "x/new": "1\n"})
    repo.branch("two", {"src/b.py": "2\n", "x/other": "2\n"})
    with counted(tmp_path, monkeypatch) as calls:
        found = compared(repo, "one", "two")
    assert found["one", "two"] == Comparison(Outcome.CLEAN)
    assert not [call for call in calls if "merge-tree" in call]


def removed(repo: GitRepo, branch: str, *arguments: str) -> None:
    repo.git("checkout", "-q", "-b", branch, "main")
    repo.git(*arguments)
    repo.commit(branch)
    repo.git("checkout", "-q", "main")


def test_p2_disjoint_paths_are_no_proof_where_a_folder_was_renamed(repo: GitRepo) -> None:
    removed(repo, "one", "mv", "src", "lib")
    repo.branch("two", {"src/new.py": "new\n"})
    assert compared(repo, "one", "two")["one", "two"] == Comparison(Outcome.CONFLICT, ("lib/new.py",))


def test_p2_a_file_in_the_place_of_a_folder_is_a_conflict_by_its_own_name(repo: GitRepo) -> None:
    repo.branch("one", {"x": "a file\n"})
    repo.branch("two", {"x/y": "in a folder\n"})
    assert compared(repo, "one", "two")["one", "two"] == Comparison(Outcome.CONFLICT, ("x",))


def test_p2_the_ancestor_is_that_of_the_pair_not_of_all(repo: GitRepo) -> None:
    """The target changed a line and one branch took it back: against the oldest commit it changed nothing."""
    text = (repo.path / "src" / "b.py").read_text()
    repo.branch("old", {"docs/guide.md": "old\n"})
    repo.commit("on main", {"src/b.py": text.replace("b3 = 3", "b3 = 33")})
    repo.branch("back", {"src/b.py": text})
    repo.branch("on", {"src/b.py": text.replace("b3 = 3", "b3 = 333")})
    found = compared(repo, "old", "back", "on")
    assert [c.outcome for c in found.values()] == [Outcome.CLEAN, Outcome.CLEAN, Outcome.CONFLICT]


def test_p2_attributes_are_those_of_the_target(repo: GitRepo) -> None:
    repo.commit("attributes", {".gitattributes": "log merge=union\n", "log": "1\n"})
    repo.branch("one", {"log": "1\none\n"})
    repo.branch("two", {"log": "1\ntwo\n"})
    assert compared(repo, "one", "two")["one", "two"].outcome is Outcome.CLEAN
    repo.commit("no more", {".gitattributes": ""})
    assert compared(repo, "one", "two")["one", "two"].outcome is Outcome.CONFLICT


def test_p2_branches_without_common_history_are_not_compared(repo: GitRepo) -> None:
    repo.branch("one", {"src/a.py": "1\n"})
    repo.git("checkout", "-q", "--orphan", "strange")
    repo.commit("strange", {"x": "x\n"})
    repo.git("checkout", "-q", "main")
    found = compared(repo, "one", "strange")["one", "strange"]
    assert found == Comparison(Outcome.NOT_COMPARED, why="they have no history in common")


def test_p2_a_batch_that_dies_calls_nothing_clean(repo: GitRepo) -> None:
    for name, text in (("one", "1\n"), ("two", "2\n"), ("three", "3\n")):
        repo.branch(name, {"src/a.py": text})
    doors = Doors.of(repo)
    good = [committed(doors.objects, repo.head(name)) for name in ("one", "two", "three")]
    gone = LiveTree(good[0].head, "1" * 40, good[0].tree)
    asked = [(good[0], good[1]), (gone, good[1]), (good[1], good[2])]
    with quarantine(doors.git) as room:
        found = compare_pairs(room, doors.objects, asked, repo.head("main"))
    assert [c.outcome for c in found] == [Outcome.CONFLICT, Outcome.NOT_COMPARED, Outcome.NOT_COMPARED]
    assert "not something we can merge" in found[1].why


def live(room: Quarantine, doors: Doors, folder: Path) -> LiveTree:
    found = live_tree(room, doors.objects, folder, "index-x")
    assert isinstance(found, LiveTree)
    return found


def test_p2_a_snapshot_is_what_git_would_commit_and_is_gone_afterwards(repo: GitRepo, slot: GitRepo) -> None:
    slot.write("src/a.py", "edited\n")
    slot.write("staged", "staged\n")
    slot.git("add", "staged")
    slot.write("new\nline", "new\n")
    slot.write(".gitignore", "ignored\n")
    slot.write("ignored", "x\n")
    (slot.path / "README.md").unlink()
    slot.git("init", "-q", "inner")
    doors = Doors.of(repo)
    index = repo.path / ".git" / "worktrees" / "slot" / "index"
    before = slot.git("status", "--porcelain"), index.read_bytes()
    with quarantine(doors.git) as room:
        found = live(room, doors, slot.path)
        assert found.has_edits
        listed = room.run("ls-tree", "-r", "-z", "--name-only", found.tree).records
    assert sorted(listed) == [".gitignore", "docs/guide.md", "new\nline", "src/a.py", "src/b.py", "staged"]
    assert (
        slot.git("status", "--porcelain"),
        (repo.path / ".git/worktrees/slot/index").read_bytes(),
    ) == before
    assert repo.git("cat-file", "-t", found.tree, ok=False) == ""


def test_p2_a_commit_made_while_it_is_read_is_noticed(repo: GitRepo, slot: GitRepo) -> None:
    other = repo.branch("other", {"src/b.py": "other\n"})
    slot.git("config", "filter.move.clean", f"git update-ref refs/heads/plan/x {other}; cat")
    slot.write(".gitattributes", "new filter=move\n")
    slot.write("new", "new\n")
    doors = Doors.of(repo)
    with quarantine(doors.git) as room:
        found = live_tree(room, doors.objects, slot.path, "index-x")
    assert found == Unread("it committed while it was read")


def test_p2_a_repository_whose_path_separates_alternates_is_read(template: Path, tmp_path: Path) -> None:
    repo = GitRepo.copy_of(template, tmp_path / 'a:b"c')
    repo.branch("one", {"src/a.py": "1\n"})
    repo.branch("two", {"src/a.py": "2\n"})
    assert compared(repo, "one", "two")["one", "two"] == Comparison(Outcome.CONFLICT, ("src/a.py",))


def test_p2_random_histories_are_forecast_as_git_merges_them(tmp_path: Path) -> None:
    assert min(forecast_of_histories(tmp_path, range(9000, 9012))) > 1


@pytest.mark.stress
@pytest.mark.timeout(1200)
def test_p2_many_random_histories_are_forecast_as_git_merges_them(tmp_path: Path) -> None:
    assert min(forecast_of_histories(tmp_path, range(9100, 9300))) > 30


def forecast_of_histories(folder: Path, seeds: range) -> tuple[int, int]:
    """How many were clean, and in conflict: as ``git merge`` in a checkout has it."""
    counts = {Outcome.CLEAN: 0, Outcome.CONFLICT: 0}
    for seed in seeds:
        path = folder / f"r{seed}"
        path.mkdir()
        repo = GitRepo(path)
        repo.git("init", "-q", "-b", "main", "--template=")
        dice = Random(seed, plain=seed % 4 == 0)
        repo.git("config", "merge.directoryRenames", dice.rng.choice(("true", "conflict", "false")))
        write_history(repo, dice)
        doors = Doors.of(repo)
        pair = tuple(committed(doors.objects, repo.head(side)) for side in ("ours", "theirs"))
        with quarantine(doors.git) as room:
            [found] = compare_pairs(room, doors.objects, [(pair[0], pair[1])], repo.head("ours"))
        real = real_merge(repo)
        if real is None:
            continue
        assert (found.outcome is Outcome.CLEAN) == isinstance(real, str), f"seed {seed}: {found}"
        if not isinstance(real, str):
            assert {p.partition("~HEAD")[0] for p in found.paths} == {
                s.path.partition("~")[0] for s in real
            }, f"seed {seed}"
        counts[found.outcome] += 1
        shutil.rmtree(path)
    return counts[Outcome.CLEAN], counts[Outcome.CONFLICT]
