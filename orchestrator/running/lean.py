"""What a supervisor takes from the standard library, without what that brings along.

``json`` needs ``re``; ``signal`` makes enums of its numbers; ``contextlib`` and ``enum`` need ``functools``
and ``collections``. Together they are half of a supervisor's start, and planctl waits for that before every
check and every plan.
"""

from __future__ import annotations

try:
    from _json import encode_basestring_ascii
except ImportError:  # not in every Python
    from json.encoder import encode_basestring_ascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

__all__ = ["Ignoring", "json_of", "signal"]


class Ignoring:
    """As ``contextlib.suppress``; with no errors named, as ``contextlib.nullcontext``."""

    def __init__(self, *errors: type[Exception]) -> None:
        self._errors = errors

    def __enter__(self) -> None:
        """Nothing is kept."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """Whether the error is one that was named."""
        return kind is not None and issubclass(kind, self._errors)


def json_of(value: Any) -> str:
    """``value`` as ``json.dumps`` writes it: texts, numbers, None, and lists and mappings of these."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return encode_basestring_ascii(value)
        case dict():
            return "{" + ", ".join(f"{json_of(key)}: {json_of(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(json_of, value)) + "]"
    return repr(value)
