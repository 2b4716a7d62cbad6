"""`planctl simulate`: table, CSV and JSON; no repository is needed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.support.process import run

FEW = ("simulate", "--changes", "12", "--seeds", "2")


def test_the_policies_stand_beside_the_oracle(tmp_path: Path) -> None:
    done = run(*FEW, cwd=tmp_path)
    assert done.code == 0, done.err
    names = [line.split()[0] for line in done.out.splitlines()]
    assert names == ["policy", "oracle", "serial", "batch", "prefix", "lanes", "ranked", "auto"]


def test_a_batch_needs_fewer_checks_than_one_by_one(tmp_path: Path) -> None:
    done = run(*FEW, "--policy", "serial", "--policy", "batch", "--json", cwd=tmp_path)
    rows = {row["policy"]: row for row in json.loads(done.out)["rows"]}
    assert rows["serial"]["checks"] >= 1 > rows["batch"]["checks"]


def test_csv_is_the_same_as_json(tmp_path: Path) -> None:
    asked = (*FEW, "--policy", "auto", "--slots", "3", "--meets", "0.2", "--breaks", "0.1", "--told", "0.9")
    rows = json.loads(run(*asked, "--json", cwd=tmp_path).out)["rows"]
    read = list(csv.DictReader(io.StringIO(run(*asked, "--csv", cwd=tmp_path).out)))
    assert read == [{name: str(value) for name, value in row.items()} for row in rows]


def test_without_second_tries_good_changes_are_rejected_by_accident(tmp_path: Path) -> None:
    asked = ("simulate", "--failure", "0", "--flake", "0.2", "--policy", "serial", "--seeds", "2", "--json")
    second, first = (
        json.loads(run(*asked, *more, cwd=tmp_path).out)["rows"][-1] for more in ((), ("--tries", "1"))
    )
    assert first["checks"] == 1
    assert second["checks"] > 1
    assert first["wrong"] > 2 * second["wrong"]


def test_what_is_no_share_is_refused(tmp_path: Path) -> None:
    assert run("simulate", "--failure", "2", cwd=tmp_path).code == 2


def test_recorded_arrivals_stand_in_place_of_made_up_ones(tmp_path: Path) -> None:
    (tmp_path / "came.csv").write_text(
        "arrives,seconds,outcome\n0,600,passed\n60,600,failed\n120,600,passed\n"
    )
    asked = ("simulate", "--arrivals", "came.csv", "--policy", "serial", "--seeds", "1", "--json")
    done = run(*asked, cwd=tmp_path)
    assert done.code == 0, done.err
    oracle, serial = json.loads(done.out)["rows"]
    assert oracle["p50"] == 600 + 540
    assert serial["checks"] == 4 / 3
    assert serial["seconds"] == 4 * 600 / 3


def test_a_file_of_arrivals_that_cannot_be_read_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "came.csv").write_text("arrives,seconds\n0,60\n1,soon\n")
    done = run("simulate", "--arrivals", "came.csv", cwd=tmp_path)
    assert done.code == 2
    assert "line 3" in done.err
    (tmp_path / "came.csv").write_bytes(b"arrives\n\xff\n")
    assert run("simulate", "--arrivals", "came.csv", cwd=tmp_path).code == 2


def test_the_plot_is_one_svg_with_a_line_for_each_policy_and_no_scripts(tmp_path: Path) -> None:
    done = run(*FEW, "--policy", "batch", "--plot", "policies.svg", cwd=tmp_path)
    assert done.code == 0, done.err
    root = ET.parse(tmp_path / "policies.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    drawn = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert "script" not in drawn
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("oracle") == texts.count("batch") == 2
    assert drawn.count("path") >= 2


def test_priorities_are_held_against_a_serial_queue_as_well(tmp_path: Path) -> None:
    done = run(*FEW, "--rate", "10", "--priority", "50", "--priority", "90", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert all(row["wrong"] == 0 for row in json.loads(done.out)["rows"])


def test_chances_are_learned_from_files_and_their_calibration_is_shown(tmp_path: Path) -> None:
    few = ("simulate", "--changes", "30", "--seeds", "2", "--policy", "ranked", "--failure", "0.2")
    asked = (*few, "--files", "40")
    (found,) = json.loads(run(*asked, "--json", cwd=tmp_path).out)["estimates"]
    assert (found["policy"], found["outcomes"]) == ("ranked", 60)
    assert sum(bucket["count"] for bucket in found["buckets"]) == 60
    said = run(*asked, cwd=tmp_path).out
    assert "estimates of ranked" in said
    assert f"Brier score {found['brier']:.4f}" in said
    told = run(*asked, "--told", "0.9", cwd=tmp_path).out
    assert "Brier" not in told, "what is told is not learned"


def test_recorded_paths_say_what_overlaps_and_are_learned_from(tmp_path: Path) -> None:
    good, bad = "{0},passed,{0}.py\n", "{0},failed,bad.py\n"
    rows = "".join((bad if number % 2 else good).format(number) for number in range(40))
    (tmp_path / "came.csv").write_text(f"arrives,outcome,paths\n{rows}")
    asked = ("simulate", "--arrivals", "came.csv", "--policy", "ranked", "--seeds", "1", "--slots", "8")
    (estimates,) = json.loads(run(*asked, "--json", cwd=tmp_path).out)["estimates"]
    assert estimates["brier"] < 0.9 * estimates["usual"]
