"""What every record of the store is: equal by all its fields, and shown with all of them."""

from __future__ import annotations

from typing import Any, ClassVar


class Record:
    """Equal when all fields are, and shown with all of them.

    Said once: what ``dataclass`` writes for each record is compiled at every start of planctl, and
    comparing and showing were a third of that.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = zip(self.__dataclass_fields__, self._values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown)})"

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)
