"""Git children that stay to make one reference transaction after another, where a process each would be felt.

``git update-ref --stdin`` takes any number of transactions. What is promised of one is what is promised of a
child of its own (see ``references.py``): nothing is changed before its ``commit``, and a child that dies has
an outcome that is not known and is looked up. The write lock is held shared for as long as a transaction
lasts and no longer: the child has inherited the open lock file, so the lock outlives a killed planctl exactly
as long as the child does, and an idle child keeps nobody from recovery.

The message of the reference logs belongs to the child. So there is one for each message, and callers whose
references have logs use few of them.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from worktrees.errors import GitFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worktrees.conversation import Conversation
    from worktrees.git import Git

# git's own patience with a reference that somebody else is just moving is a tenth of a second.
PATIENT: Final = ("-c", "core.filesRefLockTimeout=1000")
_PREPARED: Final = (b"start: ok", b"prepare: ok")
_COMMITTED: Final = (b"commit: ok",)


class KeptWriters:
    """The children of one process and repository. Safe to share between threads: they take turns."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._children: dict[str, Conversation] = {}
        self._turn = threading.Lock()

    def transact(self, commands: Sequence[str], message: str) -> None:
        """Make the changes of ``commands`` (``update-ref -z``), or none; ``message`` goes to the logs.

        Raises :class:`GitFailedError`. Then the child is gone, and the next transaction has a new one.
        """
        with self._turn:
            child = self._child(message)
            try:
                with child.writing():
                    self._say(child, ("start", *commands, "prepare"), _PREPARED)
                    self._say(child, ("commit",), _COMMITTED)
            except BaseException:
                del self._children[message]
                child.close()
                raise

    def _child(self, message: str) -> Conversation:
        child = self._children.get(message)
        if child is None or not child.is_alive:
            if child is not None:
                child.close()
            arguments = (*PATIENT, "update-ref", "-m", message, "-z", "--stdin")
            child = self._children[message] = self._git.converse(*arguments)
        return child

    def _say(self, child: Conversation, words: Sequence[str], answers: Sequence[bytes]) -> None:
        data = "".join(word + "\0" for word in words).encode("utf-8", "surrogateescape")
        with contextlib.suppress(BrokenPipeError):  # it is dead: then it does not answer either
            child.say(data)
        for expected in answers:
            if child.line() != expected:
                raise GitFailedError(("update-ref",), *child.end())

    def close(self) -> None:
        """End the children; they end by themselves when this process does."""
        with self._turn:
            while self._children:
                self._children.popitem()[1].close()
