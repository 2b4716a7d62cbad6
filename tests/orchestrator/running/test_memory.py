"""P14: the memory that a command may take, as system and control groups say."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from orchestrator.running.memory import GIB, Memory, MemoryShortage, available_memory, memory_shortage

MIB = 1 << 20


def files(root: Path, **contents: str) -> None:
    """Write files named by their path with ``__`` for ``/`` and ``_dot_`` for a point."""
    for name, text in contents.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


def test_p14_without_control_groups_the_system_counts(tmp_path: Path) -> None:
    found = available_memory(tmp_path)
    assert found.total == psutil.virtual_memory().total
    assert 0 < found.available <= found.total


def test_p14_the_tightest_group_above_counts_and_cache_is_not_in_use(tmp_path: Path) -> None:
    files(
        tmp_path,
        proc__self__cgroup="0::/ci/job\n",
        sys__fs__cgroup__ci__job__memory_dot_max="max\n",
        sys__fs__cgroup__ci__job__memory_dot_current=f"{90 * MIB}\n",
        sys__fs__cgroup__ci__memory_dot_max=f"{100 * MIB}\n",
        sys__fs__cgroup__ci__memory_dot_high="max\n",
        sys__fs__cgroup__ci__memory_dot_current=f"{90 * MIB}\n",
        sys__fs__cgroup__ci__memory_dot_stat=f"anon {50 * MIB}\ninactive_file {30 * MIB}\n",
    )
    assert available_memory(tmp_path) == Memory(40 * MIB, 100 * MIB)
    files(tmp_path, sys__fs__cgroup__ci__job__memory_dot_high=f"{91 * MIB}\n")
    assert available_memory(tmp_path) == Memory(1 * MIB, 91 * MIB)


def test_p14_a_container_sees_its_own_limit_at_the_top(tmp_path: Path) -> None:
    """Its path leads out of what it sees, in a cgroup namespace with the host's hierarchy above."""
    files(
        tmp_path,
        proc__self__cgroup="0::/../outside\n",
        sys__fs__cgroup__memory_dot_max=f"{64 * MIB}\n",
        sys__fs__cgroup__memory_dot_current=f"{80 * MIB}\n",
    )
    assert available_memory(tmp_path) == Memory(0, 64 * MIB), "over its limit: nothing, not less"


def test_p14_control_groups_of_the_first_version(tmp_path: Path) -> None:
    files(
        tmp_path,
        proc__self__cgroup="9:name=systemd:/x\n4:cpu,memory:/box\n0::/\n",
        sys__fs__cgroup__memory__box__memory_dot_limit_in_bytes=f"{50 * MIB}\n",
        sys__fs__cgroup__memory__box__memory_dot_usage_in_bytes=f"{20 * MIB}\n",
        sys__fs__cgroup__memory__box__memory_dot_stat=f"inactive_file 7\ntotal_inactive_file {5 * MIB}\n",
        sys__fs__cgroup__memory__memory_dot_limit_in_bytes="9223372036854771712\n",
        sys__fs__cgroup__memory__memory_dot_usage_in_bytes=f"{900 * MIB}\n",
    )
    assert available_memory(tmp_path) == Memory(35 * MIB, 50 * MIB)


@pytest.mark.parametrize("nonsense", ["", "\n\n", "0\n", "0::\n", "x:y", "0::/gone\n", "\udcff"])
def test_p14_what_cannot_be_understood_bounds_nothing(tmp_path: Path, nonsense: str) -> None:
    path = tmp_path / "proc/self/cgroup"
    path.parent.mkdir(parents=True)
    path.write_bytes(nonsense.encode("utf-8", "surrogatepass"))
    assert available_memory(tmp_path).total == psutil.virtual_memory().total


def test_p14_a_floor_is_met_or_lacks_for_now_or_for_ever() -> None:
    assert memory_shortage(0) is None
    assert memory_shortage(1) is None
    never = memory_shortage(1 << 60)
    assert never is not None
    assert never.lasting
    for_now = MemoryShortage(Memory(GIB, 8 * GIB), 2 * GIB)
    assert not for_now.lasting
    assert str(for_now) == "less than 2.0 GiB of memory available"
