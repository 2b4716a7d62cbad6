"""Merge two commits in memory: no checkout, no index, nobody's uncommitted attributes.

1. Where both sides plainly touch different things, the merge is done on tree ids (``treemerge.py``).
2. Else git's engine decides: ``git merge-tree --write-tree``, standing in a folder that holds exactly the
   attribute files of the target (``attributes.py``), under the user's ``merge.*`` settings. Hot files that
   only grow (``hotmerge.py``) are merged by union.

But for these, either way the outcome is the tree, or the same set of (path, mode, object, stage), that
``git merge`` gives in a checkout of ``ours``; see ``docs/merge-agreement.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from plans.effects import step
from worktrees.attributes import folder_for
from worktrees.commit import Author, CommitText
from worktrees.hotmerge import united
from worktrees.treemerge import merge_disjoint

if TYPE_CHECKING:
    from collections.abc import Collection

    from worktrees.git import Git
    from worktrees.objects import Objects

_NOBODY: Final = Author("planctl", "planctl@localhost", 0, 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """One side of a conflict: stage 1 is the common ancestor's, 2 ours, 3 theirs."""

    path: str
    mode: int
    object: str
    stage: int


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge without conflict."""

    tree: str
    messages: str = ""


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A merge that needs a person; ``tree`` holds the conflict markers, ``commit`` is what was carried over.

    ``stages`` may be empty where git sees a conflict that no path stands for.
    """

    tree: str
    stages: tuple[Stage, ...]
    messages: str
    commit: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths in conflict, sorted, each once."""
        return tuple(sorted({s.path for s in self.stages}))


def merge_trees(  # noqa: PLR0913 - two sides, and what else a merge goes by
    git: Git,
    objects: Objects,
    ours: str,
    theirs: str,
    *,
    base: str | None = None,
    attributes_of: str | None = None,
    hot: Collection[str] = (),
) -> Merged | Conflicted:
    """Merge commit ``theirs`` into commit ``ours`` and return what comes out; no reference is touched.

    ``base`` (a commit or tree) is used in place of the common ancestors. ``attributes_of``: the commit whose
    ``.gitattributes`` apply, else ``ours``. ``hot``: paths of hot files. Raises :class:`GitFailedError`, for
    unrelated histories too.
    """
    bases = (base,) if base is not None else objects.merge_bases(ours, theirs)
    growing: frozenset[str] = frozenset()
    if len(bases) == 1:
        trees = [objects.tree_of(commit) for commit in (bases[0], ours, theirs)]
        tree = merge_disjoint(objects, *trees)
        if tree is not None:
            return Merged(tree)
        growing = united(objects, hot, *trees)
    sides = (ours, theirs) if base is None else _reparented(objects, base, ours, theirs)
    git.ensure_desk()
    folder = folder_for(objects, attributes_of or ours, growing)
    command = ("merge-tree", "--write-tree", "-z", "--messages", *sides)
    with step("merge.write"):
        answer = git.run(*command, ok=(0, 1), writes=True, work_tree=folder)
    found = _parse(answer.output, clean=answer.status == 0)
    if isinstance(found, Merged):
        return found
    stages = (replace(s, path=_relabelled(s.path, sides, ("HEAD", theirs))) for s in found.stages)
    return replace(found, stages=tuple(sorted(stages, key=lambda s: (s.path, s.stage))))


def _reparented(objects: Objects, base: str, ours: str, theirs: str) -> tuple[str, str]:
    """Return commits with the trees of both sides whose one common ancestor has the tree of ``base``.

    ``merge-tree --merge-base`` came only with git 2.40; this does the same on every version. The commits are
    the same bytes each time, so a repeated merge leaves nothing new behind.
    """
    root = CommitText(objects.tree_of(base), (), _NOBODY, _NOBODY, "base\n")
    parent = objects.write_commit(root, durable=False)
    side = replace(root, tree=objects.tree_of(ours), parents=(parent,), message="ours\n")
    one = objects.write_commit(side, durable=False)
    side = replace(side, tree=objects.tree_of(theirs), message="theirs\n")
    return one, objects.write_commit(side, durable=False)


def _parse(output: bytes, *, clean: bool) -> Merged | Conflicted:
    """Read ``-z`` output: the tree; rows "mode object stage<TAB>path" up to an empty one; then messages."""
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    tree = fields[0].strip()
    end = fields.index("", 1) if "" in fields[1:] else len(fields)
    if clean:
        return Merged(tree, _messages(fields[end + 1 :]))
    stages: list[Stage] = []
    for row in fields[1:end]:
        head, _, path = row.partition("\t")
        mode, object_, stage = head.split(" ")
        stages.append(Stage(path, int(mode, 8), object_, int(stage)))
    return Conflicted(tree, tuple(stages), _messages(fields[end + 1 :]))


def _relabelled(path: str, sides: tuple[str, str], labels: tuple[str, str]) -> str:
    """Name a file that made room for a folder as ``git merge`` would: "path~HEAD", not "path~1a2b…"."""
    for side, label in zip(sides, labels, strict=True):
        path = re.sub(rf"~{side}(_\d+)?$", rf"~{label}\1", path)
    return path


def _messages(fields: list[str]) -> str:
    """Each message is a count of paths, the paths, a stable short type, and the text for people."""
    texts = []
    position = 0
    while position < len(fields) and fields[position].isdigit():
        position += 1 + int(fields[position])
        if position + 1 < len(fields):
            texts.append(fields[position + 1].rstrip("\n"))
        position += 2
    return "\n".join(texts)
