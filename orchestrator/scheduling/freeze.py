"""The plan files of a run, frozen: what was read when it began is what counts until it ends.

The files lie in a commit at ``refs/planctl/runs/<run>``: ``<id>.md`` (or ``.yaml``) each, ``paths`` with the
path that each was read from, and ``options`` with what the run was begun with, for a store that is rebuilt.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plans.document import read_plan
from plans.effects import step
from plans.errors import InvalidPlansError
from plans.predicted import with_predicted
from plans.submodules import with_submodules
from worktrees.references import Create

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestrator.store.records import RunRecord
    from orchestrator.workbench import Workbench
    from plans.model import Plan

RUNS: Final = "refs/planctl/runs"
_FILE: Final = 0o100644


def freeze(bench: Workbench, run: str, plans: Sequence[Plan], options: Mapping[str, Any]) -> str:
    """Write the plans' exact bytes and the run's options into a commit, refer to it, and return it."""
    objects = bench.objects
    paths = {plan.id: str(plan.path) for plan in plans}
    with step("run.write-plans"):
        files = {_name(plan): (_FILE, objects.write_blob(plan.source)) for plan in plans}
        files["paths"] = (_FILE, objects.write_blob(json.dumps(paths).encode()))
        files["options"] = (_FILE, objects.write_blob(json.dumps(dict(options)).encode()))
        tree = objects.write_tree(files)
        commit = bench.git.run("commit-tree", tree, "-m", f"Plans of run {run}", writes=True).text
    reference = Create(f"{RUNS}/{run}", commit)
    bench.references.transact([reference], message="planctl: run", step="run.freeze")
    return commit


def thaw(bench: Workbench, commit: str) -> tuple[Plan, ...]:
    """Read the plans of a run back, exactly as they were; raises InvalidPlansError if that cannot be."""
    objects = bench.objects
    paths: dict[str, str] = json.loads(objects.read_blob(commit, "paths") or b"{}")
    plans = []
    for name in objects.paths(commit):
        if name in {"paths", "options"}:
            continue
        source = objects.read_blob(commit, name)
        assert source is not None
        read = read_plan(Path(paths[Path(name).stem]), source)
        if read.plan is None:
            raise InvalidPlansError(read.problems)
        plans.append(read.plan)
    return tuple(plans)


def thaw_run(bench: Workbench, run: RunRecord) -> tuple[Plan, ...]:
    """The plans of ``run`` as they were compared when it began.

    So with the predicted manifests that bound, and the submodules that they reach into.
    """
    bound = run.options.get("bound", {})
    plans = (
        with_predicted(plan, bound[plan.id]) if plan.id in bound else plan for plan in thaw(bench, run.frozen)
    )
    return tuple(with_submodules(plan, run.options.get("submodules", ())) for plan in plans)


def frozen_options(bench: Workbench, commit: str) -> dict[str, Any] | None:
    """What the run was begun with; None where an older planctl froze it."""
    text = bench.objects.read_blob(commit, "options")
    return None if text is None else dict(json.loads(text))


def _name(plan: Plan) -> str:
    """The stem is the id, so that a plan without an id in its header keeps the id of its file's stem."""
    return plan.id + (".yaml" if plan.path.suffix in (".yaml", ".yml") else ".md")
