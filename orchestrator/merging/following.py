"""Checkouts of the target, made ready to follow a landing before its references move.

The index is locked and the update tried on a copy of it; the user's work in the way is found out here, while
nothing has moved.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from orchestrator.submitting.checkouts import note_detached
from orchestrator.submitting.locked import LOCKED
from plans.project import CheckoutPolicy
from worktrees.checkout import checkouts_of, detach_checkout
from worktrees.errors import CheckoutInTheWayError, CheckoutLockedError, GitFailedError
from worktrees.follow import prepare_follow
from worktrees.followlock import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.merging.tenure import Tenure
    from worktrees.checkout import Checkout
    from worktrees.follow import Follow

_NO_MAIN_CHECKOUT: Final = (
    "git does not take it for the main checkout any more; `git config core.bare false`, if a plan set it"
)


def in_the_way(error: CheckoutInTheWayError, tip: str) -> dict[str, Any]:
    """Why an entry is blocked: what was in the way of landing it on ``tip``."""
    if isinstance(error, CheckoutLockedError):
        locks = [] if error.lock is None else [str(error.lock)]
        return {"code": LOCKED, "detail": str(error), "paths": locks, "tip": tip}
    return {"code": "checkout", "detail": str(error), "paths": list(error.paths), "tip": tip}


def look_ahead(tenure: Tenure, old: str, new: str) -> None:
    """Raise CheckoutInTheWayError when ``new`` could not land now for the user's work; change nothing.

    That git is at work there this moment does not count. Raises GitFailedError where git was killed at it.
    """
    with contextlib.suppress(CheckoutLockedError), checkouts_ready(tenure, old, new, only_look=True):
        pass


@contextlib.contextmanager
def checkouts_ready(
    tenure: Tenure, old: str, new: str, *, only_look: bool = False
) -> Iterator[tuple[Follow, ...]]:
    """Every checkout of the target is ready to follow from ``old`` to ``new``, or nothing is held.

    Raises CheckoutInTheWayError, GitFailedError. Who is ready keeps its index locked until it is told to
    :meth:`Follow.apply`, or until the end of the ``with``.
    """
    bench = tenure.bench
    policy = bench.settings.project.checkout
    follows: list[Follow] = []
    mark = Mark(bench.target, old, new, tenure.epoch)
    try:
        for checkout in _checkouts(tenure) if new != old else ():
            if policy is CheckoutPolicy.WAIT:
                raise CheckoutInTheWayError(checkout.top, (), "the target is checked out (checkout: wait)")
            if policy is CheckoutPolicy.FOLLOW:
                follows.append(prepare_follow(bench.git, checkout, mark))
            elif not only_look:
                note_detached(bench.store, checkout.git_dir, bench.target, old)
                detach_checkout(bench.git, checkout, old)
        yield tuple(follows)
    finally:
        for follow in follows:
            follow.abandon()


def _checkouts(tenure: Tenure) -> tuple[Checkout, ...]:
    """Which they are. Where that cannot be told, one may be in the way; the other entries go on.

    So for a main checkout that git takes for none since a command of a plan set ``core.bare``: the target
    would move under it.
    """
    git, main = tenure.bench.git, tenure.bench.main_checkout
    try:
        if main is not None and main.is_dir() and git.repository.primary_top != main:
            raise CheckoutInTheWayError(main, (), _NO_MAIN_CHECKOUT)
        return checkouts_of(git, tenure.bench.target)
    except (GitFailedError, OSError) as error:
        raise CheckoutInTheWayError(git.repository.common_dir, (), str(error)) from error
