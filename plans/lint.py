"""All problems of all plans at once: of each file, and of the plans together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plans.catalog import in_order
from plans.codes import Code
from plans.cycles import find_cycle
from plans.predicted import Predictor
from plans.rules import RULES, Subject, Surroundings
from plans.tree import FileTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plans.catalog import Catalog
    from plans.errors import Problem
    from plans.project import ProjectSettings


@dataclass(frozen=True, slots=True)
class Existing:
    """The repository's paths: all of them, and which are ``symlinks``."""

    files: Sequence[str] = ()
    symlinks: Sequence[str] = ()


NOTHING: Final = Existing()
"""No path is known."""


def lint(
    catalog: Catalog,
    settings: ProjectSettings,
    existing: Existing = NOTHING,
    *,
    settings_problems: Sequence[Problem] = (),
) -> tuple[Problem, ...]:
    """Every problem, by file and line.

    Pure and complete: it neither reads files nor stops at the first error.
    """
    plans = {str(plan_id): plan for plan_id, plan in catalog.plans.items()}
    known = frozenset(plans) | catalog.broken_ids()
    bracketed = tuple(path for path in existing.files if "[" in path)
    predictor = Predictor(FileTree(existing.files))
    around = Surroundings(plans, known, settings, bracketed, tuple(existing.symlinks), predictor)
    subjects = {plan_id: Subject(plan, around) for plan_id, plan in plans.items()}
    found = [problem for subject in subjects.values() for rule in RULES for problem in rule(subject)]
    return in_order((*settings_problems, *catalog.problems, *found, *_cycles(subjects)))


def _cycles(subjects: dict[str, Subject]) -> Iterator[Problem]:
    """One circle after the other, each plan in one of them at most; reported at its first plan."""
    edges = {
        plan_id: {d.plan for d in s.plan.dependencies if d.plan != plan_id and d.plan in subjects}
        for plan_id, s in subjects.items()
    }
    while cycle := find_cycle(edges):
        first = subjects[cycle[0]]
        index = next(i for i, d in enumerate(first.plan.dependencies) if d.plan == cycle[1])
        message = "plans wait for each other: " + " → ".join((*cycle, cycle[0]))
        name = first.element("dependencies", index)
        yield first.problem(Code.DEPENDENCY_CYCLE, name, message, "take one of these dependencies away")
        edges = {k: v - set(cycle) for k, v in edges.items() if k not in cycle}
