"""``planctl metrics``: what it says, in all formats; every name is documented."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.clock import SystemClock
from orchestrator.planning.estimate import Experience, Traits
from orchestrator.planning.remembered import VALUE, written
from orchestrator.services.metrics import measure, metrics_data, moment, spread
from orchestrator.services.prometheus import FAMILIES, exposition
from orchestrator.states import AttemptState, EntryState, SessionState, TaskState
from orchestrator.store.memory.store import MemoryStore
from orchestrator.store.protocol import Store
from orchestrator.store.sqlite.opening import open_sqlite
from orchestrator.store.taskrecords import TaskRecord
from tests.architecture.test_documents import DOCS, first_column, section
from tests.support.cli import planctl
from tests.support.records import a_run, a_session, a_verdict, an_attempt, an_entry
from tests.support.repo import GitRepo
from tests.support.runs import fingerprint

TOLD = ("estimate", "base_rate")
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")


def at(second: int) -> str:
    return f"2026-11-21T00:{second // 60:02}:{second % 60:02}.000Z"


def fill(store: Store) -> None:
    """Two plans: one landed after a wait and a task, one waits in the queue."""
    store.add_session(a_session("s1", labels=("python",), agent="claude"))
    store.add_run(a_run())
    landed = {"state": AttemptState.LANDED, "started_at": at(10), "finished_at": at(70), "entry": "e1"}
    store.add_attempt(an_attempt("a1", **landed))
    store.add_attempt(an_attempt("a2", plan="web", state=AttemptState.QUEUED))
    store.add_entry(
        an_entry("e1", state=EntryState.LANDED, queued_at=at(70), finished_at=at(100), attempt="a1")
    )
    store.add_entry(an_entry("e2", plan="web", queued_at=at(90)))
    store.add_verdict(a_verdict(finished_at=at(95), seconds=12.5))
    for second, event, plan, data in (
        (1, "plan.waiting", "api", {"reason": {"code": 'odd "code"\\ of\na plan'}}),
        (10, "plan.preparing", "api", {}),
        (100, "entry.landed", "api", {}),
        (101, "entry.conflicted", "web", {}),
        (120, "task.completed", None, {"labels": ["python"], "seconds": 360.0}),
    ):
        store.emit(event, at=at(second), run="r1", plan=plan, **data)
    known = Experience().after(Traits("e1", "api", 1), 0.9, landed=True, at=at(100))
    store.set_value(VALUE, written({"refs/heads/main": known}))
    task = TaskRecord("api:1", "api", "1")
    store.add_task(task)
    claimed = store.move_task(task, TaskState.CLAIMED, claimed_by="s1")
    store.move_task(claimed, TaskState.COMPLETED, completed_at=at(120), duration_seconds=360.0)


@pytest.fixture
def filled(repo: GitRepo) -> GitRepo:
    store = open_sqlite(repo.path / ".git/planctl/state.db", SystemClock()).store
    fill(store)
    store.close()
    return repo


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What Prometheus' own parser reads, the label of the repository aside."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "repository"))
            assert sample.name.startswith(family.name)
            found[sample.name, labels] = sample.value
    return found


def test_s4_12_prometheus_reads_what_is_exposed(filled: GitRepo) -> None:
    before = fingerprint(filled.path)
    said = planctl("metrics", "--format", "prometheus", repo=filled.path)
    assert fingerprint(filled.path) == before
    found = samples(said.stdout)
    assert found["planctl_landings_total", ()] == 1
    assert found["planctl_landed_ratio", ()] == 0.5
    assert found["planctl_plan_wait_seconds_total", (("reason", 'odd "code"\\ of\na plan'),)] == 9
    assert found["planctl_plan_duration_seconds", (("quantile", "0.95"),)] == pytest.approx(60)
    assert found["planctl_plan_duration_seconds_count", ()] == 1
    assert found["planctl_queue_entries", (("state", "queued"),)] == 1
    assert found["planctl_plans", (("state", "landed"),)] == 1
    assert found["planctl_label_task_seconds_total", (("label", "python"),)] == 360
    assert found["planctl_queue_oldest_age_seconds", ()] > 0
    of_main = ("target", "main")
    scores = {told: found["planctl_estimate_brier_score", (of_main, ("told", told))] for told in TOLD}
    assert scores == {told: pytest.approx(0.01) for told in TOLD}
    counted = {
        outcome: (("chance", "0.95"), ("outcome", outcome), of_main) for outcome in ("landed", "rejected")
    }
    assert {outcome: found["planctl_estimates", key] for outcome, key in counted.items()} == {
        "landed": 1,
        "rejected": 0,
    }
    assert f'repository="{filled.path}"' in said.stdout


def test_s4_12_a_session_counts_until_it_has_ended() -> None:
    """One that was not heard of in time has not ended."""
    store, states = MemoryStore(), (SessionState.ACTIVE, SessionState.STALE, SessionState.ENDED)
    for state in states:
        store.add_session(a_session(str(state), state=state))
    metrics = measure(store, SystemClock())
    assert samples(exposition(metrics, "/r").decode())["planctl_sessions", ()] == 2
    found = metrics_data(metrics)["sessions"]
    assert (found["active"], found["living"]) == (1, 2)


def test_s4_12_every_family_has_its_help_type_and_unit() -> None:
    store = MemoryStore()
    text = exposition(measure(store, SystemClock()), "/r\udcff").decode()
    assert text.endswith("\n")
    parsed = {family.name: family for family in text_string_to_metric_families(text)}
    for family in FAMILIES:
        their = parsed[family.name.removesuffix("_total") if family.kind == "counter" else family.name]
        assert (their.type, their.documentation) == (family.kind, family.doc)
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert all(sample.labels["repository"] == r"/r\udcff" for sample in their.samples)
        if any(word in family.name for word in ("duration", "age", "wait_")):
            assert "_seconds" in family.name
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_s4_12_every_name_is_documented_with_its_type() -> None:
    text = section(PAGE, "Prometheus")
    described = dict(
        zip(
            first_column(text),
            [line.split("|")[2].strip() for line in text.splitlines() if line.startswith("| `")],
            strict=True,
        )
    )
    assert described == {family.name: family.kind for family in FAMILIES}


def test_s4_12_every_key_of_the_json_is_documented(filled: GitRepo) -> None:
    data = planctl("metrics", "--json", repo=filled.path).data
    text = section(PAGE, "JSON")
    assert first_column(text) == list(data)
    rows = {row.split("|")[1].strip(): row for row in text.splitlines() if row.startswith("| `")}
    for key, value in data.items():
        inside = value[0] if isinstance(value, list) else value
        for word in inside if isinstance(inside, dict) else ():
            assert any(f"`{word}`" in row for name, row in rows.items() if key in name), (key, word)
    assert data["sessions"]["done"] == [
        {
            "session": "s1",
            "agent": "claude",
            "labels": ["python"],
            "tasks": 1,
            "task_seconds": 360.0,
            "tasks_per_hour": 10.0,
            "landed": 1,
        }
    ]
    assert data["landings"]["landed_ratio"] == 0.5
    (estimates,) = data["estimates"]
    assert (estimates["target"], estimates["outcomes"]) == ("main", 1)
    later = planctl("metrics", "--json", "--since", at(101), repo=filled.path).data
    assert later["estimates"] == []
    assert data["durations"]["check"] == {"count": 1, "seconds": 12.5, "median": 12.5, "p95": 12.5}


def test_s4_12_tables_for_people(filled: GitRepo) -> None:
    said = planctl("metrics", repo=filled.path).stdout
    rows = {" ".join(line.split()) for line in said.splitlines()}
    assert rows >= {"landed of all decided 50.0%", "plan at work 1 60 s 60 s 60 s", "claude python 1 10.0 1"}
    assert "0.90 to 0.95 1 0.900 1.000" in rows
    assert "age of the oldest" in said
    assert "\x1b" not in said


def test_s4_12_since_a_moment(filled: GitRepo) -> None:
    def landed(since: str) -> int:
        data = planctl("metrics", "--json", "--since", since, repo=filled.path).data
        return int(data["landings"]["landed"])

    assert (landed("2026-11-21"), landed(at(100)), landed("2026-11-21T02:00:00+01:00")) == (1, 1, 0)
    assert (landed("2026-11-21T01:01:40+01:00"), landed("0s")) == (1, 0)
    for bad in ("yesterday", "2:30", "", "9" * 30):
        assert planctl("metrics", "--since", bad, repo=filled.path).code == 2
    refused = planctl("metrics", "--since", "7d", "--format", "prometheus", repo=filled.path)
    assert (refused.code, refused.stdout) == (2, "")
    assert planctl("metrics", "--json", "--format", "prometheus", repo=filled.path).code == 2


def test_s4_12_a_repository_that_planctl_never_worked_in(repo: GitRepo) -> None:
    assert planctl("metrics", repo=repo.path).stdout.startswith("figures of all that is remembered")
    data = planctl("metrics", "--format", "json", repo=repo.path).data
    assert (data["queue"]["length"], data["landings"]["landed_ratio"]) == (0, None)
    assert not (repo.path / ".git/planctl").exists()


@pytest.mark.parametrize(
    ("values", "median", "p95"),
    [([], None, None), ([3], 3, 3), ([1, 2], 1.5, 2), (range(1, 21), 10.5, 19), (range(100), 49.5, 94)],
)
def test_s4_12_quantiles_are_values_that_were(values: list[float], median: float | None, p95: float) -> None:
    found = spread(values)
    assert (found.count, found.median, found.p95) == (len(values), median, p95)
    assert math.isclose(found.seconds, sum(values))


def test_s4_12_velocity_needs_time_and_ratio_needs_landings() -> None:
    data = metrics_data(measure(MemoryStore(), SystemClock(), moment(SystemClock().now(), 10)))
    assert (data["landings"]["per_day"], data["landings"]["landed_ratio"], data["labels"]) == (None, None, [])


def test_s4_12_both_stores_measure_the_same(filled: GitRepo, opened: Callable[[Path], Store]) -> None:
    memory = MemoryStore()
    fill(memory)
    both = [
        metrics_data(measure(store, SystemClock()))
        for store in (memory, opened(filled.path / ".git/planctl/state.db"))
    ]
    for data in both:
        del data["at"], data["queue"]["oldest_seconds"], data["landings"]["per_day"]
        data["durations"] = {k: round(v["seconds"], 3) for k, v in data["durations"].items()}
    assert both[0] == both[1]


@pytest.fixture
def opened() -> Callable[[Path], Store]:
    return lambda path: open_sqlite(path, SystemClock()).store
