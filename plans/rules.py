"""The rules that need more than one file: each takes one plan and its surroundings, and yields problems."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from plans.codes import Code
from plans.errors import Problem, Severity, UndecidedPatternsError
from plans.intersect import witness
from plans.model import Until
from plans.nodes import Node, Scalar, shown
from plans.patterns import Pattern, PatternSet, bracket_literals
from plans.places import fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from plans.model import Dependency, Manifest, Plan, Run
    from plans.predicted import Predictor
    from plans.project import ProjectSettings


_FEW: Final = 5
_EVERYTHING: Final = PatternSet((Pattern("**"),))


@dataclass(frozen=True)
class Surroundings:
    """What a plan is looked at with.

    ``known`` are ids of all plans, unusable ones included; ``existing`` are the repository's paths that
    contain a bracket, ``symlinks`` those that are links; ``predictor`` knows them all, but no history.
    """

    plans: Mapping[str, Plan]
    known: frozenset[str]
    settings: ProjectSettings
    existing: tuple[str, ...]
    symlinks: tuple[str, ...]
    predictor: Predictor

    @cached_property
    def by_branch(self) -> dict[str, list[str]]:
        """Ids of the plans of each branch."""
        found: dict[str, list[str]] = {}
        for plan in self.plans.values():
            found.setdefault(plan.branch, []).append(plan.id)
        return found


@dataclass
class Subject:
    """One plan, and where its fields are (read again only when a place is asked for)."""

    plan: Plan
    around: Surroundings
    _places: dict[str, Node] | None = field(default=None)

    @property
    def places(self) -> dict[str, Node]:
        """Nodes of the header by field."""
        if self._places is None:
            self._places = fields(self.plan.source)
        return self._places

    def problem(
        self, code: Code, name: str, message: str, hint: str = "", *, severity: Severity = Severity.ERROR
    ) -> Problem:
        """A problem at the field ``name``, or at the header's first line where there is no such field."""
        node = self.places.get(name) or self.places.get(name.partition("[")[0])
        line, column = (node.line, node.column) if node else (1, 1)
        path = self.plan.path.as_posix()
        return Problem(path, code, message, line, column, name, hint, self.plan.id, severity)

    def element(self, name: str, index: int) -> str:
        """The path of an element of the list ``name``, which a file may write as a single value."""
        return f"{name}[{index}]" if f"{name}[{index}]" in self.places else name


