"""Plan files for tests that run them."""

from __future__ import annotations

import json

from tests.support.repo import GitRepo


def plan_text(plan: str, **header: object) -> str:
    """A plan file; header values are written as JSON, which is YAML."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in header.items()]
    return "\n".join(["---", f"plan: {plan}", *lines, "---", f"# {plan}", ""])


def commit_plans(repo: GitRepo, plans: dict[str, dict[str, object]], settings: str = "") -> str:
    """Commit plan files (and planctl.yaml if ``settings`` has any) on the checked-out branch."""
    files: dict[str, str | bytes] = {f"plans/{p}.md": plan_text(p, **h) for p, h in plans.items()}
    if settings:
        files["planctl.yaml"] = settings
    return repo.commit("plans", files)


def landings(repo: GitRepo, revision: str = "main") -> list[str]:
    """The plans that landed, oldest first, one for each commit of the target's first-parent history."""
    log = repo.git(
        "log", "--first-parent", "--reverse", "--format=%(trailers:key=Plan-Id,valueonly)", revision
    )
    return [line for line in log.splitlines() if line]
