"""A merge in memory beside the ``git merge`` of a real checkout."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.histories import Random, write_history
from tests.support.repo import GitRepo
from worktrees.errors import GitFailedError
from worktrees.git import Git
from worktrees.merge import Conflicted, Merged, Stage, merge_trees
from worktrees.objects import Objects
from worktrees.repository import find
from worktrees.treemerge import merge_disjoint


@dataclass(frozen=True)
class Pair:
    """A real repository and the doors to it."""

    repo: GitRepo
    git: Git
    objects: Objects

    @classmethod
    def of(cls, repo: GitRepo) -> Pair:
        repository = find(repo.path)
        git = Git(repository)
        git.ensure_desk()
        return cls(repo, git, Objects(repository))

    def merge(self, ours: str = "ours", theirs: str = "theirs", **options: Any) -> Merged | Conflicted:
        heads = self.repo.head(ours), self.repo.head(theirs)
        return merge_trees(self.git, self.objects, *heads, **options)

    def by_tree_ids(self, ours: str = "ours", theirs: str = "theirs") -> str | None:
        heads = self.repo.head(ours), self.repo.head(theirs)
        bases = self.objects.merge_bases(*heads)
        if len(bases) != 1:
            return None
        trees = [self.objects.tree_of(c) for c in (bases[0], *heads)]
        return merge_disjoint(self.objects, *trees)


def real_merge(repo: GitRepo, ours: str = "ours", theirs: str = "theirs") -> str | set[Stage] | None:
    """What git merge makes of it in a checkout of ``ours``: a tree, or the stages of the conflict.

    None: git breaks down (an assertion, "BUG: merge-ort.c", a null id in the index), as it does where
    renamed folders, files in their way and changes of kind meet.
    """
    repo.git("checkout", "-q", "-f", "--detach", ours)
    before = repo.head()
    # Files whose attributes would store them differently must not look edited: an index younger than they
    # are is believed, not compared with their contents.
    os.utime(repo.path / ".git" / "index", (2_000_000_000, 2_000_000_000))
    said = repo.said("merge", "-q", "--no-ff", "-m", "m", repo.head(theirs))
    stages = set()
    for row in filter(None, repo.git("ls-files", "-u", "-z").split("\0")):
        head, _, path = row.partition("\t")
        mode, object_, stage = head.split()
        stages.add(Stage(path, int(mode, 8), object_, int(stage)))
    if stages or (repo.path / ".git" / "MERGE_HEAD").exists():
        return stages
    if repo.head() != before:
        return repo.head("HEAD^{tree}")
    require_known(said)
    return None


BREAKDOWNS = (
    r"BUG: merge-ort\.c:\d+: Conflicted .* but nothing in basic working tree or index",
    r"error: cache entry has null sha1: ",
    r"merge-ort\.c:\d+: handle_content_merge: Assertion .* failed",
)
"""What git 2.39 says where it breaks down, met in 600 histories; any other message is a fault of ours."""


def require_known(said: str) -> None:
    assert any(re.search(kind, said) for kind in BREAKDOWNS), f"git ended otherwise than known: {said}"


def kinds(repo: GitRepo) -> set[str]:
    """Which of the things that make merges hard are in the history."""
    rows = "".join(repo.git("diff-tree", "-r", "-M", "base", side) + "\n" for side in ("ours", "theirs"))
    found = {kind for kind, sign in SIGNS.items() if re.search(sign, rows, re.MULTILINE)}
    return found | ({"crlf"} if repo.git("grep", "-lF", "\r", "ours", ok=False) else set())


SIGNS = {
    "renames": r"^:.* R\d+\t",
    "modes": r"^:100644 100755 |^:100755 100644 ",
    "symlinks": r"^:\d+ 120000 ",
    "submodules": r"^:\d+ 160000 ",
    "attributes": r"\.gitattributes$",
}


def outcome(found: Merged | Conflicted) -> str | set[Stage]:
    return found.tree if isinstance(found, Merged) else set(found.stages)


def compare_histories(folder: Path, seeds: range, *, plain: bool = False) -> Counter[str]:
    """Merge the history of every seed both ways; return what was met, fail where they differ."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        path = folder / f"r{seed}"
        path.mkdir()
        repo = GitRepo(path)
        repo.git("init", "-q", "-b", "main", "--template=")
        dice = Random(seed, plain)
        repo.git("config", "merge.conflictStyle", dice.rng.choice(("merge", "diff3", "zdiff3")))
        repo.git("config", "merge.directoryRenames", dice.rng.choice(("true", "conflict", "false")))
        write_history(repo, dice)
        counts.update(kinds(repo))
        pair = Pair.of(repo)
        try:
            found = pair.merge()
        except GitFailedError as error:
            require_known(str(error))
            assert real_merge(repo) is None, f"seed {seed}"
            counts["git broke down"] += 1
            continue
        real = real_merge(repo)
        if real is None:
            assert isinstance(found, Conflicted), f"seed {seed}"
            counts["git broke down"] += 1
            continue
        assert outcome(found) == real, f"seed {seed}"
        counts["merged" if isinstance(found, Merged) else "conflicted"] += 1
        counts["by tree ids"] += pair.by_tree_ids() is not None
        shutil.rmtree(path)
    return counts
