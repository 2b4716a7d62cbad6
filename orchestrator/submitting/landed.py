"""What a plan or branch has landed: the reference exists *and* is reachable from the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.submitting.key import BY_KEY, landed_folder, landed_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


_WALKED: Final = 8
"""Commits looked at for each entry: a landing is one commit beside those of its branch."""


def landed_commits(bench: Workbench, subject: str, tip: str, *, key: str | None = None) -> tuple[str, ...]:
    """The commits of ``subject`` (a plan id or branch) that are on the target at ``tip``.

    With ``key`` only the one that this landing key made.
    """
    if key is not None:
        made = landed_by(bench, subject, key)
        commits = [made] if made else []
    else:
        commits = list(bench.references.list(f"{landed_folder(bench.landed, subject)}/").values())
    return tuple(commit for commit in commits if bench.objects.is_ancestor(commit, tip))


def landed_by(bench: Workbench, subject: str, key: str) -> str | None:
    """The commit that the landed reference of a key names, whether or not the target contains it."""
    found = bench.references.read(landed_reference(bench.landed, subject, key))
    if found is None and bench.mirror is not None:
        found = bench.references.read(f"{bench.landed}/{BY_KEY}/{key}")
    return found


def landed_plans(bench: Workbench, plans: Iterable[str], tip: str) -> dict[str, str]:
    """Map each of ``plans`` that has landed to one of its commits on the target."""
    wanted = {plan: f"{landed_folder(bench.landed, plan)}/" for plan in plans}
    made: dict[str, str] = {}
    for name, commit in (bench.references.list(f"{bench.landed}/") if wanted else {}).items():
        folder = name[: name.rindex("/") + 1]
        if folder in wanted.values() and bench.objects.is_ancestor(commit, tip):
            made[folder] = commit
    return {plan: made[folder] for plan, folder in wanted.items() if folder in made}


def on_target(bench: Workbench, entries: Sequence[Entry]) -> frozenset[str]:
    """The ids of those that :func:`is_on_target`; what has landed just now is found by one short walk."""
    newest = {*bench.objects.commits(bench.target_tip(), limit=_WALKED * (len(entries) + 1))}
    return frozenset(e.id for e in entries if e.landed_commit in newest or is_on_target(bench, e))


def is_on_target(bench: Workbench, entry: Entry) -> bool:
    """Whether what the store calls landed is on the target now (S8)."""
    commit = entry.landed_commit
    if commit is None or not bench.objects.has_commit(commit):
        return False
    return bench.objects.is_ancestor(commit, bench.target_tip())
