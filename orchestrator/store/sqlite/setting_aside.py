"""A corrupt store is moved out of the way with its log, never deleted.

Called under the kernel lock of ``opening``. The steps, each of which may be the last before a crash:

1. a marker names where the store goes; from here on nobody opens the store without the lock
2. the write-ahead log and its index are renamed, the database last: when it has its new name, all have
3. the new store is made, with the new name in it, in one transaction
4. the marker is removed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plans.effects import step, sync_folder, write_atomic

if TYPE_CHECKING:
    from pathlib import Path


def marker(path: Path) -> Path:
    """The file that says that the store at ``path`` is being set aside."""
    return path.with_name(f"{path.name}.setting-aside")


def begin(path: Path, stamp: str) -> Path:
    """Steps 1 and 2; return where the store went."""
    digits = "".join(letter for letter in stamp if letter.isalnum())
    target = path.with_name(f"{path.name}.corrupt-{digits}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.corrupt-{digits}-{number}")
    with step("store.set_aside.mark"):
        write_atomic(marker(path), target.name.encode())
    _rename(path, target)
    return target


def unfinished(path: Path) -> Path | None:
    """Finish step 2 of a process that was killed; return where the store went, None when there was none."""
    if not marker(path).exists():
        return None
    target = path.with_name(marker(path).read_text(encoding="utf-8"))
    _rename(path, target)
    return target


def end(path: Path) -> None:
    """Step 4."""
    with step("store.set_aside.unmark"):
        marker(path).unlink(missing_ok=True)


def _rename(path: Path, target: Path) -> None:
    if target.exists():
        return
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            with step("store.set_aside.rename"):
                source.rename(target.with_name(target.name + suffix))
    sync_folder(path.parent)
