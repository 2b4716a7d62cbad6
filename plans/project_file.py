"""``planctl.yaml``: one table of keys, for the reader and for the JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from plans.codes import Code
from plans.errors import BadValueError, Problem, Severity
from plans.hotfiles import HotFile, HotMerge
from plans.kinds import Kind, Reporter, Word, choice, command, flag, number, text
from plans.nodes import Scalar, Table
from plans.notify import CHANNEL
from plans.project import (
    CheckoutPolicy,
    Enforce,
    HookPolicy,
    Leaks,
    Method,
    OverlapMode,
    Predicted,
    ProjectSettings,
    QueuePolicy,
    ShareLimit,
)
from plans.quantities import duration, keeping, size
from plans.shapes import Key, Many, Named, Patterns, Record, WordOr
from plans.source import decode, split
from plans.vocabulary import branch, hot_file, name, path_anywhere, path_inside, phrase, remote, variable
from plans.yamltree import scan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum
    from pathlib import PurePath

MAX_JOBS: Final = 1024
MAX_CAPACITY: Final = 1_000_000
HOUR: Final = 3600.0


def _one_of(states: type[StrEnum]) -> Kind[Any]:
    return choice({state.value: state for state in states})


def _word(*words: str) -> Word[str]:
    return choice({word: word for word in words})


_POOL: Final[Record[dict[str, Any]]] = Record(
    {
        "max": Key(number(1, 100_000), "The most slots there may be."),
        "disk_floor": Key(size(), "Free space below which no slot is added: 20GB."),
    },
    dict,
)

_HOST: Final[Record[dict[str, Any]]] = Record(
    {
        "build_slots": Key(number(1, MAX_JOBS), "The most plans at work on this host, of all repositories."),
        "memory_floor": Key(size(), "Available memory below which no plan starts: 2GB."),
    },
    dict,
)

_RATE_LIMITS: Final[Record[dict[str, Any]]] = Record(
    {
        "share": Key(
            _one_of(ShareLimit), "Which other plans wait along: of the same profile, agent, or none."
        ),
        "holds": Key(number(0, 10_000), "How often one command is held; 0: never."),
        "total": Key(duration(least=1), "The longest that one command is held, in all: 7d."),
        "first": Key(duration(least=1), "How long, where it is not said, for the first time: 1m."),
        "longest": Key(duration(least=1), "Doubled each time, and never longer than this: 30m."),
        "phrases": Key(Named(name("a profile"), Many(phrase())), "What agents say, beside what is known."),
    },
    dict,
)

_LEASES: Final[Record[dict[str, Any]]] = Record(
    {
        "heartbeat": Key(duration(least=0.1), "How often planctl's own processes renew what they hold: 3s."),
        "expiry": Key(duration(least=1), "How long that lasts without: 60s."),
        "session": Key(duration(least=1), "How long an agent's session lasts without a word of it: 30m."),
    },
    dict,
)

_ORPHANS: Final[Record[dict[str, Any]]] = Record(
    {
        "processes": Key(Many(text()), "Command lines, with * and ?, of processes that earlier tools leave."),
        "locks": Key(Many(path_inside("a path")), "Lock files and folders of earlier tools."),
        "worktrees": Key(Many(path_inside("a path")), "Worktrees of earlier tools."),
        "branches": Key(Many(text()), "Branches of earlier tools: claude/*."),
        "older_than": Key(duration(least=60), "How old all of these have to be: 1h."),
    },
    dict,
)

_RETENTION: Final[Record[dict[str, Any]]] = Record(
    {
        "rescue": Key(keeping(least=HOUR), "Snapshots of uncommitted work."),
        "archive": Key(keeping(least=HOUR), "Parked commits and stash entries that left the list."),
        "logs": Key(keeping(least=HOUR), "Logs of checks and faults, records of commands."),
        "outputs": Key(keeping(least=HOUR), "Outputs of plans inside the common git folder."),
        "runs": Key(keeping(least=HOUR), "Frozen plan files of runs of which all has landed."),
        "sessions": Key(keeping(least=HOUR), "Sessions that have ended."),
        "events": Key(keeping(least=HOUR), "Events."),
    },
    dict,
)


def _hot_file(values: dict[str, Any]) -> HotFile:
    if len(values) != 1:
        code = Code.CONFLICTING_KEYS if values else Code.MISSING_KEY
        raise BadValueError(code, "either 'regenerate' or 'fragment' says how the file is made")
    ((way, by),) = values.items()
    return HotFile(HotMerge(way), str(by).rstrip("/") if way == HotMerge.FRAGMENT else by)


_HOT_FILE: Final[WordOr[HotFile]] = WordOr(
    choice({str(HotMerge.UNION): HotFile(HotMerge.UNION)}),
    Record(
        {
            "regenerate": Key(command(), "The command that makes the file anew in the merged tree."),
            "fragment": Key(path_inside("a folder"), "The folder of the snippets that the file is made of."),
        },
        _hot_file,
        {"oneOf": [{"required": ["regenerate"]}, {"required": ["fragment"]}]},
    ),
)

SETTINGS: Final[Record[dict[str, Any]]] = Record(
    {
        "plans": Key(Many(path_inside("a folder")), "Folders of plan files."),
        "target": Key(branch(), "The branch that work lands on."),
        "remote": Key(remote(), "The remote whose target counts."),
        "remote_timeout": Key(duration(least=1), "The longest that git may talk to it at a time."),
        "check": Key(command(), "What every landing has to pass."),
        "require_check": Key(flag(), "Whether nothing lands without a check."),
        "check_keep": Key(Many(path_inside("a path")), "Ignored files kept between checks."),
        "check_env": Key(Many(variable()), "Variables that a verdict depends on."),
        "check_timeout": Key(duration(least=1), "The longest a check may take."),
        "environment": Key(Many(command()), "Commands whose output a verdict depends on."),
        "environment_id": Key(text(), "Stands for the machine in verdicts."),
        "verdict_ttl": Key(duration(), "How long a verdict is taken for true."),
        "method": Key(_one_of(Method), "How a branch becomes part of the target."),
        "queue": Key(_one_of(QueuePolicy), "What the queue checks when, and together."),
        "root_files": Key(Patterns(), "Files that everything depends on, for lanes."),
        "checkout": Key(_one_of(CheckoutPolicy), "What happens to a checkout of the target."),
        "jobs": Key(number(0, MAX_JOBS), "How many plans run at once; 0: as many as processors."),
        "check_jobs": Key(number(1, MAX_JOBS), "How many checks run at once."),
        "resources": Key(Named(name("a resource"), number(0, MAX_CAPACITY)), "Capacities of resources."),
        "host": Key(_HOST, "What is left to others on this host."),
        "overlap": Key(_one_of(OverlapMode), "What happens to plans that overlap."),
        "enforce": Key(_one_of(Enforce), "Which work outside its manifest is refused."),
        "leaks": Key(_one_of(Leaks), "What happens when plans write into the main checkout."),
        "predicted": Key(_one_of(Predicted), "Whether predicted files order plans that declare none."),
        "worktrees": Key(path_anywhere(), "The folder of worktrees."),
        "pool": Key(_POOL, "Bounds of the pool of worktrees."),
        "setup": Key(command(), "Runs in every new worktree."),
        "copy": Key(Many(path_inside("a path")), "Ignored files that are copied to worktrees."),
        "link": Key(Many(path_inside("a path")), "Ignored files that are linked into worktrees."),
        "sparse": Key(Many(text()), "Patterns of a sparse checkout."),
        "reuse_caches": Key(flag(), "Whether ignored files stay when a worktree is used again."),
        "outputs": Key(path_anywhere(), "The folder of outputs of plans."),
        "hooks": Key(_one_of(HookPolicy), "Whether commits of leftovers run git hooks."),
        "resolver": Key(command(), "Runs in the worktree of a branch that conflicts, the merge prepared."),
        "resolver_timeout": Key(duration(least=1), "The longest a resolver may take."),
        "leftovers": Key(flag(), "Whether what a command leaves uncommitted is committed."),
        "rescue_ignored": Key(Many(text()), "Ignored files that are rescued too."),
        "hot_files": Key(Named(hot_file(), _HOT_FILE), "Files that everybody edits: how they merge."),
        "agents": Key(Named(name("an agent"), command()), "Command lines of agents."),
        "rate_limits": Key(_RATE_LIMITS, "How long plans wait whose command met a rate limit."),
        "notify": Key(Named(name("a channel"), CHANNEL), "Who is told when plans land, fail or wait."),
        "leases": Key(_LEASES, "How long what is held lasts without a heartbeat."),
        "orphans": Key(_ORPHANS, "What `doctor --orphans` takes for left over."),
        "retention": Key(_RETENTION, "How long things are kept."),
        "parent_death": Key(_word("keep", "stop"), "What a command does when planctl dies."),
        "store": Key(text(longest=1000), "Where state is kept."),
        "executor": Key(_word("local", "dask"), "Where commands run."),
    },
    dict,
)
"""Every key of ``planctl.yaml``."""
NOT_YET: Final[Mapping[str, str]] = {
    "store": "state is kept in the common git folder",
    "executor": "commands run here",
}
"""Keys that are read and have no effect in this version, with what is so instead."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Settings; where ``problems`` names a value, its default, or what is good of its list or mapping."""

    settings: ProjectSettings
    problems: tuple[Problem, ...]


