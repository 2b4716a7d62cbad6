"""Many plan files as one thing: plans by id, and every problem of every file."""

from __future__ import annotations

import difflib
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from plans.codes import Code
from plans.document import is_plan_file, read_plan
from plans.errors import InvalidPlansError, Problem, Severity, UnknownPlanError
from plans.folders import gather

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from plans.ids import PlanId
    from plans.model import Plan


@dataclass(frozen=True, slots=True)
class Catalog:
    """Plans that can be used, by id in sorted order, and the problems of all files, by file and line.

    A plan with an error, or whose id another file has too, is not among ``plans``. ``root`` is the folder
    that paths are relative to, where there is one.
    """

    plans: Mapping[PlanId, Plan]
    problems: tuple[Problem, ...] = ()
    root: Path | None = None

    def broken_ids(self) -> frozenset[str]:
        """Ids of plans that exist and cannot be used."""
        return frozenset(p.plan for p in self._errors() if p.plan)

    def require(self, name: str) -> Plan:
        """The plan of that id or path.

        Raises :class:`InvalidPlansError` with its problems if it has errors, and
        :class:`UnknownPlanError` with the nearest ids if there is none.
        """
        path = self._path_of(name)
        for plan in self.plans.values():
            if plan.id == name or plan.path.as_posix() == path:
                return plan
        problems = tuple(p for p in self._errors() if p.plan == name or p.path == path)
        if problems:
            raise InvalidPlansError(problems)
        near = difflib.get_close_matches(name[:64], [*self.plans], n=3, cutoff=0.5)
        raise UnknownPlanError(name, tuple(near))

    def select(self, names: Iterable[str], *, with_dependencies: bool) -> tuple[Plan, ...]:
        """The plans named, each once and in that order; with what they depend on after them, if wished.

        Dependencies that no file defines are left out: they may have landed long ago, and ``lint`` names
        them. Raises as :meth:`require`; of several plans with errors, the problems of all.
        """
        chosen: dict[str, Plan] = {}
        problems: list[Problem] = []
        defined = {*self.plans, *self.broken_ids()}
        queue = list(names)
        for name in queue:  # grows while it is walked
            try:
                plan = self.require(name)
            except InvalidPlansError as error:
                problems += [p for p in error.problems if p not in problems]
                continue
            if plan.id not in chosen:
                chosen[plan.id] = plan
                if with_dependencies:
                    queue += [d.plan for d in plan.dependencies if d.plan in defined]
        if problems:
            raise InvalidPlansError(tuple(problems))
        return tuple(chosen.values())

    def _errors(self) -> Iterable[Problem]:
        return (p for p in self.problems if p.severity is Severity.ERROR)

    def _path_of(self, name: str) -> str:
        path = Path(os.path.normpath(name))
        if self.root and path.is_relative_to(self.root):
            path = path.relative_to(self.root)
        return path.as_posix()


def build_catalog(
    files: Iterable[tuple[Path, bytes]], *, root: Path | None = None, asked: Collection[Path] = ()
) -> Catalog:
    """Read files. Those that are no plans are left out, except the ``asked`` ones: these become problems."""
    by_id: dict[PlanId, list[Plan]] = defaultdict(list)
    problems: list[Problem] = []
    for path, source in files:
        if path not in asked and not is_plan_file(path, source):
            continue
        read = read_plan(path, source)
        problems += read.problems
        if read.plan:
            by_id[read.plan.id].append(read.plan)
    for twins in by_id.values():
        problems += _twins(twins)
    plans = {plan_id: twins[0] for plan_id, twins in sorted(by_id.items()) if len(twins) == 1}
    return Catalog(MappingProxyType(plans), in_order(problems), root)


def load_catalog(root: Path, folders: Sequence[str], extra: Sequence[Path] = ()) -> Catalog:
    """Read the plans of ``folders`` below ``root``, and ``extra`` files; see :func:`plans.folders.gather`.

    Never raises for what lies there: what cannot be read is a problem of the catalog.
    """
    found = gather(root, folders, extra)
    catalog = build_catalog(found.files, root=root.resolve(), asked=found.asked)
    return Catalog(catalog.plans, in_order((*catalog.problems, *found.problems)), catalog.root)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by file, line and column."""
    return tuple(sorted(problems, key=lambda p: (p.path, p.line, p.column, p.code, p.field)))


def _twins(plans: Sequence[Plan]) -> Iterable[Problem]:
    if len(plans) == 1:
        return
    for plan in plans:
        others = ", ".join(other.path.as_posix() for other in plans if other is not plan)
        message = f"the plan {plan.id} is also in {others}"
        hint = "give one of them another id with 'plan:'"
        yield Problem(plan.path.as_posix(), Code.DUPLICATE_ID, message, 1, 1, "plan", hint, plan.id)
