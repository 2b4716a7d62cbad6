"""What is stored with an entry's end, for people and programs: why, and where to look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.merging.checknames import PLAN, REGENERATE, TARGET
from orchestrator.running.log import last_lines
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.merging.judge import Judgement
    from orchestrator.store.records import Entry
    from worktrees.candidate import Candidate
    from worktrees.errors import GitFailedError
    from worktrees.merge import Conflicted

MOST_NO_VERDICTS: Final = 3
MOST_KILLED: Final = 3
_TRIES: Final = ("times", "killed", "resolutions")
TAIL_LINES: Final = 20
SHOWN_PATHS: Final = 5
_WHOSE: Final = {TARGET: "the target's check", PLAN: "the plan's own check", REGENERATE: "`{}` for hot files"}


def conflict(found: Conflicted) -> dict[str, Any]:
    """All paths and stages of a conflict, with git's messages."""
    paths = list(found.paths)
    more = len(paths) - SHOWN_PATHS
    detail = f"conflicts in {', '.join(paths[:SHOWN_PATHS])}" + (f" and {more} more" if more > 0 else "")
    return {
        "code": "conflict",
        "detail": detail,
        "paths": paths,
        "stages": [[s.path, s.mode, s.object, s.stage] for s in found.stages],
        "messages": found.messages,
        "commit": found.commit,
    }


def red(judgement: Judgement) -> dict[str, Any]:
    """A check that failed on the work, where the target without it passes (S12)."""
    verdict, check = judgement.verdict, judgement.check
    assert verdict is not None
    assert check is not None
    whose = _WHOSE.get(check.name, "").format(check.text)
    green = "" if check.name == PLAN else "; without the work it passes"
    detail = f"{whose} failed with exit {verdict.exit_code}{green}"
    return {"code": "red", "detail": detail, **_log(judgement)}


def batch_red(judgement: Judgement, size: int) -> dict[str, Any]:
    """A check failed on several together: nobody is blamed, they are looked at in parts."""
    verdict = judgement.verdict
    assert verdict is not None
    said = f"failed with exit {verdict.exit_code}" if verdict.passed is False else f"gave {verdict.detail}"
    detail = f"the check of {size} together {said}; a part of them is checked next"
    return {"code": "batch", "detail": detail, **_log(judgement)}


def target_red(judgement: Judgement, old: str) -> dict[str, Any]:
    """The target itself is red: nobody is blamed."""
    detail = f"the target itself fails its check at {old[:12]}"
    return {"code": "target-red", "detail": detail, **_log(judgement)}


def no_verdict(judgement: Judgement, entry: Entry) -> tuple[EntryState, dict[str, Any]]:
    """Nothing could be said of the tree: again, or held when that was so often that a person must look.

    How often is kept in ``times``, see :func:`carried`.
    """
    assert judgement.verdict is not None
    times = int(entry.reason.get("times", 0)) + 1
    why = {
        "code": "no-verdict",
        "detail": judgement.verdict.detail,
        "times": times,
        **_log(judgement),
    }
    return _tried(times, MOST_NO_VERDICTS), why


def git_killed(error: GitFailedError, entry: Entry) -> tuple[EntryState, dict[str, Any]]:
    """Somebody ended git, which says nothing of the work; what becomes of it as with :func:`no_verdict`."""
    times = int(entry.reason.get("killed", 0)) + 1
    why = {"code": "git-killed", "detail": str(error), "messages": error.stderr, "killed": times}
    return _tried(times, MOST_KILLED), why


def missing(detail: str, paths: Sequence[str], entry: Entry) -> tuple[EntryState, dict[str, Any]]:
    """An object is not there: a ``git gc`` ran beside, or the work itself lacks it; as :func:`no_verdict`."""
    times = int(entry.reason.get("killed", 0)) + 1
    why = {"code": "missing-object", "detail": detail, "paths": list(paths), "killed": times}
    return _tried(times, MOST_KILLED), why


def carried(entry: Entry, to: EntryState, why: Mapping[str, Any]) -> dict[str, Any]:
    """``why``, and how often was tried: that counts on whatever else an entry waits for meanwhile."""
    goes_on = to in {EntryState.QUEUED, EntryState.BLOCKED, EntryState.HELD, EntryState.RESOLVING}
    return {**{key: entry.reason[key] for key in _TRIES if goes_on and key in entry.reason}, **why}


def _tried(times: int, most: int) -> EntryState:
    """What becomes of an entry that could not be judged so often."""
    return EntryState.HELD if times >= most else EntryState.QUEUED


def _log(judgement: Judgement) -> dict[str, Any]:
    verdict = judgement.verdict
    assert verdict is not None
    return {
        "check": judgement.check.text if judgement.check else "",
        "exit_code": verdict.exit_code,
        "commit": verdict.commit,
        "log": verdict.log,
        "tail": last_lines(Path(verdict.log), TAIL_LINES),
    }


def proof(candidate: Candidate, judgement: Judgement) -> dict[str, Any]:
    """What a landing rests on (P7): the commits that come onto the target, each with the tree checked."""
    verdict = judgement.verdict
    return {
        "tree": candidate.tree,
        "steps": list(candidate.steps),
        "checked_trees": dict(judgement.trees),
        "verdict": verdict.id if verdict else None,
        "log": verdict.log if verdict else None,
        **({"accidents": judgement.accidents} if judgement.accidents else {}),
    }
