"""Which checkouts planctl took off the target (``checkout: detach``), so that ``sync`` can put them back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.store.protocol import Store


def note_detached(store: Store, git_dir: Path, target: str, commit: str) -> None:
    """Remember, before it is done, that a checkout is taken off ``target`` at ``commit``."""
    store.set_value(_key(git_dir), json.dumps({"target": target, "commit": commit}))


def detached_from(store: Store, git_dir: Path) -> tuple[str, str] | None:
    """The target that a checkout was taken off, and the commit it was left at; None for any other."""
    text = store.value(_key(git_dir))
    if text is None:
        return None
    noted = json.loads(text)
    return noted["target"], noted["commit"]


def forget_detached(store: Store, git_dir: Path) -> None:
    """The checkout is back, or went its own way."""
    store.set_value(_key(git_dir), None)


def _key(git_dir: Path) -> str:
    return f"checkout.detached.{git_dir}"
