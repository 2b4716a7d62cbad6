"""`planctl simulate`: table, CSV and JSON; no repository is needed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

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


def test_what_is_no_share_is_refused(tmp_path: Path) -> None:
    assert run("simulate", "--failure", "2", cwd=tmp_path).code == 2
