"""Priorities on the command line: the words and numbers that plan files take."""

from __future__ import annotations

import click


def priority(value: str) -> float:
    """``high`` or a number, as the ``type`` of an option; all else (``nan``) is a usage error."""
    from plans.errors import BadValueError  # noqa: PLC0415 - `--help` does without
    from plans.header import priority as word  # noqa: PLC0415 - as above

    try:
        return word().parse(value)
    except BadValueError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}" if error.hint else error.message) from error
