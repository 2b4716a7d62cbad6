"""What a plan or branch has landed: the reference exists *and* is reachable from the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.submitting.key import landed_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.store.records import Entry
    from orchestrator.workbench import Workbench


def landed_commits(bench: Workbench, subject: str, tip: str, *, key: str | None = None) -> tuple[str, ...]:
    """The commits of ``subject`` (a plan id or branch) that are on the target at ``tip``.

    With ``key`` only the one that this landing key made.
    """
    found = bench.references.list(f"{landed_folder(subject)}/")
    commits = [commit for name, commit in found.items() if key is None or name.endswith(f"/{key}")]
    return tuple(commit for commit in commits if bench.objects.is_ancestor(commit, tip))


def landed_plans(bench: Workbench, plans: Iterable[str], tip: str) -> dict[str, str]:
    """Map each of ``plans`` that has landed to one of its commits on the target."""
    found: dict[str, str] = {}
    for plan in plans:
        commits = landed_commits(bench, plan, tip)
        if commits:
            found[plan] = commits[-1]
    return found


def is_on_target(bench: Workbench, entry: Entry) -> bool:
    """Whether what the store calls landed is on the target now (S8)."""
    commit = entry.landed_commit
    if commit is None or not bench.objects.has_commit(commit):
        return False
    return bench.objects.is_ancestor(commit, bench.target_tip())
