"""Hot files that only grew on both sides are merged by union; nothing else is."""

from __future__ import annotations

import pytest

from tests.support.merging import Pair
from tests.support.repo import GitRepo
from worktrees.candidate import Candidate, Method, Work, make_candidate
from worktrees.hot import Hot
from worktrees.hotmerge import may_unite
from worktrees.merge import Conflicted, Merged

LOG = "# Changes\n\n- first\n"
NAMES = ["CHANGELOG.md", 'docs/change "log" é.md']


def crossed(repo: GitRepo, name: str, ours: str, theirs: str, **more: str) -> Pair:
    repo.commit("log", {name: LOG, **more})
    repo.branch("ours", {name: ours})
    repo.branch("theirs", {name: theirs})
    return Pair.of(repo)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("attributes", ["", "*.md -merge\n", "*.md merge=binary"])
def test_p16_lines_that_both_sides_added_are_kept(repo: GitRepo, name: str, attributes: str) -> None:
    pair = crossed(repo, name, LOG + "- ours\n", LOG + "- theirs\n", **{".gitattributes": attributes})
    assert isinstance(pair.merge(), Conflicted)
    found = pair.merge(hot=[name])
    assert isinstance(found, Merged)
    assert pair.objects.read_blob(found.tree, name) == (LOG + "- ours\n- theirs\n").encode()
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    "theirs",
    [
        LOG.replace("first", "second"),  # reworded
        "# Changes\n- theirs\n",  # taken away
        "- first\n\n# Changes\n",  # another order
    ],
)
def test_p16_what_is_no_mere_addition_is_a_conflict_as_ever(repo: GitRepo, theirs: str) -> None:
    pair = crossed(repo, "CHANGELOG.md", LOG.replace("- first", "- ours\n- first!"), theirs)
    assert isinstance(pair.merge(hot=["CHANGELOG.md"]), Conflicted)


def test_a_conflict_in_another_file_stays_one(repo: GitRepo) -> None:
    repo.commit("log", {"CHANGELOG.md": LOG})
    for side in ("ours", "theirs"):
        repo.branch(side, {"CHANGELOG.md": f"{LOG}- {side}\n", "src/a.py": f"{side}\n"})
    found = Pair.of(repo).merge(hot=["CHANGELOG.md"])
    assert isinstance(found, Conflicted)
    assert found.paths == ("src/a.py",)


@pytest.mark.parametrize("method", list(Method))
def test_p16_each_method_unites(repo: GitRepo, method: Method) -> None:
    pair = crossed(repo, "CHANGELOG.md", LOG + "- ours\n", LOG + "- theirs\n")
    work = Work(repo.head("theirs"), repo.head("main"))
    made = make_candidate(
        pair.git,
        pair.objects,
        method,
        repo.head("ours"),
        work,
        "land",
        trailers={},
        hot=Hot(union=frozenset({"CHANGELOG.md"})),
    )
    assert isinstance(made, Candidate)
    assert repo.show(made.commit, "CHANGELOG.md") == LOG + "- ours\n- theirs\n"


@pytest.mark.parametrize(
    ("before", "ours", "theirs", "may"),
    [
        (None, b"a\n", b"b\n", True),  # both made it
        (b"a", b"a\nb", b"a\nc", True),  # no line end at the end
        (b"a\n", b"a\n", b"a\nb\n", False),  # one side alone: git needs no help
        (b"a\n", None, b"a\nb\n", False),
        (b"a\na\n", b"a\n", b"a\na\nb\n", False),
        (b"a\r\n", b"a\nb\n", b"a\r\nc\n", False),
    ],
)
def test_what_may_be_united(before: bytes | None, ours: bytes | None, theirs: bytes, *, may: bool) -> None:
    assert may_unite(before, ours, theirs) is may
