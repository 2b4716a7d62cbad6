"""Make the commit that is checked and landed, in memory, by one of three methods.

- merge: one commit with two parents, always;
- squash: one commit, by the author of the last commit of the work, the other authors as trailers;
- rebase: the work's commits, one after the other on the target, authors kept.

Attributes are the target's. A candidate is durable when it is returned; nothing points to it yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from worktrees.commit import Author
from worktrees.hot import NONE, Hot
from worktrees.merge import Conflicted, Merged
from worktrees.mergehot import merge_hot
from worktrees.trailers import OWN_TRAILERS, co_authors, with_trailers
from worktrees.writer import Draft, write_commit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worktrees.git import Git
    from worktrees.objects import Objects


class Method(StrEnum):
    """How work is brought onto the target."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to land: the commits of ``head`` since ``base``.

    ``explicit_base``: the work stands on other work (a stack), so changes are counted from ``base``, which
    is used as the merge base; else git's own merge bases with the target are.
    """

    head: str
    base: str
    explicit_base: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit that can land. ``steps``: every new commit in the target's history, oldest first, it last."""

    commit: str
    tree: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """The target holds the work already: its commits, or with squash and rebase its every change."""


class Reason(StrEnum):
    """Why no candidate can be made by this method."""

    MERGE_COMMITS = "the branch contains merge commits, which a rebase cannot keep; use method: merge"
    UNRELATED = "the branch and the target have no common history"
    BASE_LEFT = "the branch no longer contains the commit that it was started from"


@dataclass(frozen=True, slots=True)
class Unsuitable:
    """The method cannot be used on this work."""

    reason: Reason


Outcome: TypeAlias = Candidate | Conflicted | AlreadyThere | Unsuitable


def make_candidate(  # noqa: PLR0913, PLR0917 - what is landed, onto what, how, and in what words
    git: Git,
    objects: Objects,
    method: str,
    target: str,
    work: Work,
    message: str,
    *,
    trailers: Mapping[str, str],
    hot: Hot = NONE,
) -> Outcome:
    """Bring ``work`` onto the commit ``target``; no reference is touched.

    ``message`` is the commit's for merge and squash (rebase keeps those of the commits). ``trailers`` end
    every new commit; such trailers in the message are replaced, and planctl's own removed.
    ``hot``: the target's hot files. Raises :class:`SigningFailedError`, :class:`GitFailedError`, and as
    :func:`merge_hot`.
    """
    if objects.is_ancestor(work.head, target):
        return AlreadyThere()
    unfit = _unfit(objects, target, work)
    if unfit is not None:
        return Unsuitable(unfit)
    onto = _Onto(git, objects, target, work, dict(trailers), hot)
    match Method(method):
        case Method.MERGE:
            return _merge(onto, message)
        case Method.SQUASH:
            return _squash(onto, message)
        case Method.REBASE:
            return _rebase(onto)


@dataclass(frozen=True, slots=True)
class _Onto:
    """One task of bringing work onto a target."""

    git: Git
    objects: Objects
    target: str
    work: Work
    trailers: dict[str, str]
    hot: Hot

    def own_commits(self) -> tuple[str, ...]:
        """Return the commits that are the work's own, parents before children."""
        hidden = (self.target, self.work.base) if self.work.explicit_base else (self.target,)
        return self.objects.commits(self.work.head, *hidden)

    def end(self, message: str, more: tuple[tuple[str, str], ...] = ()) -> str:
        """Return ``message`` with the trailers at its end."""
        return with_trailers(
            message, (*more, *self.trailers.items()), replacing=(*OWN_TRAILERS, *self.trailers)
        )


def _unfit(objects: Objects, target: str, work: Work) -> Reason | None:
    if work.explicit_base:
        return None if objects.is_ancestor(work.base, work.head) else Reason.BASE_LEFT
    return None if objects.merge_bases(target, work.head) else Reason.UNRELATED


def _merge(onto: _Onto, message: str) -> Outcome:
    merged = _three_way(onto)
    if isinstance(merged, Conflicted):
        return merged
    parents = (onto.target, onto.work.head)
    return _single(onto, Draft(merged.tree, parents, onto.end(message)))


def _squash(onto: _Onto, message: str) -> Outcome:
    merged = _three_way(onto)
    if isinstance(merged, Conflicted):
        return merged
    if merged.tree == onto.objects.tree_of(onto.target):
        return AlreadyThere()
    author, others = _authors(onto)
    credits_ = tuple(("Co-authored-by", other) for other in others)
    return _single(onto, Draft(merged.tree, (onto.target,), onto.end(message, credits_), author))


def _three_way(onto: _Onto) -> Merged | Conflicted:
    base = onto.work.base if onto.work.explicit_base else None
    return merge_hot(onto.git, onto.objects, onto.target, onto.work.head, onto.hot, base=base)


def _single(onto: _Onto, draft: Draft) -> Candidate:
    commit = write_commit(onto.git, onto.objects, draft)
    return Candidate(commit, draft.tree, (commit,))


def _authors(onto: _Onto) -> tuple[Author, tuple[str, ...]]:
    """Return the author of the last commit that is no merge, and "name <email>" of every other."""
    texts = [onto.objects.commit(c) for c in onto.own_commits()]
    plain = [text for text in texts if len(text.parents) <= 1] or texts
    author = plain[-1].author
    found: dict[str, str] = {}
    for text in plain:
        for credit in (f"{text.author.name} <{text.author.email}>", *co_authors(text.message)):
            email = credit.rpartition("<")[2].rstrip("> ").lower()
            found.setdefault(email, credit)
    found.pop(author.email.lower(), None)
    return author, tuple(found.values())


def _rebase(onto: _Onto) -> Outcome:
    """Linear work only: carry each commit over by a merge whose base is the commit's parent.

    A commit that brings nothing any more is left out; one that was empty from the start stays.
    """
    objects, tip, steps = onto.objects, onto.target, []
    own = [(commit, objects.commit(commit)) for commit in onto.own_commits()]
    if any(len(text.parents) > 1 for _, text in own):
        return Unsuitable(Reason.MERGE_COMMITS)
    for commit, text in own:
        before = objects.tree_of(text.parents[0]) if text.parents else objects.write_tree({})
        merged = merge_hot(onto.git, objects, tip, commit, onto.hot, base=before, attributes_of=onto.target)
        if isinstance(merged, Conflicted):
            return replace(merged, commit=commit)
        if merged.tree == objects.tree_of(tip) and before != text.tree:
            continue
        tip = write_commit(onto.git, objects, Draft(merged.tree, (tip,), onto.end(text.message), text.author))
        steps.append(tip)
    return Candidate(tip, objects.tree_of(tip), tuple(steps)) if steps else AlreadyThere()
