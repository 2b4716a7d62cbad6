"""No branch may weaken what guards the target: a landing that changes the guarding settings is held.

The settings that guard are read from the target's tip (see ``settings``); here the candidate's own
``planctl.yaml`` is compared with it. A person lets one entry pass by name, and since an entry's id is made
of its head, that is for exactly this work; any worker of the repository then lands it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from orchestrator.settings import FILE
from orchestrator.settings import GUARDED as _GUARDED
from plans.errors import Severity
from plans.project_file import read_settings

if TYPE_CHECKING:
    from orchestrator.store.protocol import Store
    from orchestrator.workbench import Workbench
    from plans.project import ProjectSettings

GUARDED: Final = ("target", *_GUARDED)


def changed_policy(bench: Workbench, old: str, new: str) -> tuple[str, ...]:
    """Return the names of the guarding settings that differ between two commits of the target.

    A file that is new in ``new`` changes those settings that it sets away from their defaults; one that is
    not valid any more changes all.
    """
    if bench.objects.entry(old, FILE) == bench.objects.entry(new, FILE):
        return ()
    before, after = _settings(bench, old), _settings(bench, new)
    if after is None:
        return (f"{FILE} as a whole, which is not valid any more",)
    if before is None:
        return (f"{FILE} as a whole, which was not valid before",)
    return tuple(name for name in GUARDED if getattr(before, name) != getattr(after, name))


def _settings(bench: Workbench, commit: str) -> ProjectSettings | None:
    read = read_settings(PurePosixPath(FILE), bench.objects.read_blob(commit, FILE) or b"")
    return None if any(p.severity is Severity.ERROR for p in read.problems) else read.settings


def allow_policy_change(store: Store, entry: str) -> None:
    """Let exactly this entry change what guards the target."""
    store.set_value(_key(entry), "by a person")


def is_policy_change_allowed(store: Store, entry: str) -> bool:
    """Whether a person let this entry pass."""
    return store.value(_key(entry)) is not None


def _key(entry: str) -> str:
    return f"policy-change.{entry}"