def read_settings(path: PurePath, source: bytes) -> ReadSettings:
    """Read ``planctl.yaml``. Never raises for what is in it; callers refuse to start on errors."""
    reporter = Reporter(path.as_posix())
    values = _read(source, reporter)
    for group in ("pool", "host", "leases", "orphans", "rate_limits"):
        values |= {f"{group}_{key}": value for key, value in values.pop(group, {}).items()}
    return ReadSettings(ProjectSettings(**values), reporter.finish())


def _read(source: bytes, reporter: Reporter) -> dict[str, Any]:
    decoded, faults = decode(source)
    parts = None
    if decoded is not None and not faults:
        parts, fault = split(decoded, markdown=False)
        faults = (fault,) if fault else ()
    scanned = scan(parts.header) if parts else None
    for f in (*faults, *(scanned.faults if scanned else ())):
        reporter.add(Problem(reporter.path, f.code, f.message, f.line, f.column, hint=f.hint))
    root = scanned.root if scanned else None
    if isinstance(root, Table):
        values = SETTINGS.read_keys(root, "", reporter)
        _tell_without_effect(root, values, reporter)
        return values
    if root is not None and not (isinstance(root, Scalar) and root.is_empty):
        reporter.at(root, "", Code.HEADER_NOT_MAPPING, "the file is not made of 'key: value' lines")
    return {}


def _tell_without_effect(root: Table, values: Mapping[str, Any], reporter: Reporter) -> None:
    """Whoever sets one of these to something else than what is so anyhow believes that it works."""
    plain = ProjectSettings()
    for key, _ in root.entries:
        if key.text in NOT_YET and values.get(key.text) not in (None, getattr(plain, key.text)):
            message = f"{key.text!r} has no effect in this version: {NOT_YET[key.text]}"
            where = (key.line, key.column, key.text)
            problem = Problem(
                reporter.path,
                Code.NO_EFFECT,
                message,
                *where,
                hint="take it out, or leave it for a later version",
                severity=Severity.WARNING,
            )
            reporter.add(problem)
