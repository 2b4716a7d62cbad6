"""JSON Schema of what people write, made from the tables that the readers use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plans.header import HEADER, YAML_PLAN
from plans.project_file import SETTINGS

if TYPE_CHECKING:
    from plans.shapes import Record

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def header_schema(*, with_body: bool = True) -> dict[str, Any]:
    """The schema of a plan's header; ``with_body`` takes ``body`` too, as plan files in YAML have it.

    What it cannot say, and only the reader refuses: the syntax of patterns, phases named twice, the range
    of numbers in quotes.
    """
    record = YAML_PLAN if with_body else HEADER
    return _titled(record, "planctl plan", "The header of a plan file of planctl.")


def settings_schema() -> dict[str, Any]:
    """The schema of ``planctl.yaml``."""
    return _titled(SETTINGS, "planctl.yaml", "The settings of a repository for planctl.")


def _titled(record: Record[dict[str, Any]], title: str, description: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "title": title, "description": description, **record.schema()}
