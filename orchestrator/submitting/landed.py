"""What a plan or branch has landed: the reference exists *and* is reachable from the target.

On a remote it is the union of two: its landed references, and what the trailers of its target tell. Not every
clone may write the former, or could at the time; the latter may be stripped.
"""

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
        commits = [
            commit
            for folder in landed_folders(bench)
            for commit in bench.references.list(f"{landed_folder(folder, subject)}/").values()
        ]
    return tuple(c for c in dict.fromkeys(commits) if bench.objects.is_ancestor(c, tip))


def landed_folders(bench: Workbench) -> tuple[str, ...]:
    """Where it stands what has landed."""
    return (bench.landed,) if bench.mirror is None else (bench.landed, bench.mirror.told)


def landed_by(bench: Workbench, subject: str, key: str) -> str | None:
    """The commit that a landed reference of the key names: of several the first that the target contains."""
    names = [landed_reference(bench.landed, subject, key)]
    if bench.mirror is None:
        return bench.references.read(names[0])
    names += [landed_reference(bench.mirror.told, subject, key), f"{bench.mirror.told}/{BY_KEY}/{key}"]
    found = [commit for name in names if (commit := bench.references.read(name))]
    tip = bench.target_tip() if found else ""
    return next((c for c in found if bench.objects.is_ancestor(c, tip)), found[0] if found else None)


def landed_plans(bench: Workbench, plans: Iterable[str], tip: str) -> dict[str, str]:
    """Map each of ``plans`` that has landed to one of its commits on the target."""
    wanted = {plan: f"{landed_folder(bench.landed, plan)}/" for plan in plans}
    made: dict[str, str] = {}
    for root in landed_folders(bench) if wanted else ():
        for name, commit in bench.references.list(f"{root}/").items():
            folder = bench.landed + name[len(root) : name.rindex("/") + 1]
            if folder in wanted.values() and bench.objects.is_ancestor(commit, tip):
                made.setdefault(folder, commit)
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
