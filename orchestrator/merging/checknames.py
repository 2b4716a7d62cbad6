"""What is checked, by name: as events and verdicts tell it, without what it takes to run one."""

from __future__ import annotations

from typing import Final

TARGET: Final = "target"
"""The check that every commit of the target must pass."""
PLAN: Final = "plan"
"""A plan's own, in addition."""
REGENERATE: Final = "regenerate"
"""No check, but the command that makes a hot file anew."""
