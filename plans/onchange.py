"""The choice that a person has about files that are not as they were when they were looked at."""

from __future__ import annotations

from enum import StrEnum


class OnChange(StrEnum):
    """What to do about such a file."""

    OVERWRITE = "overwrite"
    SKIP = "skip"
    ABORT = "abort"
