"""Use cases on plan files: find them, check them, draw their graph. Nothing here runs a plan or writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import NoWorktreeError
from orchestrator.settings import load_settings, require_usable, working_settings
from plans.catalog import load_catalog
from plans.errors import InvalidPlansError, Problem, Severity
from plans.lint import Existing, lint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.settings import Settings
    from plans.catalog import Catalog
    from plans.graph import PlanGraph
    from plans.model import Plan
    from worktrees.git import Git
    from worktrees.repository import Repository

_ENDINGS: Final = frozenset({".md", ".markdown", ".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class Checked:
    """One plan file and whether it has no problem of severity error; ``id`` is None where it has none."""

    id: str | None
    path: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Linted:
    """What ``lint`` found: each plan file by path, and every problem by path and place."""

    plans: tuple[Checked, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether no problem is of severity error."""
        return not any(p.severity is Severity.ERROR for p in self.problems)


def require_top(repository: Repository) -> Path:
    """The worktree's folder; raises :class:`NoWorktreeError` where there is none (a bare repository)."""
    if repository.top is None:
        raise NoWorktreeError
    return repository.top.resolve()


def usable_settings(repository: Repository) -> Settings:
    """The working copy's settings; raises :class:`InvalidPlansError` when ``planctl.yaml`` has errors."""
    return require_usable(working_settings(repository))


def guarded_settings(repository: Repository, git: Git) -> Settings:
    """The settings, those that guard the target as its tip has them; raises as :func:`usable_settings`."""
    return require_usable(load_settings(repository, git))


def named(asked: Sequence[str], top: Path, here: Path) -> tuple[str, ...]:
    """PLANs of a command line: ids as they are, paths made absolute, from ``here`` or else from ``top``.

    A text is a path if it has a slash or the ending of a plan file.
    """
    return tuple(_located(text, top, here) if _is_path(text) else text for text in asked)


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or Path(text).suffix.lower() in _ENDINGS


def _located(text: str, top: Path, here: Path) -> str:
    if "\0" in text or Path(text).is_absolute():
        return text
    from_here = here / text
    return str(from_here if from_here.exists() or not (top / text).exists() else top / text)


def load_plans(repository: Repository, settings: Settings, names: Sequence[str]) -> Catalog:
    """All plans in the folders of ``settings``, and the files among ``names`` (see :func:`named`)."""
    extra = [Path(name) for name in names if _is_path(name)]
    return load_catalog(require_top(repository), settings.project.plans, extra)


def choose(repository: Repository, settings: Settings, asked: Sequence[str], here: Path) -> tuple[Plan, ...]:
    """The plans of a command line, all plans without any; ``here`` is the folder the user stands in.

    Raises :class:`UnknownPlanError` and :class:`InvalidPlansError`; without ``asked``, any plan with an
    error is one.
    """
    names = named(asked, require_top(repository), here)
    catalog = load_plans(repository, settings, names)
    if names:
        return catalog.select(names, with_dependencies=False)
    errors = tuple(p for p in catalog.problems if p.severity is Severity.ERROR)
    if errors:
        raise InvalidPlansError(errors)
    return tuple(catalog.plans.values())


def lint_plans(repository: Repository, git: Git, asked: Sequence[str], here: Path) -> Linted:
    """All problems of all plans and settings; with ``asked``, what concerns these plans alone."""
    from worktrees.files import tracked_names  # noqa: PLC0415 - GitPython costs 115 ms

    top = require_top(repository)
    settings = load_settings(repository, git)
    names = named(asked, top, here)
    catalog = load_plans(repository, settings, names)
    tracked = tracked_names(git, top)
    existing = Existing(tracked.files, tracked.symlinks)
    problems = lint(catalog, settings.project, existing, settings_problems=settings.problems)
    if not names:
        return Linted(_checked(catalog, problems, None), problems)
    paths = frozenset(_path_of(catalog, name) for name in names)
    return Linted(_checked(catalog, problems, paths), tuple(p for p in problems if p.path in paths))


def _path_of(catalog: Catalog, name: str) -> str:
    """The path under which problems speak of a plan; raises :class:`UnknownPlanError`."""
    try:
        return catalog.require(name).path.as_posix()
    except InvalidPlansError as error:
        return error.problems[0].path


def _checked(
    catalog: Catalog, problems: Sequence[Problem], wanted: frozenset[str] | None
) -> tuple[Checked, ...]:
    ids: dict[str, str | None] = {
        p.path: p.plan for p in catalog.problems if Path(p.path).suffix.lower() in _ENDINGS
    }
    ids |= {plan.path.as_posix(): plan.id for plan in catalog.plans.values()}
    broken = {p.path for p in problems if p.severity is Severity.ERROR}
    paths = sorted(ids if wanted is None else ids.keys() & wanted)
    return tuple(Checked(ids[path], path, path not in broken) for path in paths)


def graph_of(repository: Repository, git: Git, asked: Sequence[str], here: Path) -> PlanGraph:
    """The graph of the plans asked for, with overlaps directed as ``overlap`` of ``planctl.yaml`` says."""
    from orchestrator.services.ground import as_compared, ground_of_target  # noqa: PLC0415 - GitPython
    from plans.graph import build_graph  # noqa: PLC0415 - networkx costs 200 ms
    from plans.overlap import find_overlaps  # noqa: PLC0415 - the automata are not needed to lint

    settings = guarded_settings(repository, git)
    ground = ground_of_target(git, settings)
    plans = as_compared(settings, choose(repository, settings, asked, here), ground, ground.names)
    found = find_overlaps(plans, ground.names.files, settings.project.hot_files, settings.folding)
    return build_graph(plans, found.overlaps, settings.project.overlap)
