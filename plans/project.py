"""``planctl.yaml``: the settings of a repository, as frozen values. Every key is optional."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from plans.patterns import PatternSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plans.hotfiles import HotFile
    from plans.notify import Channel
    from plans.phrases import Phrase


class Method(StrEnum):
    """How a branch becomes part of the target."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class QueuePolicy(StrEnum):
    """What the queue checks when: how many entries one check covers, which are checked before their turn.

    With ``lanes`` entries that have no file in common land by checks that did not see each other; with all
    others every commit of the target has passed as it is.
    """

    AUTO = "auto"
    SERIAL = "serial"
    BATCH = "batch"
    RANKED = "ranked"
    LANES = "lanes"


ROOT_FILES: Final = PatternSet.parse(
    [
        "planctl.yaml",
        ".gitmodules",
        ".gitlab-ci.yml",
        ".github/",
        "**/Makefile",
        "**/CMakeLists.txt",
        "**/Dockerfile",
        "**/*.lock",
        "**/*-lock.json",
        "**/*-lock.yaml",
        "**/pyproject.toml",
        "**/setup.py",
        "**/setup.cfg",
        "**/requirements*.txt",
        "**/conftest.py",
        "**/package.json",
        "**/tsconfig.json",
        "**/Cargo.toml",
        "**/go.mod",
        "**/go.sum",
        "**/pom.xml",
        "**/*.gradle",
        "**/*.gradle.kts",
        "**/.gitattributes",
    ]
)
"""Files that everything depends on, unless ``root_files`` says otherwise: build, lock and CI files."""


ORPHAN_PROCESSES: Final = (
    "*<<*EOF*",  # a shell that waits for the end of a heredoc
    "*esbuild*--service=*",
    "*session-watchdog.sh*",  # SpecWeave's, as the next two
    "*processor.sh*--daemon*",
    "*plugins/specweave/scripts/heartbeat.sh*",
)
"""Command lines of what earlier tools and builds are known to leave running."""
ORPHAN_LOCKS: Final = (
    *(".specweave/*.lock", ".specweave/*/*.lock", ".claude/*.lock", ".claude/*/*.lock"),
    *("docs/coordination/*.lock", "docs/coordination/*/*.lock"),
)
ORPHAN_WORKTREES: Final = (".claude/worktrees/*", ".specweave/worktrees/*", ".worktrees/*", "worktrees/*")
ORPHAN_BRANCHES: Final = ("claude/*", "specweave/*", "plandex/*", "worktree-*")


class CheckoutPolicy(StrEnum):
    """What happens to a checkout of the target when a landing moves it."""

    FOLLOW = "follow"
    WAIT = "wait"
    DETACH = "detach"


class OverlapMode(StrEnum):
    """What happens to plans that overlap."""

    SERIALIZE = "serialize"
    ISOLATE = "isolate"
    FORBID = "forbid"


class Enforce(StrEnum):
    """Which work outside a plan's manifest is refused at submission."""

    COLLISIONS = "collisions"
    STRICT = "strict"
    OFF = "off"


class Leaks(StrEnum):
    """What happens when plans write into the main checkout: nothing, it is told, or their work waits too."""

    OFF = "off"
    WARN = "warn"
    HOLD = "hold"


class Predicted(StrEnum):
    """What the files that a plan without a manifest is predicted to touch are good for."""

    ADVISE = "advise"
    BIND = "bind"


class ShareLimit(StrEnum):
    """Which plans wait along with one that met a rate limit."""

    PROFILE = "profile"
    AGENT = "agent"
    NONE = "none"


class HookPolicy(StrEnum):
    """Whether planctl's own commits of leftovers run the user's git hooks."""

    SKIP = "skip"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The keys of ``planctl.yaml`` under the same names; see ``docs/plan-file.md`` for their meaning.

    Times are in seconds, infinity for ever. ``jobs`` 0 means as many as there are processors,
    ``host_build_slots`` 0 without bound; sizes are in bytes. ``worktrees``
    None means the default folder beside the repository, ``outputs`` None the one in the common git folder.
    """

    plans: tuple[str, ...] = ("plans", "docs/plans")
    target: str = "main"
    remote: str | None = None
    remote_timeout: float = 600.0
    check: str | None = None
    require_check: bool = False
    check_keep: tuple[str, ...] = ()
    check_env: tuple[str, ...] = ()
    check_timeout: float | None = None
    environment: tuple[str, ...] = ()
    environment_id: str | None = None
    verdict_ttl: float = 24 * 3600.0
    method: Method = Method.MERGE
    queue: QueuePolicy = QueuePolicy.AUTO
    root_files: PatternSet = ROOT_FILES
    checkout: CheckoutPolicy = CheckoutPolicy.FOLLOW
    jobs: int = 0
    check_jobs: int = 1
    resources: Mapping[str, int] = field(default_factory=dict)
    host_build_slots: int = 0
    host_memory_floor: int = 0
    overlap: OverlapMode = OverlapMode.SERIALIZE
    enforce: Enforce = Enforce.COLLISIONS
    leaks: Leaks = Leaks.WARN
    predicted: Predicted = Predicted.ADVISE
    worktrees: str | None = None
    pool_max: int = 64
    pool_disk_floor: int = 0
    setup: str | None = None
    copy: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()
    reuse_caches: bool = True
    outputs: str | None = None
    hooks: HookPolicy = HookPolicy.SKIP
    leftovers: bool = True
    resolver: str | None = None
    resolver_timeout: float | None = None
    rescue_ignored: tuple[str, ...] = ()
    hot_files: Mapping[str, HotFile] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    rate_limits_share: ShareLimit = ShareLimit.PROFILE
    rate_limits_holds: int = 20
    rate_limits_total: float = 7 * 24 * 3600.0
    rate_limits_first: float = 60.0
    rate_limits_longest: float = 1800.0
    rate_limits_phrases: Mapping[str, tuple[Phrase, ...]] = field(default_factory=dict)
    notify: Mapping[str, Channel] = field(default_factory=dict)
    retention: Mapping[str, float] = field(default_factory=dict)
    leases_heartbeat: float = 3.0
    leases_expiry: float = 60.0
    leases_session: float = 1800.0
    orphans_processes: tuple[str, ...] = ORPHAN_PROCESSES
    orphans_locks: tuple[str, ...] = ORPHAN_LOCKS
    orphans_worktrees: tuple[str, ...] = ORPHAN_WORKTREES
    orphans_branches: tuple[str, ...] = ORPHAN_BRANCHES
    orphans_older_than: float = 3600.0
    parent_death: str = "keep"
    store: str | None = None
    executor: str = "local"

    def capacity(self, resource: str) -> int:
        """How much of a named resource there is; 1 of what ``resources`` does not list."""
        return self.resources.get(resource, 1)

    @property
    def checks_at_once(self) -> int:
        """How many checks may run at once: each needs a check slot, and the pool bounds those."""
        return min(self.check_jobs, self.pool_max)
