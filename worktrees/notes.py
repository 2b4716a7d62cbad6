"""What a snapshot knows beside its trees: written by rescue, read by restore, kept as ``notes.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

SCHEMA: Final = 2
_READABLE: Final = (1, SCHEMA)
NAME: Final = "notes.json"


@dataclass(frozen=True, slots=True)
class Notes:
    """Facts about a rescued worktree; all paths relative to it.

    ``base`` is its HEAD commit (None: unborn) and ``head`` the branch reference HEAD named
    (None: detached). ``operation`` is a :class:`state.Condition` or None. ``paths`` are the kept paths;
    ``permissions`` maps the regular files among them to their nine bits. ``intended`` are the index's
    intent-to-add entries, ``assumed`` and ``skipped`` its assume-unchanged and skip-worktree
    marks on files that were on disk. ``unmerged`` says that the
    index commit holds folders ``merged``, ``base``, ``ours``, ``theirs`` in place of one plain tree.
    ``references`` are the worktree's own (``refs/bisect/…``). ``lost`` maps what could not be captured to
    the reason, ``nested`` the repositories inside to what they are.
    """

    base: str | None
    head: str | None = None
    operation: str | None = None
    paths: tuple[str, ...] = ()
    permissions: dict[str, int] = field(default_factory=dict)
    intended: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    unmerged: bool = False
    references: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    nested: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """ASCII JSON with sorted keys; file names that are not UTF-8 survive as escaped surrogates."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, sort_keys=True, indent=1).encode("ascii")

    @classmethod
    def decoded(cls, data: bytes) -> Notes:
        """Read what :meth:`encoded` wrote. Raises :class:`ValueError` for anything else."""
        try:
            value: dict[str, Any] = json.loads(data)
            if value.pop("schema") not in _READABLE:
                raise ValueError("it was written by another version of planctl")
            lists = ("paths", "intended", "assumed", "skipped")
            fields: dict[str, Any] = {name: tuple(v) if name in lists else v for name, v in value.items()}
            return cls(**fields)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("its notes cannot be read") from error
