"""Drawings of the graph, with titles and witness paths that mean harm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from plans.drawing.data import draw_json, graph_data
from plans.drawing.dot import draw_dot
from plans.drawing.escape import one_line, visible
from plans.drawing.mermaid import draw_mermaid
from plans.drawing.svg import draw_svg
from plans.drawing.text import draw_text
from plans.graph import PlanGraph, build_graph
from plans.ids import PhaseId, PlanId
from plans.model import Dependency, Plan, Until
from plans.overlap import Kind, Overlap, OverlapSeverity
from plans.project import OverlapMode

HOSTILE = 'x\x1b[2J\n]\u202e"><script>alert(1)</script>&\\"; end -->|\udcff\uffff\x00 --> ]]>'
RENDERERS = (draw_text, draw_mermaid, draw_dot, draw_svg, draw_json)


def plan(name: str, *dependencies: Dependency, title: str = "", conflicts: tuple[str, ...] = ()) -> Plan:
    return Plan(
        PlanId(name),
        title or name,
        Path("p.md"),
        b"",
        "",
        dependencies=dependencies,
        conflicts_with=tuple(map(PlanId, conflicts)),
    )


def overlap(a: str, b: str, kind: Kind, witness: str) -> Overlap:
    severity = OverlapSeverity.HIGH if kind is Kind.WRITE_WRITE else OverlapSeverity.MEDIUM
    return Overlap(PlanId(a), PlanId(b), kind, severity, witness, (witness, witness), (), 0, "sequence")


@pytest.fixture
def graph() -> PlanGraph:
    plans = [
        plan("base", title="Groundwork"),
        plan("end", Dependency(PlanId("base"), Until.PHASE, PhaseId("2")), title=HOSTILE),
        plan("other", Dependency(PlanId("elsewhere"), Until.FINISHED), conflicts=("end",)),
        plan("reader"),
    ]
    overlaps = [
        overlap("base", "other", Kind.WRITE_WRITE, f"src/{HOSTILE}.py"),
        overlap("base", "reader", Kind.WRITE_READ, "src/b.py"),
    ]
    return build_graph(plans, overlaps, OverlapMode.SERIALIZE)


def test_text_says_what_each_plan_waits_for(graph: PlanGraph) -> None:
    lines = draw_text(graph).splitlines()
    assert lines[0] == "wave 1"
    assert "  base  (priority 50)  Groundwork" in lines
    assert "    after base: phase 2 complete" in lines
    assert "    after base: lands after, overlap on src/b.py" in lines
    assert "    after end: never at the same time" in lines
    assert "    needs elsewhere, not among these plans: finished" in lines
    assert lines[-1] == "critical path: base → end → other"


def test_json_has_the_names_that_scripts_rely_on(graph: PlanGraph) -> None:
    data = json.loads(draw_json(graph))
    assert data["waves"] == [["base", "reader"], ["end"], ["other"]]
    assert data["critical_path"] == ["base", "end", "other"]
    assert [n["id"] for n in data["nodes"]] == ["base", "end", "other", "reader"]
    assert {(e["from"], e["to"], e["why"]) for e in data["edges"]} == {
        ("base", "end", "dependency"),
        ("base", "other", "overlap"),
        ("end", "other", "conflicts_with"),
    }
    assert [(e["from"], e["to"]) for e in data["landing_order"]] == [("base", "end"), ("base", "reader")]
    assert data["external"] == [{"plan": "other", "needs": "elsewhere", "until": "finished", "phase": None}]
    assert data["edges"][1]["detail"] == f"src/{HOSTILE}.py", "JSON gives the exact path back"
    assert graph_data(graph) == data


@pytest.mark.parametrize("draw", RENDERERS)
def test_nothing_hidden_survives(graph: PlanGraph, draw: Callable[[PlanGraph], str]) -> None:
    drawn = draw(graph)
    assert drawn.endswith("\n")
    assert not [c for c in drawn if c != "\n" and not c.isprintable()]
    assert draw(graph) == drawn


@pytest.mark.parametrize("draw", RENDERERS)
def test_an_empty_graph_is_drawn(draw: Callable[[PlanGraph], str]) -> None:
    assert draw(build_graph([], [], OverlapMode.SERIALIZE)).strip()


def test_svg_is_xml_that_neither_runs_nor_loads_anything(graph: PlanGraph) -> None:
    root = ET.fromstring(draw_svg(graph))
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names == {"svg", "style", "defs", "marker", "path", "text", "g", "title", "rect"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {a for a in attributes if a.startswith("on") or "href" in a}
    titles = [e.text for e in root.iter() if e.tag.endswith("title")]
    assert any("<script>alert(1)</script>" in (t or "") for t in titles), "shown as text, in full"


def test_svg_boxes_do_not_lie_on_each_other_and_fit(graph: PlanGraph) -> None:
    root = ET.fromstring(draw_svg(graph))
    boxes = [
        (int(e.attrib["x"]), int(e.attrib["y"]), int(e.attrib["width"]), int(e.attrib["height"]))
        for e in root.iter()
        if e.tag.endswith("rect")
    ]
    assert len(boxes) == 4
    for n, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert x + w <= int(root.attrib["width"])
        assert y + h <= int(root.attrib["height"])
        for x2, y2, w2, h2 in boxes[:n]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_mermaid_labels_cannot_be_left(graph: PlanGraph) -> None:
    for line in draw_mermaid(graph).splitlines()[1:]:
        assert line.count('"') in (0, 2)
        label = re.search(r'"(.*)"', line)
        if label:
            assert not set(label.group(1)) & set('<>"[]|;\\`') - {";"}
            assert re.fullmatch(r"(?:[^;#]|#\d+;)*", label.group(1))
    assert "  n1[" in draw_mermaid(graph), "a plan called end is not the word end"


def test_dot_strings_cannot_be_left(graph: PlanGraph) -> None:
    for line in draw_dot(graph).splitlines():
        assert re.fullmatch(r'(?:[^"]|"(?:[^"\\]|\\.)*")*', line)
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
        assert re.fullmatch(r"[\w\s{}\[\];=,>-]*", bare), bare


def test_one_line_is_one_line_and_not_long() -> None:
    assert one_line("a\nb\x1b") == "a\\x0ab\\x1b"
    assert one_line("\u202eevil\udc80") == "\\u202eevil\\udc80"
    assert one_line("grüße 日本 🙂") == "grüße 日本 🙂"
    assert len(one_line("x" * 10_000)) == 400
    assert visible("a\nb", keep="\n") == "a\nb"
