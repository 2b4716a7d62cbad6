"""Which references stay when planctl goes: a pure decision, so that nothing that has not landed is lost.

- the user's own stay as they are
- a branch that planctl made goes when the user's own references lead to its commit; else it stays, as an
  ordinary branch
- rescues stay, all of them: whether their work was done again, nobody can tell
- what is archived stays unless what else stays leads to it; a pinned stash entry goes if it is in the list
- of everything else (phases, tips, adopted, landed, entries) the commits that nothing leads to are parked;
  candidates, frozen runs, the epoch and what mirrors a remote are planctl's alone
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worktrees.archive import PREFIX as ARCHIVE
from worktrees.dismantle import REFERENCES
from worktrees.rescue import PREFIX as RESCUE
from worktrees.stash import PREFIX as STASH

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

_PLANCTLS_ALONE: Final = tuple(f"{REFERENCES}{name}" for name in ("epoch", "runs/", "candidates/", "remote/"))


@dataclass(frozen=True, slots=True)
class Kept:
    """A reference that stays: it may be the only one that leads to its commit."""

    reference: str
    commit: str


@dataclass(frozen=True, slots=True)
class Partition:
    """``kept`` are those of planctl's making that stay; ``parked`` maps commits to a label to park under.

    ``dropped`` maps names to the object that they must still name when they are deleted.
    """

    kept: tuple[Kept, ...]
    parked: Mapping[str, str]
    dropped: Mapping[str, str]


def partition(
    references: Mapping[str, str],
    branches: Collection[str],
    stashed: Collection[str],
    unreachable: Callable[[Collection[str], Iterable[str]], frozenset[str]],
) -> Partition:
    """Decide; ``references`` are all there are, ``branches`` the names of those that planctl made.

    ``stashed`` are the commits of the stash list. ``unreachable(commits, staying)`` names those of the
    commits that nothing in ``staying`` leads to.
    """
    users = {
        name: commit
        for name, commit in references.items()
        if not name.startswith(REFERENCES) and name not in branches
    }
    made = {name: references[name] for name in branches if name in references}
    loose = unreachable(set(made.values()), users.values())
    staying = {name: commit for name, commit in made.items() if commit in loose}
    kept = {**staying, **{n: c for n, c in references.items() if n.startswith(f"{RESCUE}/")}}
    pins = {n: c for n, c in references.items() if n.startswith(f"{STASH}/")}
    kept |= {name: commit for name, commit in pins.items() if commit not in stashed}
    reached = (*users.values(), *staying.values())
    archived = {n: c for n, c in references.items() if n.startswith(f"{ARCHIVE}/") and n not in pins}
    loose = unreachable(set(archived.values()), reached)
    kept |= {name: commit for name, commit in archived.items() if commit in loose}
    rest = {
        name: commit
        for name, commit in references.items()
        if name.startswith(REFERENCES)
        and not name.startswith((*_PLANCTLS_ALONE, f"{RESCUE}/", f"{ARCHIVE}/"))
    }
    loose = unreachable(set(rest.values()), (*reached, *(c for n, c in kept.items())))
    parked = {commit: _label(name) for name, commit in rest.items() if commit in loose}
    gone = {n: c for n, c in references.items() if n.startswith(REFERENCES) or n in made}
    return Partition(
        tuple(Kept(name, commit) for name, commit in sorted(kept.items())),
        parked,
        {name: commit for name, commit in gone.items() if name not in kept},
    )


def _label(name: str) -> str:
    """The plan that a reference is of: ``phases/<plan>/…``, ``landed/<plan>/…``, ``adopted/<run>/<plan>``."""
    kind, _, rest = name.removeprefix(REFERENCES).partition("/")
    parts = rest.split("/")
    return parts[-1] if kind == "adopted" else parts[0]
