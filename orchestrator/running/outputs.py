"""What a plan leaves for people and programs: one folder per plan, outside of every worktree.

``<root>/<plan>/status.json``, ``findings/``, ``timestamps/``, ``log``. The plan's command may write into its
folder (``PLANCTL_OUTPUT_DIR``); nothing in it is trusted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from plans.effects import step, write_atomic
from plans.errors import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from plans.ids import PlanId

_STAMP: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def default_root(state_dir: Path) -> Path:
    """The outputs of all plans, inside planctl's own folder of the repository."""
    return state_dir / "outputs"


@dataclass(frozen=True, slots=True)
class PlanOutputs:
    """The outputs of one plan; ``folder`` is its own."""

    folder: Path

    @classmethod
    def of(cls, root: Path, plan: PlanId) -> PlanOutputs:
        """The outputs of ``plan`` below ``root``; nothing is made yet."""
        return cls(root / plan)

    @property
    def status(self) -> Path:
        """The file with the plan's state."""
        return self.folder / "status.json"

    @property
    def findings(self) -> Path:
        """The folder for what the plan found out."""
        return self.folder / "findings"

    @property
    def timestamps(self) -> Path:
        """The folder with a file for each thing that happened."""
        return self.folder / "timestamps"

    @property
    def log(self) -> Path:
        """The command's output."""
        return self.folder / "log"

    def prepare(self) -> None:
        """Make the folders; what is in them stays."""
        with step("outputs.make"):
            self.findings.mkdir(parents=True, exist_ok=True)
            self.timestamps.mkdir(exist_ok=True)

    def write_status(self, value: Mapping[str, Any]) -> None:
        """Replace ``status.json`` in one moment. Not synced: the store knows the same."""
        data = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        write_atomic(self.status, data.encode("utf-8", "surrogateescape"), durable=False)

    def read_status(self) -> dict[str, Any] | None:
        """Return what ``status.json`` says, None when it is absent or not a JSON object."""
        try:
            value = json.loads(self.status.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def stamp(self, name: str, at: str) -> None:
        """Write the moment ``at`` (ISO 8601) into ``timestamps/<name>``, in one moment.

        Raises :class:`InvalidNameError` for a name that is not ``[a-z0-9][a-z0-9._-]*``.
        """
        if not _STAMP.fullmatch(name):
            raise InvalidNameError("timestamp", name[:80], "1 to 64 of a-z 0-9 . _ - are allowed")
        path, content = self.timestamps / name, f"{at}\n".encode("ascii")
        if not (path.is_file() and path.read_bytes() == content):  # most of them are there already
            write_atomic(path, content, durable=False)

    def stamps(self) -> dict[str, str]:
        """Return the moments by name."""
        try:
            files = sorted(p for p in self.timestamps.iterdir() if _STAMP.fullmatch(p.name) and p.is_file())
        except FileNotFoundError:
            return {}
        return {p.name: p.read_text(encoding="utf-8", errors="replace").strip() for p in files}
