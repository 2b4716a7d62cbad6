"""Hot files that are made from others: by a command, or from snippets (P16)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.merging import Pair
from tests.support.repo import GitRepo
from worktrees.candidate import Candidate, Method, Work, make_candidate
from worktrees.errors import FragmentLostError
from worktrees.fragments import assembled
from worktrees.hot import Hot
from worktrees.merge import Conflicted, Merged
from worktrees.mergehot import merge_hot
from worktrees.trees import Entry

LOCK = "deps/lock file é"


class Rebuilding:
    """Stands for a command: the file then holds the names in ``deps`` of the tree it was made in."""

    def __init__(self, pair: Pair) -> None:
        self.asked: list[frozenset[str]] = []
        self._pair = pair

    def __call__(self, tree: str, paths: frozenset[str]) -> Mapping[str, Entry]:
        self.asked.append(paths)
        names = sorted(p for p in self._pair.objects.paths(tree) if p.endswith(".dep"))
        blob = self._pair.objects.write_blob("".join(f"{name}\n" for name in names).encode())
        return {path: Entry(0o100644, blob) for path in paths}


def locked(repo: GitRepo, ours: str | None = "ours\n", theirs: str | None = "theirs\n") -> Pair:
    """A lock file that both sides changed, each with a dependency of its own; None: a side left it alone."""
    repo.commit("lock", {LOCK: "before\n", "x.dep": ""})
    for side, content in (("ours", ours), ("theirs", theirs)):
        repo.branch(side, {f"{side}.dep": "", **({LOCK: content} if content is not None else {})})
    return Pair.of(repo)


def merged(pair: Pair, hot: Hot, **how: str) -> Merged | Conflicted:
    return merge_hot(pair.git, pair.objects, pair.repo.head("ours"), pair.repo.head("theirs"), hot, **how)


def read(pair: Pair, found: Merged | Conflicted, path: str) -> str | None:
    assert isinstance(found, Merged)
    content = pair.objects.read_blob(found.tree, path)
    return None if content is None else content.decode()


def test_p16_what_both_changed_is_made_anew_in_the_merged_tree(repo: GitRepo) -> None:
    pair = locked(repo)
    assert isinstance(pair.merge(), Conflicted)
    rebuild = Rebuilding(pair)
    found = merged(pair, Hot(regenerate=frozenset({LOCK, "other"}), rebuild=rebuild))
    assert read(pair, found, LOCK) == "ours.dep\ntheirs.dep\nx.dep\n"
    assert rebuild.asked == [{LOCK}]
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize(("ours", "theirs"), [(None, "theirs\n"), ("ours\n", None), ("same\n", "same\n")])
def test_p16_what_one_side_changed_is_as_that_side_has_it(
    repo: GitRepo, ours: str | None, theirs: str | None
) -> None:
    pair = locked(repo, ours, theirs)
    rebuild = Rebuilding(pair)
    assert read(pair, merged(pair, Hot(regenerate=frozenset({LOCK}), rebuild=rebuild)), LOCK) == (
        ours or theirs
    )
    assert rebuild.asked == []


def test_p16_without_somebody_who_can_it_stays_as_the_target_has_it(repo: GitRepo) -> None:
    pair = locked(repo)
    assert read(pair, merged(pair, Hot(regenerate=frozenset({LOCK}))), LOCK) == "ours\n"


def test_p16_a_file_that_one_side_removed_is_a_conflict_as_ever(repo: GitRepo) -> None:
    pair = locked(repo, "ours\n", None)
    repo.git("checkout", "-q", "theirs")
    repo.git("rm", "-q", LOCK)
    repo.git("commit", "-q", "-m", "gone")
    repo.git("checkout", "-q", "main")
    hot = Hot(regenerate=frozenset({LOCK}), rebuild=Rebuilding(pair))
    found = merged(pair, hot)
    assert isinstance(found, Conflicted)
    assert found.paths == (LOCK,)


def test_p16_a_conflict_elsewhere_is_told_alone_and_nothing_is_made(repo: GitRepo) -> None:
    repo.commit("lock", {LOCK: "before\n"})
    for side in ("ours", "theirs"):
        repo.branch(side, {LOCK: f"{side}\n", "code": f"{side}\n"})
    pair = Pair.of(repo)
    rebuild = Rebuilding(pair)
    found = merged(pair, Hot(regenerate=frozenset({LOCK}), rebuild=rebuild))
    assert isinstance(found, Conflicted)
    assert (found.paths, rebuild.asked) == (("code",), [])


@pytest.mark.parametrize("method", list(Method))
def test_p16_each_method_makes_it_anew_in_every_commit_that_lands(repo: GitRepo, method: Method) -> None:
    pair = locked(repo)
    repo.git("checkout", "-q", "theirs")
    repo.commit("second", {LOCK: "theirs twice\n", "y.dep": ""})
    repo.git("checkout", "-q", "main")
    rebuild = Rebuilding(pair)
    made = make_candidate(
        pair.git,
        pair.objects,
        method,
        repo.head("ours"),
        Work(repo.head("theirs"), repo.head("main")),
        "land",
        trailers={},
        hot=Hot(regenerate=frozenset({LOCK}), rebuild=rebuild),
    )
    assert isinstance(made, Candidate)
    assert len(rebuild.asked) == len(made.steps) == (2 if method is Method.REBASE else 1)
    for step in made.steps:
        names = sorted(p for p in pair.objects.paths(step) if p.endswith(".dep"))
        assert repo.show(step, LOCK).split() == names
    assert "y.dep" in repo.show(made.commit, LOCK)


# -- snippets ---------------------------------------------------------------------------------------------

CHANGES = {"changes/1-first.md": "- first\n", "CHANGES.md": "- first\n"}


def snippets(repo: GitRepo, before: Mapping[str, str], **sides: Mapping[str, str]) -> Pair:
    repo.commit("before", dict(before))
    for side in ("ours", "theirs"):
        repo.branch(side, dict(sides[side]))
    return Pair.of(repo)


def fragment(pair: Pair, path: str = "CHANGES.md", folder: str = "changes") -> Merged | Conflicted:
    return merged(pair, Hot(fragments={path: folder}, rebuild=Rebuilding(pair)))


def test_p16_a_file_is_put_together_from_the_snippets_of_both(repo: GitRepo) -> None:
    pair = snippets(
        repo,
        CHANGES,
        ours={"changes/10-ours.md": "- ours", "CHANGES.md": "- first\n- ours\n"},
        theirs={"changes/9-theirs.md": "- theirs\n", "changes/.keep": "x", "changes/more/z.md": "- no\n"},
    )
    assert read(pair, fragment(pair), "CHANGES.md") == "- first\n- theirs\n- ours\n"


def test_p16_numbered_migrations_come_in_order(repo: GitRepo) -> None:
    pair = snippets(
        repo,
        {"db/m/0001.sql": "A;\n", "schema.sql": "A;\n"},
        ours={"db/m/0002_x.sql": "B;\n", "schema.sql": "A;\nB;\n"},
        theirs={"db/m/0010_y.sql": "D;\n", "db/m/0003_y.sql": "C;\n", "schema.sql": "A;\nC;\nD;\n"},
    )
    assert isinstance(pair.merge(), Conflicted)
    assert read(pair, fragment(pair, "schema.sql", "db/m"), "schema.sql") == "A;\nB;\nC;\nD;\n"


def test_p16_a_first_snippet_takes_over_a_file_whose_text_it_holds(repo: GitRepo) -> None:
    text = {"CHANGES.md": "- old\n"}
    pair = snippets(repo, text, ours={"x": ""}, theirs={"changes/0.md": "- old\n", "changes/1.md": "- new\n"})
    assert read(pair, fragment(pair), "CHANGES.md") == "- old\n- new\n"


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_p16_text_that_is_in_no_snippet_is_not_lost(repo: GitRepo, side: str) -> None:
    changed = {"ours": {"x": ""}, "theirs": {"changes/2.md": "- second\n"}}
    changed[side]["CHANGES.md"] = "- first\n- by hand\n"
    pair = snippets(repo, CHANGES, **changed)
    with pytest.raises(FragmentLostError) as raised:
        fragment(pair)
    assert (raised.value.path, raised.value.side) == ("CHANGES.md", repo.head(side))


def test_p16_a_snippet_that_is_reworded_or_removed_goes_from_the_file(repo: GitRepo) -> None:
    before = {"changes/1.md": "- frist\n", "changes/2.md": "- out\n", "CHANGES.md": "- frist\n- out\n"}
    pair = snippets(repo, before, ours={"x": ""}, theirs={"changes/1.md": "- first\n", "changes/2.md": ""})
    assert read(pair, fragment(pair), "CHANGES.md") == "- first\n"


@pytest.mark.parametrize("released", ["- first\n", "- v1 released\n"])
def test_p16_text_that_stayed_when_its_snippets_went_is_not_lost(repo: GitRepo, released: str) -> None:
    """A release empties the folder and keeps the file; work from before it brings one more snippet."""
    before = {"changes/1-first.md": released, "CHANGES.md": released}
    pair = snippets(repo, before, ours={"x": ""}, theirs={"changes/2.md": "- second\n"})
    repo.git("checkout", "-q", "ours")
    repo.git("rm", "-q", "changes/1-first.md")
    repo.git("commit", "-q", "-m", "release")
    pair = Pair.of(repo)
    with pytest.raises(FragmentLostError) as raised:
        fragment(pair)
    assert raised.value.side == repo.head("ours")


def test_p16_without_snippets_the_file_is_merged_like_any_other(repo: GitRepo) -> None:
    pair = snippets(repo, {"a": ""}, ours={"CHANGES.md": "x\n"}, theirs={"b": ""})
    assert read(pair, fragment(pair), "CHANGES.md") == "x\n"


def test_p16_a_file_among_its_own_snippets_is_none_of_them(repo: GitRepo) -> None:
    head = repo.commit("x", {"log/all.md": "- a\n", "log/a.md": "- a\n"})
    assert assembled(Pair.of(repo).objects, head, "log/all.md", "log") == b"- a\n"
