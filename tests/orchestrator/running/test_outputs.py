from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.running.outputs import PlanOutputs, default_root
from plans.errors import InvalidNameError
from plans.ids import PlanId


@pytest.fixture
def outputs(tmp_path: Path) -> PlanOutputs:
    made = PlanOutputs.of(default_root(tmp_path), PlanId.parse("auth"))
    made.prepare()
    return made


def test_s2_3_outputs_of_two_plans_are_apart(tmp_path: Path, outputs: PlanOutputs) -> None:
    other = PlanOutputs.of(default_root(tmp_path), PlanId.parse("api"))
    other.prepare()
    outputs.write_status({"state": "running"})
    other.write_status({"state": "waiting"})
    assert outputs.read_status() == {"state": "running"}
    assert other.read_status() == {"state": "waiting"}
    names = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert names == ["outputs/api/status.json", "outputs/auth/status.json"]


def test_preparing_again_keeps_what_is_there(outputs: PlanOutputs) -> None:
    (outputs.findings / "a.md").write_text("found")
    outputs.prepare()
    assert (outputs.findings / "a.md").read_text() == "found"
    assert outputs.log == outputs.folder / "log"


def test_s2_12_status_is_never_seen_half_written(outputs: PlanOutputs) -> None:
    big = "x" * 200_000
    outputs.write_status({"n": -1, "big": big})
    done = threading.Event()
    seen: list[bool] = []

    def read() -> None:
        while not done.is_set():
            value = outputs.read_status()
            seen.append(value is not None and len(value["big"]) == len(big))

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(50):
        outputs.write_status({"n": n, "big": big})
    done.set()
    reader.join()
    assert seen
    assert all(seen)
    assert [p.name for p in outputs.folder.iterdir() if p.is_file()] == ["status.json"]


def test_status_that_cannot_be_read_is_none(outputs: PlanOutputs) -> None:
    assert outputs.read_status() is None
    for text in (b"{", b"[]", b"\xff"):
        outputs.status.write_bytes(text)
        assert outputs.read_status() is None


def test_timestamps(outputs: PlanOutputs) -> None:
    outputs.stamp("started", "2026-11-21T00:56:01.123Z")
    outputs.stamp("started", "2026-11-21T00:57:01.123Z")
    outputs.stamp("phase.1", "2026-11-21T00:58:01.123Z")
    assert outputs.stamps() == {
        "started": "2026-11-21T00:57:01.123Z",
        "phase.1": "2026-11-21T00:58:01.123Z",
    }
    for name in ("../x", "", ".hidden", "a/b"):
        with pytest.raises(InvalidNameError):
            outputs.stamp(name, "now")


def test_no_timestamps_before_anything_was_made(tmp_path: Path) -> None:
    assert PlanOutputs(tmp_path / "none").stamps() == {}
