"""The independent check before a reference moves, and the proof after it has.

Before: by tree ids through libgit2, not through what merged. Refused is a candidate that

- names a file whose content is not there (a ``git gc --prune=now`` while it was made; S15),
- is not a descendant of the target with exactly the parents that were meant (S2, S6),
- has another tree than the one the verdict speaks of (S2),
- changes a path that neither its members changed nor a rename nor the snippets of a hot file explain, unless
  a second merge by another engine gives the very same tree (S3).

After: what the references say now. A proof that fails stops the queue, since then something is wrong that
no rule of planctl knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.settings import hot_of
from orchestrator.submitting.landed import landed_by
from worktrees.changes import landing_scope
from worktrees.fragments import assembled
from worktrees.trees import GITLINK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.store.records import Entry, Intent
    from orchestrator.workbench import Workbench
    from worktrees.candidate import Candidate, Work


MISSING: Final = "missing-object"
"""The code of a candidate that names what is not there: made anew it may be."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate must not land; for a person, and blaming nobody."""

    code: str
    detail: str
    paths: tuple[str, ...] = ()


def refusal(
    bench: Workbench, old: str, candidate: Candidate, work: Work, trees: Mapping[str, str]
) -> Refusal | None:
    """Return why ``candidate`` must not follow ``old`` on the target, or None.

    ``trees`` maps commits to the trees that their passing verdicts speak of; none for an unchecked landing.
    """
    refused = (
        _other_parents(bench, old, candidate, work)
        or _other_tree(bench, candidate, trees)
        or _incomplete(bench, old, candidate)
    )
    if refused:
        return refused
    found = landing_scope(bench.objects, old, candidate.commit, work).outside
    outside = tuple(path for path in found if not _is_assembled(bench, candidate, path))
    if not outside or _second_opinion(bench, old, work) == candidate.tree:
        return None
    return Refusal("undoes-others", f"would change what the work did not: {_some(outside)}", outside)


def batch_refusal(
    bench: Workbench, old: str, last: str, candidate: Candidate, trees: Mapping[str, str]
) -> Refusal | None:
    """Return why the commit over a batch must not follow ``old``, or None; its members have been looked at.

    It brings nothing of its own: its parents are ``old`` and the ``last`` member's commit, whose tree it has.
    """
    if bench.objects.parents(candidate.commit) != (old, last):
        return Refusal("wrong-parent", f"{candidate.commit[:12]} does not merge {last[:12]} onto {old[:12]}")
    if bench.objects.tree_of(last) != candidate.tree:
        return Refusal("other-tree", f"{candidate.commit[:12]} has another tree than {last[:12]}")
    return _other_tree(bench, candidate, trees)


def _other_parents(bench: Workbench, old: str, candidate: Candidate, work: Work) -> Refusal | None:
    objects, expected = bench.objects, old
    for commit in candidate.steps:
        parents = objects.parents(commit)
        if not parents or parents[0] != expected:
            return Refusal("wrong-parent", f"{commit[:12]} does not follow {expected[:12]}")
        if parents[1:] not in ((), (work.head,)):
            return Refusal("wrong-parent", f"{commit[:12]} does not merge {work.head[:12]}")
        expected = commit
    if expected != candidate.commit:
        return Refusal("wrong-parent", f"{candidate.commit[:12]} is not the last of its own steps")
    return None


def _other_tree(bench: Workbench, candidate: Candidate, trees: Mapping[str, str]) -> Refusal | None:
    if bench.objects.tree_of(candidate.commit) != candidate.tree:
        return Refusal("other-tree", f"{candidate.commit[:12]} does not have tree {candidate.tree[:12]}")
    for commit, tree in trees.items():
        if bench.objects.tree_of(commit) != tree:
            return Refusal("other-tree", f"the check spoke of tree {tree[:12]}, {commit[:12]} has another")
    return None


def _incomplete(bench: Workbench, old: str, candidate: Candidate) -> Refusal | None:
    """A partial clone lacks contents by design: there is nothing to tell."""
    objects = bench.objects
    new = {
        c.path: c.new_object for c in objects.changes(old, candidate.commit) if c.new_mode not in (0, GITLINK)
    }
    gone = sorted(path for path, object_ in new.items() if not objects.has(object_))
    if not gone or objects.is_partial:
        return None
    return Refusal(MISSING, f"the content is not there: {_some(tuple(gone))}", tuple(gone))


def _is_assembled(bench: Workbench, candidate: Candidate, path: str) -> bool:
    """Whether a hot file is exactly what the snippets beside it give: declared, so D of S3."""
    folder = hot_of(bench.settings.project).fragments.get(path)
    if folder is None:
        return False
    content = assembled(bench.objects, candidate.commit, path, folder)
    return content is not None and content == bench.objects.regular_file(candidate.commit, path)


def _second_opinion(bench: Workbench, old: str, work: Work) -> str | None:
    return bench.objects.merged_by_libgit2(work.base if work.explicit_base else None, old, work.head)


def _some(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")  # noqa: PLR2004 - a line


def flaw(bench: Workbench, entries: Iterable[Entry], intent: Intent) -> str | None:
    """Return what is wrong with a landing that was just made, None when the references prove it.

    Each landed reference names its entry's commit (S4), which the landing contains; the target contains the
    landing (S8), and that contains the old target (S6).
    """
    objects, tip = bench.objects, bench.target_tip()
    brought = {intent.old, *objects.commits(intent.new, intent.old)}
    for entry in entries:
        made = intent.members[entry.id]
        found = landed_by(bench, entry.plan or entry.branch, entry.id)
        if found != made:
            return f"the landed reference of {entry.id} is at {found}, not at {made}"
        if made not in brought and not (intent.new == intent.old and objects.is_ancestor(made, tip)):
            return f"{intent.new} does not contain {made}, which is to land with it"
    if not objects.is_ancestor(intent.new, tip):
        return f"{intent.target} is at {tip}, which does not contain {intent.new}"
    if not objects.is_ancestor(intent.old, intent.new):
        return f"{intent.new} does not contain {intent.old}, where {intent.target} was before"
    return None
