"""What the plans of one run hold of the host's named resources, shared with the runs of all repositories.

Promise: while a plan is at work, nobody else on the host who keeps to the same capacity has its places. The
supervisor of its command holds them too, so a killed planctl gives nothing away before that command ends. A
phase that is complete gives its places back, for the supervisor as well. Not promised: an order among those
that wait, other users of the host, that places outlive both planctl and the command of a stage (``resume``
takes them again for the next stage, if need be after waiting), and that a phase which completes after
planctl was killed gives them back before the command has ended: only who took a lock can unlock it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from orchestrator.errors import HostFolderError
from orchestrator.running.host import HostSlots, host_folder
from orchestrator.scheduling.reasons import Code, Reason, reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.running.host import HostSlot


_SLOT: Final = "build slots"
"""Every plan at work takes one, where they are counted. No resource can have that name: it has a space."""


class HostShare:
    """Places by attempt and resource; used by the threads of one run. A capacity is 1 unless given.

    With ``build_slots`` an attempt takes one of these beside what it is said to want, as long as that counts.
    """

    def __init__(self, capacities: Mapping[str, int], build_slots: int = 0) -> None:
        self._capacities = {**capacities, _SLOT: build_slots}
        self._always = {_SLOT: 1} if build_slots else {}
        self._lock = threading.Lock()
        self._held: dict[str, dict[str, HostSlot]] = {}

    def take(self, attempt: str, resources: Mapping[str, int]) -> Reason | None:
        """Hold ``resources`` for ``attempt``, all or nothing; return why it must wait instead, or None.

        What the attempt holds already counts. Raises HostFolderError.
        """
        wanted = {**resources, **self._always}
        with self._lock:
            own = self._held.setdefault(attempt, {})
            taken: dict[str, HostSlot] = {}
            for name in sorted(wanted.keys() - own.keys()):
                slot = self._try(name, wanted[name], taken)
                if slot is None:
                    for other in taken.values():
                        other.release()
                    return self._lacking(name)
                taken[name] = slot
            own.update(taken)
        return None

    def _try(self, name: str, amount: int, taken: Mapping[str, HostSlot]) -> HostSlot | None:
        """Places of one resource, if they are free; where that cannot be told, ``taken`` is given back."""
        try:
            return HostSlots(name, self._capacities.get(name, 1)).try_acquire(amount)
        except OSError as error:
            for other in taken.values():
                other.release()
            raise HostFolderError(host_folder(), error.strerror or str(error)) from error

    def _lacking(self, name: str) -> Reason:
        if name == _SLOT:
            return reason(Code.BUILD_SLOTS, detail=str(self._capacities[name]))
        return reason(Code.HOST_RESOURCE, detail=name)

    def keep(self, wanted: Mapping[str, Mapping[str, int]]) -> None:
        """Give back what is not ``wanted`` by attempt and resource any more.

        What an attempt at work wants no more (its phase is complete) is free at once. An attempt that is not
        wanted at all has ended for this run; should its supervisor live, that one keeps what it has.
        """
        with self._lock:
            for attempt, own in list(self._held.items()):
                if attempt not in wanted:
                    for slot in self._held.pop(attempt).values():
                        slot.release()
                    continue
                still = {**wanted[attempt], **self._always}
                for name in list(own):
                    own[name].free(keep=still.get(name, 0))
                    if name not in still:
                        del own[name]

    def descriptors(self, attempt: str) -> tuple[int, ...]:
        """All locks of ``attempt``, for its supervisor to hold as well."""
        with self._lock:
            own = self._held.get(attempt, {})
            return tuple(lock for name in sorted(own) for lock in own[name].hold)