def _near(asked: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(asked, sorted(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


def dependencies(subject: Subject) -> Iterator[Problem]:
    """Each dependency names another plan, and a phase that it has."""
    plan, around = subject.plan, subject.around
    for index, dependency in enumerate(plan.dependencies):
        name = subject.element("dependencies", index)
        if dependency.plan == plan.id:
            yield subject.problem(Code.SELF_DEPENDENCY, name, "a plan cannot wait for itself")
        elif dependency.plan not in around.known:
            message = f"there is no plan {dependency.plan!r}"
            hint = _near(dependency.plan, around.known)
            yield subject.problem(Code.UNKNOWN_DEPENDENCY, name, message, hint)
        elif dependency.until is Until.PHASE and dependency.plan in around.plans:
            yield from _phase(subject, name, dependency)
        if dependency.until is Until.PHASE:
            yield from _ambiguous(subject, name)


def _phase(subject: Subject, name: str, dependency: Dependency) -> Iterator[Problem]:
    other = subject.around.plans[dependency.plan]
    phase = next((p for p in other.phases if p.id == dependency.phase), None)
    if phase is None:
        phases = ", ".join(p.id for p in other.phases) or "none"
        message = f"the plan {other.id} has no phase {dependency.phase}"
        yield subject.problem(Code.UNKNOWN_PHASE, name, message, f"its phases: {phases}")
    elif phase.run is None:
        message = f"phase {phase.id} of {other.id} has no command of its own"
        hint = "the plan's command has to call 'planctl phase complete', else its end counts"
        yield subject.problem(Code.PHASE_WITHOUT_RUN, name, message, hint, severity=Severity.HINT)


def _ambiguous(subject: Subject, name: str) -> Iterator[Problem]:
    node = subject.places.get(name)
    if isinstance(node, Scalar) and node.text in subject.around.known:
        hint = f"write {{plan: {node.text}}} if the plan is meant"
        message = f"{node.text!r} is read as a phase, and a plan of that name exists"
        yield subject.problem(Code.AMBIGUOUS_DEPENDENCY, name, message, hint, severity=Severity.WARNING)


def conflicts(subject: Subject) -> Iterator[Problem]:
    """``conflicts_with`` names other plans that exist."""
    for index, other in enumerate(subject.plan.conflicts_with):
        name = subject.element("conflicts_with", index)
        if other == subject.plan.id:
            yield subject.problem(Code.SELF_CONFLICT, name, "a plan cannot conflict with itself")
        elif other not in subject.around.known:
            hint = _near(other, subject.around.known)
            # A plan that is not there can hardly run at the same time: nothing is at risk.
            message = f"there is no plan {other!r}"
            yield subject.problem(Code.UNKNOWN_CONFLICT, name, message, hint, severity=Severity.WARNING)


def resources(subject: Subject) -> Iterator[Problem]:
    """Nothing is asked for beyond its capacity, or the plan would wait for ever."""
    settings = subject.around.settings
    asked = [("resources", subject.plan.resources)]
    asked += [(f"phases[{i}].resources", p.resources) for i, p in enumerate(subject.plan.phases)]
    for name, wanted in asked:
        for resource, amount in wanted.items():
            capacity = settings.capacity(resource)
            if amount > capacity:
                message = f"{amount} of {resource!r} are asked for, and there are {capacity}"
                hint = "capacities are under 'resources' in planctl.yaml; 1 where nothing is said"
                yield subject.problem(Code.RESOURCE_OVER_CAPACITY, f"{name}.{resource}", message, hint)
            elif resource not in settings.resources:
                message = f"planctl.yaml sets no capacity for {resource!r}: there is 1"
                hint = f"add it under 'resources', as in {{{resource}: 2}}, or leave it"
                code = Code.UNKNOWN_RESOURCE
                yield subject.problem(code, f"{name}.{resource}", message, hint, severity=Severity.HINT)


def runs(subject: Subject) -> Iterator[Problem]:
    """There is something that does the work, and agents are known."""
    plan = subject.plan
    named: list[tuple[str, Run | None]] = [("run", plan.run)]
    named += [(f"phases[{i}].run", p.run) for i, p in enumerate(plan.phases)]
    if not any(run for _, run in named):
        message = "the plan has no 'run': it is prepared and waits for 'queue add'"
        yield subject.problem(Code.NO_RUN, "run", message, severity=Severity.HINT)
    agents = subject.around.settings.agents
    for name, run in named:
        if run and run.agent and run.agent not in agents:
            hint = _near(run.agent, frozenset(agents)) or "define it under 'agents' in planctl.yaml"
            agent = f"{name}.agent"
            yield subject.problem(Code.UNKNOWN_AGENT, agent, f"there is no agent {run.agent!r}", hint)


def manifests(subject: Subject) -> Iterator[Problem]:
    """Files are declared, by the plan before its phases, and brackets mean what they seem to."""
    plan = subject.plan
    if plan.manifest is None:
        narrowed = [i for i, phase in enumerate(plan.phases) if phase.manifest]
        if narrowed:
            name = f"phases[{narrowed[0]}].files"
            hint = "declare the files of the whole plan under 'files'; phases narrow them"
            message = "a phase declares files, and the plan does not"
            yield subject.problem(Code.PHASE_FILES_ONLY, name, message, hint, severity=Severity.WARNING)
        else:
            message = "the plan does not say which files it touches: overlaps are unknown"
            hint = "add 'files: {write: [...]}'"
            yield subject.problem(Code.NO_MANIFEST, "files", message, hint, severity=Severity.HINT)
    yield from _brackets(subject, "files", plan.manifest)
    yield from _links(subject, "files", plan.manifest)
    for index, phase in enumerate(plan.phases):
        yield from _beyond(subject, f"phases[{index}].files", phase.manifest)
        yield from _brackets(subject, f"phases[{index}].files", phase.manifest)
        yield from _links(subject, f"phases[{index}].files", phase.manifest)


def _beyond(subject: Subject, name: str, narrowed: Manifest | None) -> Iterator[Problem]:
    """A phase narrows the plan's list; what it writes beyond that is compared with nobody.

    Not told of a plan's list with exclusions: what is beyond that is no list of patterns.
    """
    whole = subject.plan.manifest
    if whole is None or narrowed is None or any(pattern.negated for pattern in whole.write.patterns):
        return
    # a file that is named is in the list, though as a folder it might hold what is not
    asked = (p for p in narrowed.write.patterns if p.has_wildcard or not whole.write.matches(p.text))
    without = (Pattern(f"!{pattern.text}", negated=True) for pattern in whole.write.patterns)
    try:
        found = witness(PatternSet((*asked, *without)), _EVERYTHING)
    except UndecidedPatternsError:
        return
    if found is not None:
        message = f"the phase writes {found.path}, which the plan's own list does not have"
        hint = "declare it under the plan's 'files' too: overlaps go by that"
        yield subject.problem(Code.PHASE_BEYOND_PLAN, name, message, hint, severity=Severity.WARNING)


def texts(subject: Subject) -> Iterator[Problem]:
    """What the text names is declared, to be written or only read: others go by what is declared."""
    plan, around = subject.plan, subject.around
    if plan.declared is None:
        return
    named = [g for g in around.predictor.guesses(plan, around.settings.hot_files) if g.exists]
    if not named:
        return
    paths = ", ".join(shown(guess.pattern) for guess in named[:_FEW])
    more = f" and {len(named) - _FEW} more" if len(named) > _FEW else ""
    where = f" (first in line {named[0].line})" if named[0].line else ""
    message = f"the text names {paths}{more}{where}, and 'files' does not have it"
    hint = "add it to files.write, or to files.read if it is only looked at"
    yield subject.problem(Code.UNDECLARED_FILE, "files", message, hint, severity=Severity.WARNING)


def _brackets(subject: Subject, field_: str, manifest: Manifest | None) -> Iterator[Problem]:
    if manifest is None or not subject.around.existing:
        return
    for name, patterns in ((f"{field_}.write", manifest.write), (f"{field_}.read", manifest.read)):
        for pattern in bracket_literals(patterns, subject.around.existing):
            place = subject.element(name, patterns.patterns.index(pattern))
            message = f"{shown(pattern.text)} looks like a path that exists, but […] stands for one character"
            hint = "write ? for each bracket to mean the path, as in app/?id?/*"
            yield subject.problem(Code.BRACKET_LITERAL, place, message, hint, severity=Severity.HINT)


def _links(subject: Subject, field_: str, manifest: Manifest | None) -> Iterator[Problem]:
    """git sees no files behind a symbolic link: what is written there changes files of another name."""
    if manifest is None:
        return
    for name, patterns in ((f"{field_}.write", manifest.write), (f"{field_}.read", manifest.read)):
        for index, pattern in enumerate(patterns.patterns):
            for link in subject.around.symlinks:
                if pattern.literal_prefix.startswith(f"{link}/"):
                    place = subject.element(name, index)
                    message = f"{shown(pattern.text)} goes through the symbolic link {shown(link)}"
                    hint = "name the files by the path that the link leads to: overlaps go by that"
                    yield subject.problem(
                        Code.BEYOND_SYMLINK, place, message, hint, severity=Severity.WARNING
                    )


def branches(subject: Subject) -> Iterator[Problem]:
    """Branches of plans are neither the target, nor those of others, nor in their way."""
    plan, around = subject.plan, subject.around
    if plan.branch == around.settings.target:
        message = f"the work's branch is the target {plan.branch!r} itself"
        yield subject.problem(Code.BRANCH_IS_TARGET, "branch", message, "choose another, or leave it out")
    for other in around.by_branch[plan.branch]:
        if other != plan.id:
            message = f"the plan {other} works on {plan.branch!r} too"
            yield subject.problem(Code.DUPLICATE_BRANCH, "branch", message)
    for folder in PurePosixPath(plan.branch).parents:
        for other in around.by_branch.get(str(folder), ()):
            message = f"git cannot hold {plan.branch!r} beside {str(folder)!r} of the plan {other}"
            yield subject.problem(Code.BRANCH_CLASH, "branch", message)


RULES: Final[tuple[Callable[[Subject], Iterator[Problem]], ...]] = (
    dependencies,
    conflicts,
    resources,
    runs,
    manifests,
    texts,
    branches,
)
