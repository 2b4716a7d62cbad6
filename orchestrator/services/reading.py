"""Which version of the plan files counts: the working tree, else the target's tree, or ``--from REV``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.services.plans import load_plans, named
from plans.catalog import Catalog, build_catalog
from plans.errors import UnknownPlanError
from worktrees.files import names_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.workbench import Workbench

_ENDINGS = (".md", ".markdown", ".yaml", ".yml")


def read_catalog(
    bench: Workbench, asked: Sequence[str], here: Path, revision: str | None
) -> tuple[Catalog, tuple[str, ...]]:
    """The catalog that counts, and ``asked`` as it names plans in it.

    With ``revision``, that tree alone. Else the working tree, if there is one and it knows every plan that
    was asked for, or holds any plan file at all where none was named (a sparse checkout may leave them
    out); otherwise the target's tree. Raises UnknownRevisionError, TargetMissingError.
    """
    top = bench.repository.top
    if revision is not None or top is None:
        return _committed(bench, revision), tuple(asked)
    names = named(asked, top, here)
    catalog = load_plans(bench.repository, bench.settings, names)
    if _knows_all(catalog, names) and (names or catalog.plans or catalog.problems):
        return catalog, names
    committed = _committed(bench, None)
    return (committed, tuple(asked)) if _knows_all(committed, asked) else (catalog, names)


def _committed(bench: Workbench, revision: str | None) -> Catalog:
    return committed_catalog(bench, bench.target_tip() if revision is None else revision)


def _knows_all(catalog: Catalog, names: Sequence[str]) -> bool:
    try:
        for name in names:
            if name not in catalog.broken_ids():
                catalog.require(name)
    except UnknownPlanError:
        return False
    return True


def committed_catalog(bench: Workbench, revision: str) -> Catalog:
    """The plans in the configured folders of a commit's tree."""
    commit = bench.references.resolve(revision)
    folders = tuple(f"{folder.strip('/')}/" for folder in bench.settings.project.plans)
    names = names_at(bench.git, commit).files
    paths = [p for p in names if p.startswith(folders) and p.lower().endswith(_ENDINGS)]
    files = [(Path(path), bench.objects.read_blob(commit, path) or b"") for path in paths]
    return build_catalog(files)
