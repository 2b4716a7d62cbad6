"""The few words of git's that something depends on (``LC_ALL=C`` keeps them as they are)."""

from __future__ import annotations

import re
from typing import Final

REFUSED: Final = re.compile(
    r"^(?:fatal: (?:detected dubious ownership|unknown repository extension|bad config line"
    r"|Expected git repo)|error: unable to normalize alternate object path)",
    re.MULTILINE,
)
"""Of a repository that git refuses as a whole; only the type of the error depends on it."""

SWEPT: Final = re.compile(
    r"(?:unable to (?:create temporary file|write file )|could not (?:create directory of |open )"
    r".*worktrees).*: No such file or directory"
)
"""A gc of somebody's took away a folder of git's that had just become empty: git does not look again."""
