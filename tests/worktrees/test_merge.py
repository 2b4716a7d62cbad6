"""Merges in memory against ``git merge`` in a real checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.campaigns import Record
from tests.support.merging import SIGNS, Pair, compare_histories, outcome, real_merge
from tests.support.repo import GitRepo
from worktrees.attributes import folder_for
from worktrees.errors import GitFailedError
from worktrees.merge import Conflicted, Merged, merge_trees


def test_random_histories_merge_as_git_merge_does(tmp_path: Path) -> None:
    counts = compare_histories(tmp_path, range(30))
    assert counts["merged"] > 2
    assert counts["conflicted"] > 5
    assert min(counts[kind] for kind in (*SIGNS, "crlf")) > 2, counts


def test_disjoint_edits_merge_by_tree_ids_as_git_merge_does(tmp_path: Path) -> None:
    counts = compare_histories(tmp_path, range(1000, 1015), plain=True)
    assert counts["by tree ids"] > 10


@pytest.mark.stress
@pytest.mark.timeout(1200)
def test_many_random_histories_merge_as_git_merge_does(tmp_path: Path, record_property: Record) -> None:
    counts = compare_histories(tmp_path, range(2000, 2600))
    assert min(counts[kind] for kind in (*SIGNS, "crlf")) > 60, counts
    plain = compare_histories(tmp_path, range(5000, 5150), plain=True)
    record_property("held", f"750 random histories merge as git merges them: {dict(counts)}, {dict(plain)}")


def crossed(repo: GitRepo, edits: dict[str, dict[str, str | bytes]]) -> Pair:
    for branch, files in edits.items():
        repo.branch(branch, files)
    return Pair.of(repo)


UNION = {"src/.gitattributes": "a.py merge=union\n"}


@pytest.mark.parametrize(("ours", "merges"), [("with", True), ("without", False)])
def test_attributes_are_those_of_the_target_alone(repo: GitRepo, ours: str, merges: bool) -> None:
    edits = {"with": {"src/a.py": "one\n", **UNION}, "without": {"src/a.py": "two\n"}}
    pair = crossed(repo, edits)
    repo.write("src/.gitattributes", "a.py merge=ours\n* merge=union\n")  # somebody's uncommitted edit
    theirs = "without" if ours == "with" else "with"
    found = pair.merge(ours, theirs)
    assert isinstance(found, Merged) is merges
    (repo.path / "src/.gitattributes").unlink()
    assert outcome(found) == real_merge(repo, ours, theirs)


def test_attributes_of_another_commit_can_be_asked_for(repo: GitRepo) -> None:
    pair = crossed(repo, {"ours": {"src/a.py": "one\n"}, "theirs": {"src/a.py": "two\n"}, "rules": {**UNION}})
    assert isinstance(pair.merge(), Conflicted)
    assert isinstance(pair.merge(attributes_of=repo.head("rules")), Merged)


@pytest.mark.parametrize("place", ["info", "setting"])
def test_the_users_own_attributes_apply_as_in_git_merge(repo: GitRepo, tmp_path: Path, place: str) -> None:
    pair = crossed(repo, {"ours": {"src/a.py": "one\n"}, "theirs": {"src/a.py": "two\n"}})
    if place == "info":
        (repo.path / ".git/info").mkdir(exist_ok=True)
        (repo.path / ".git/info/attributes").write_text("a.py merge=union\n")
    else:
        (tmp_path / "attributes").write_text("a.py merge=union\n")
        repo.git("config", "core.attributesFile", str(tmp_path / "attributes"))
    found = pair.merge()
    assert isinstance(found, Merged)
    assert found.tree == real_merge(repo)


def test_a_merge_driver_of_the_users_is_run(repo: GitRepo) -> None:
    pair = crossed(repo, {"ours": {"src/a.py": "one\n"}, "theirs": {"src/a.py": "two\n"}})
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/attributes").write_text("a.py merge=take\n")
    repo.git("config", "merge.take.driver", "cp %B %A")
    found = pair.merge()
    assert isinstance(found, Merged)
    assert pair.objects.read_blob(found.tree, "src/a.py") == b"two\n"
    assert found.tree == real_merge(repo)


def test_renormalising_merges_as_git_merge_does(repo: GitRepo) -> None:
    text = (repo.path / "src/a.py").read_bytes()
    repo.git("config", "merge.renormalize", "true")
    ours = {".gitattributes": "*.py text\n", "src/a.py": text.replace(b"a1 = 1", b"a1 = 9")}
    pair = crossed(repo, {"ours": ours, "theirs": {"src/a.py": text.replace(b"\n", b"\r\n") + b"more\r\n"}})
    found = pair.merge()
    assert isinstance(found, Merged)
    assert found.tree == real_merge(repo)


def test_a_conflict_names_paths_stages_and_messages(repo: GitRepo) -> None:
    pair = crossed(repo, {"ours": {"src/a.py": "one\n"}, "theirs": {"src/a.py": "two\n", "new": "x\n"}})
    found = pair.merge()
    assert isinstance(found, Conflicted)
    assert found.paths == ("src/a.py",)
    assert [s.stage for s in found.stages] == [1, 2, 3]
    assert "CONFLICT (content): Merge conflict in src/a.py" in found.messages
    assert set(found.stages) == real_merge(repo)


def test_a_base_can_be_given(repo: GitRepo) -> None:
    repo.branch("first", {"src/a.py": "first\n"})
    repo.branch("theirs", {"src/b.py": "second\n"}, start="first")
    repo.branch("ours", {"src/a.py": "squashed otherwise\n"})
    pair = Pair.of(repo)
    assert isinstance(pair.merge(), Conflicted)
    found = pair.merge(base=repo.head("first"))
    assert isinstance(found, Merged)
    assert pair.objects.read_blob(found.tree, "src/a.py") == b"squashed otherwise\n"
    assert pair.objects.read_blob(found.tree, "src/b.py") == b"second\n"


def test_a_given_base_reaches_gits_engine_too(repo: GitRepo) -> None:
    text = (repo.path / "src/a.py").read_text()
    first = text.replace("a1 = 1\n", "a1 = 100\n")
    repo.branch("first", {"src/a.py": first})
    repo.branch("theirs", {"src/a.py": first.replace("a20 = 20\n", "a20 = 200\n")}, start="first")
    repo.branch("ours", {"src/a.py": text.replace("a1 = 1\n", "a1 = 555\n")})
    pair = Pair.of(repo)
    assert isinstance(pair.merge(), Conflicted)
    found = pair.merge(base=repo.head("first"))
    assert isinstance(found, Merged)
    merged = pair.objects.read_blob(found.tree, "src/a.py") or b""
    assert b"a1 = 555\n" in merged
    assert b"a20 = 200\n" in merged


def test_s14_a_merge_touches_no_checkout_index_or_reference(repo: GitRepo) -> None:
    pair = crossed(repo, {"ours": {"src/a.py": "one\n"}, "theirs": {"src/a.py": "two\n"}})
    repo.write("src/b.py", "edited\n")
    before = repo.git("status", "--porcelain=v2"), repo.git("for-each-ref"), repo.head()
    index = (repo.path / ".git/index").read_bytes()
    pair.merge()
    assert (repo.git("status", "--porcelain=v2"), repo.git("for-each-ref"), repo.head()) == before
    assert (repo.path / ".git/index").read_bytes() == index


def test_unrelated_histories_are_refused_by_git(repo: GitRepo) -> None:
    other = repo.git("commit-tree", "-m", "alone", repo.head("main^{tree}"))
    pair = Pair.of(repo)
    with pytest.raises(GitFailedError, match="unrelated"):
        merge_trees(pair.git, pair.objects, repo.head(), other)


@pytest.mark.parametrize("hostile", ["../x", ".git/x", "a/../../x"])
def test_attribute_files_never_leave_their_folder(repo: GitRepo, hostile: str) -> None:
    pair = Pair.of(repo)
    blob = pair.objects.write_blob(b"* merge=union\n")
    tree = blob, 0o100644
    nested: dict[str, object] = {".gitattributes": tree[::-1]}
    for part in reversed(hostile.split("/")[:-1]):
        nested = {part: nested}
    commit = repo.git("commit-tree", "-m", "hostile", pair.objects.write_tree({**nested, "f": tree[::-1]}))  # type: ignore[arg-type]
    folder = folder_for(pair.objects, commit)
    assert [p for p in folder.rglob("*") if p.is_file()] == []
    assert sorted(p.name for p in folder.parent.iterdir()) == [folder.name]
