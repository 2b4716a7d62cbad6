"""How much memory a new command could take on this host: what the system has, within the control groups.

A container's limit is not seen in ``/proc/meminfo``; a build that trusts that is killed. Both versions of
Linux's control groups are read (kernel documentation: admin-guide/cgroup-v2 and cgroup-v1/memory), each
group and all above it, since the tightest counts. File cache that the kernel gives up at once is not in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a new command may take before anything is swapped or killed, and the most there can be."""

    available: int
    total: int


@dataclass(frozen=True, slots=True)
class MemoryShortage:
    """Less than ``floor`` bytes are available; ``lasting`` when there are never that many here."""

    memory: Memory
    floor: int

    @property
    def lasting(self) -> bool:
        """Whether waiting is in vain."""
        return self.memory.total < self.floor

    def __str__(self) -> str:
        """A line that stays the same as long as there is a shortage: it is stored as a reason."""
        if self.lasting:
            return f"{self.floor / GIB:.1f} GiB of memory, and this host has {self.memory.total / GIB:.1f}"
        return f"less than {self.floor / GIB:.1f} GiB of memory available"


def memory_shortage(floor: int) -> MemoryShortage | None:
    """Whether less than ``floor`` bytes are available now; 0 asks for nothing, and nothing is looked at."""
    if not floor:
        return None
    now = available_memory()
    return MemoryShortage(now, floor) if now.available < floor else None


def available_memory(root: Path = Path("/")) -> Memory:
    """What the system and the control groups of this process have. ``root`` is where their files are."""
    import psutil  # noqa: PLC0415 - most runs set no floor

    system = psutil.virtual_memory()
    bounds = [Memory(system.available, system.total), *_group_bounds(root)]
    return Memory(min(b.available for b in bounds), min(b.total for b in bounds))


@dataclass(frozen=True, slots=True)
class _Files:
    """The names under which one version of control groups keeps its figures."""

    top: str
    limits: tuple[str, ...]
    used: str
    cache: str


_V2: Final = _Files("sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", "inactive_file")
_V1: Final = _Files(
    "sys/fs/cgroup/memory", ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"
)


def _group_bounds(root: Path) -> Iterator[Memory]:
    """A bound for each group with a limit, from that of this process to the top one that is visible."""
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        files = _V2 if number == "0" else _V1 if "memory" in controllers.split(",") else None
        if files is None:
            continue
        hidden = ".." in path.split("/") or not path.startswith("/")  # outside what a container sees
        group = PurePosixPath("/" if hidden else path)
        for above in (group, *group.parents):
            bound = _bound(root / files.top / above.relative_to("/"), files)
            if bound is not None:
                yield bound


def _bound(folder: Path, files: _Files) -> Memory | None:
    """What one group allows; None where it sets no limit or is not shown here."""
    limits = [found for name in files.limits if (found := _figure(folder / name)) is not None]
    used = _figure(folder / files.used)
    if not limits or used is None:
        return None
    rows = (line.split() for line in (_text(folder / "memory.stat") or "").splitlines())
    cache = next((int(row[1]) for row in rows if len(row) > 1 and row[0] == files.cache), 0)
    return Memory(max(0, min(limits) - used + min(cache, used)), min(limits))


def _figure(path: Path) -> int | None:
    """A number of bytes; None for ``max``, and where there is no such file."""
    found = (_text(path) or "").strip()
    return int(found) if found.isdigit() else None


def _text(path: Path) -> str | None:
    """What the kernel says there; None where it says nothing, as on other systems or in the top group."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
