"""The fence: a reference that each queue worker moves when it takes over, and every landing verifies.

Promise: after a worker has taken the epoch, no landing prepared under an older one can move the target.
Non-promise: it does not stop an older worker from computing; its transaction is refused at the end.
Who checks: git, in the transaction (``verify refs/planctl/epoch``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from worktrees.references import ZERO, Create, Update

if TYPE_CHECKING:
    from orchestrator.workbench import Workbench

EPOCH: Final = "refs/planctl/epoch"


def take_epoch(bench: Workbench, token: int) -> str:
    """Move the epoch to an object of this session's own and return it.

    Raises ReferenceMovedError when another worker took it at the same moment.
    """
    old = bench.references.read(EPOCH)
    content = {"session": bench.session, "token": token, "at": bench.clock.now(), "after": old or ZERO}
    new = bench.objects.write_blob(json.dumps(content, sort_keys=True).encode())
    change = Update(EPOCH, new, old) if old else Create(EPOCH, new)
    bench.references.transact([change], message="planctl: epoch", step="queue.epoch")
    return new
