"""What a plan really changed, against what it said it would: decided purely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.folding import EXACT
from plans.project import Enforce

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from plans.folding import Folding
    from plans.ids import PlanId
    from plans.model import Plan
    from plans.patterns import PatternSet


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a plan went beyond its manifest.

    ``outside`` are the changed paths that the manifest does not name, ``collisions`` those that another
    active plan declared, with that plan; ``refused`` says why the work may not be submitted, or is empty.
    """

    outside: tuple[str, ...]
    collisions: tuple[tuple[str, PlanId], ...]
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """Of a plan what drift is judged by: its file's ``path``, and ``write``, None without a manifest."""

    path: str
    write: PatternSet | None


@dataclass(frozen=True, slots=True)
class Means:
    """What names mean: paths that are ``hot`` collide with nobody, ``folding`` says which are one file."""

    hot: Collection[str] = ()
    folding: Folding = EXACT


PLAIN: Final = Means()


def find_drift(
    plan: Plan,
    changed: Sequence[str],
    others: Mapping[PlanId, PatternSet],
    enforce: Enforce,
    means: Means = PLAIN,
) -> Drift:
    """Compare ``changed`` with the plan's manifest and with what ``others`` (active plans) declared.

    A plan without a manifest has declared nothing: all it changed may collide, and nothing is drift.
    The plan's own file is always its own, and a hot file collides with nobody.
    """
    own = Declaration(plan.path.as_posix(), plan.declared.write if plan.declared else None)
    return judge(own, changed, others, enforce, means)


def judge(
    own: Declaration,
    changed: Sequence[str],
    others: Mapping[PlanId, PatternSet],
    enforce: Enforce,
    means: Means = PLAIN,
) -> Drift:
    """As :func:`find_drift`, from what a plan declared: at submission, and when a commit is made."""
    fold = means.folding
    write = own.write and fold.patterns(own.write)
    outside = tuple(p for p in changed if p != own.path and not (write and write.matches(fold.path(p))))
    declared_by_others = {other: fold.patterns(declared) for other, declared in others.items()}
    hits = tuple(
        (path, other)
        for path in outside
        if path not in means.hot
        for other, declared in declared_by_others.items()
        if declared.matches(fold.path(path))
    )
    refused = ""
    if enforce is not Enforce.OFF and hits:
        path, other = hits[0]
        refused = f"changed {path}, which {other} declared"
    elif enforce is Enforce.STRICT and outside and write is not None:
        refused = f"changed {outside[0]}, which its manifest does not name"
    return Drift(outside if write is not None else (), hits, refused)
