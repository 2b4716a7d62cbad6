"""Starts that other runs on the host leave no place for: they take nothing from the plans behind them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.running.host import HostSlots
from orchestrator.scheduling.decide import Start, Wait
from orchestrator.scheduling.hostshare import HostShare
from orchestrator.scheduling.sharing import decide_sharing
from orchestrator.scheduling.view import View
from orchestrator.states import AttemptState as A
from plans.ids import PlanId
from tests.support.views import a_plan, a_view

ID = PlanId
HOST = {"code": "host-resource", "detail": "db"}


@pytest.fixture
def db_elsewhere() -> Iterator[None]:
    """Another run on the host has one of the places of ``db``."""
    slot = HostSlots("db", 1).try_acquire()
    assert slot is not None
    yield
    slot.release()


def found(view: View, share: HostShare) -> dict[str, object]:
    return {d.plan: d for d in decide_sharing(view, share)[1] if hasattr(d, "plan")}


@pytest.mark.usefixtures("db_elsewhere")
def test_s2_13_a_plan_that_the_host_refuses_takes_no_place_of_the_run() -> None:
    view = a_view(a_plan("a", resources={"db": 1}), a_plan("b"), jobs=1)
    assert found(view, HostShare({})) == {"a": Wait(ID("a"), HOST), "b": Start(ID("b"))}


@pytest.mark.usefixtures("db_elsewhere")
def test_s2_13_a_plan_that_the_host_refuses_holds_up_no_rival() -> None:
    view = a_view(a_plan("a", resources={"db": 1}), a_plan("b", conflicts_with=(ID("a"),)))
    assert found(view, HostShare({})) == {"a": Wait(ID("a"), HOST), "b": Start(ID("b"))}


@pytest.mark.usefixtures("db_elsewhere")
def test_who_wants_less_of_what_is_refused_is_asked_for_by_itself() -> None:
    """Of two places one is free: ``a`` wants both, ``b`` one, and ``c`` then finds none."""
    plans = (a_plan(name, resources={"db": n}) for name, n in (("a", 2), ("b", 1), ("c", 1)))
    view = a_view(*plans, capacities={"db": 2})
    shared = found(view, HostShare({"db": 2}))
    assert shared["a"] == Wait(ID("a"), HOST)
    assert isinstance(shared["b"], Start)
    assert shared["c"] == Wait(ID("c"), HOST)


@pytest.mark.usefixtures("db_elsewhere")
def test_a_run_that_only_waits_for_the_host_does_not_end() -> None:
    view = a_view(a_plan("a", resources={"db": 1}), a_plan("b", resources={"db": 1}))
    _, decisions = decide_sharing(view, HostShare({}))
    assert decisions == (Wait(ID("a"), HOST), Wait(ID("b"), HOST))


def test_a_host_without_a_build_slot_makes_all_wait_in_two_rounds_of_deciding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share, asked = HostShare({}, build_slots=1), []
    real = share.take
    monkeypatch.setattr(share, "take", lambda *a: (asked.append(a), real(*a))[1])
    view = a_view(*(a_plan(f"p{n:03}") for n in range(100)), jobs=100)
    _, decisions = decide_sharing(view, share)
    assert decisions[0] == Start(ID("p000"))
    assert {d.why["code"] for d in decisions if isinstance(d, Wait)} == {"build-slots"}
    assert len(asked) == 3  # the first, the second in vain, the first again, who has it


def test_what_has_its_places_keeps_them_when_others_are_refused() -> None:
    share = HostShare({"db": 1})
    view = a_view(a_plan("a", resources={"db": 1}), a_plan("b"), states={"a": A.PENDING})
    decide_sharing(view, share)
    assert HostSlots("db", 1).try_acquire() is None
