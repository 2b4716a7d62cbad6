"""lint, schema, graph, overlap, init and new, on real repositories (S2.5, S2.6, S2.7, S2.9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.support.cli import planctl
from tests.support.repo import GitRepo


def header(name: str, **keys: object) -> str:
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())
    return f"---\nplan: {name}\nrun: 'true'\n{lines}---\n# {name}\n"


def write_plans(repo: GitRepo, **plans: dict[str, object]) -> None:
    for name, keys in plans.items():
        repo.write(f"plans/{name}.md", header(name, **keys))


def writes(*patterns: str) -> dict[str, object]:
    return {"write": list(patterns)}


@pytest.fixture
def example(repo: GitRepo) -> GitRepo:
    write_plans(
        repo,
        core={"files": writes("src/a.py", "src/core/**")},
        auth={"files": writes("src/*.py"), "priority": "high"},
        docs={"files": writes("docs/**"), "dependencies": ["core"]},
        api={"dependencies": [{"plan": "core", "status": "finished"}]},
    )
    return repo


def snapshot(repo: GitRepo) -> dict[str, bytes]:
    return {str(p.relative_to(repo.path)): p.read_bytes() for p in repo.path.rglob("*") if p.is_file()}


def test_s2_7_graph_as_json_has_the_names_of_the_contract(example: GitRepo) -> None:
    data = planctl("graph", "--format", "json", repo=example.path).data
    assert {(e["from"], e["to"], e["why"]) for e in data["edges"]} == {
        ("auth", "core", "overlap"),
        ("core", "docs", "dependency"),
        ("core", "api", "dependency"),
    }
    assert data["nodes"][1] == {"id": "auth", "priority": 75, "title": "auth"}
    assert data["waves"] == [["auth"], ["core"], ["api", "docs"]]
    assert data["critical_path"] == ["auth", "core", "api"]
    assert planctl("graph", "--json", repo=example.path).data == data
    assert planctl("--json", "graph", repo=example.path).data == data


def test_graph_follows_the_overlap_mode(example: GitRepo) -> None:
    example.write("planctl.yaml", "overlap: isolate\n")
    data = planctl("graph", "--json", repo=example.path).data
    assert [(e["from"], e["to"]) for e in data["landing_order"] if e["why"] == "overlap"] == [
        ("auth", "core")
    ]
    assert data["waves"][0] == ["auth", "core"]


@pytest.mark.parametrize("form", ["text", "mermaid", "dot", "svg"])
def test_graph_is_drawn_in_every_format(example: GitRepo, form: str) -> None:
    said = planctl("graph", "--format", form, repo=example.path)
    assert said.code == 0
    assert all(name in said.stdout for name in ("core", "auth", "docs", "api"))
    assert said.stdout.startswith(
        {"text": "wave 1", "mermaid": "flowchart", "dot": "digraph", "svg": "<svg"}[form]
    )
    assert planctl("graph", "--format", form, "--json", repo=example.path).code == 2


def test_graph_of_some_plans_keeps_what_lies_outside(example: GitRepo) -> None:
    data = planctl("graph", "docs", "plans/api.md", "--json", repo=example.path).data
    assert [n["id"] for n in data["nodes"]] == ["api", "docs"]
    assert {(x["plan"], x["needs"]) for x in data["external"]} == {("api", "core"), ("docs", "core")}


def test_s2_5_a_circle_is_exit_2_with_its_ids_in_order(repo: GitRepo) -> None:
    write_plans(repo, a={"dependencies": ["b"]}, b={"dependencies": ["c"]}, c={"dependencies": ["a"]})
    said = planctl("graph", "--json", repo=repo.path)
    assert said.code == 2
    assert said.data["error"]["ids"] == ["a", "b", "c"]
    assert "a → b → c → a" in said.stderr


def test_graph_refuses_plans_that_are_not_valid_and_says_why(repo: GitRepo) -> None:
    write_plans(repo, good={})
    repo.write("plans/bad.md", header("bad", nonsense=1))
    said = planctl("graph", repo=repo.path)
    assert said.code == 2
    assert "plans/bad.md:4:1: error:" in said.stderr
    assert planctl("graph", "good", repo=repo.path).code == 0
    assert planctl("graph", "bad", repo=repo.path).code == 2
    unknown = planctl("graph", "goood", repo=repo.path)
    assert unknown.code == 2
    assert "did you mean good?" in unknown.stderr


def test_lint_lists_every_problem_of_every_file(repo: GitRepo) -> None:
    write_plans(repo, good={"files": writes("x")}, a={"dependencies": ["goood"]})
    repo.write("plans/b.md", header("b", prio=1, files={"write": ["../x"]}))
    said = planctl("lint", "--json", repo=repo.path)
    assert said.code == 1
    assert said.data["plans"] == [
        {"id": "a", "path": "plans/a.md", "ok": False},
        {"id": "b", "path": "plans/b.md", "ok": False},
        {"id": "good", "path": "plans/good.md", "ok": True},
    ]
    errors = [p for p in said.data["problems"] if p["severity"] == "error"]
    assert [(p["path"], p["line"]) for p in errors] == [
        ("plans/a.md", 4),
        ("plans/b.md", 4),
        ("plans/b.md", 5),
    ]
    names = {"plan", "path", "line", "column", "field", "code", "severity", "message", "hint"}
    assert all(set(p) == names for p in said.data["problems"])
    text = planctl("lint", repo=repo.path)
    assert text.code == 1
    assert "plans/b.md:4:1: error: " in text.stdout
    assert "\n  hint: " in text.stdout
    assert "3 plans: 3 errors" in text.stderr


def test_lint_of_one_plan_speaks_of_that_plan_alone(repo: GitRepo) -> None:
    write_plans(repo, good={"files": writes("x")}, a={"dependencies": ["goood"]})
    assert planctl("lint", "good", repo=repo.path).code == 0
    one = planctl("lint", "a", "--json", repo=repo.path)
    assert one.code == 1
    assert {p["path"] for p in one.data["problems"]} == {"plans/a.md"}
    assert planctl("lint", "nobody", repo=repo.path).code == 2


def test_a_path_is_taken_from_where_the_user_stands(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plans(repo, good={})
    outside = tmp_path / "elsewhere.md"
    outside.write_text(header("elsewhere"), encoding="utf-8")
    code = "from orchestrator.cli.main import main; main()"
    monkeypatch.chdir(repo.path / "plans")
    for name in ("good.md", "../plans/good.md", "plans/good.md", str(outside)):
        done = subprocess.run(
            [sys.executable, "-c", code, "lint", "--json", name], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)["plans"]) == 1, name


def test_lint_of_an_empty_repository_is_clean(repo: GitRepo) -> None:
    said = planctl("lint", "--json", repo=repo.path)
    assert (said.code, said.data) == (0, {"plans": [], "problems": []})


def test_lint_shows_hostile_text_harmlessly(repo: GitRepo) -> None:
    repo.write("plans/x.md", '---\nplan: x\n"\\e[2J\\u202e": 1\n---\n')
    repo.write("plans/\x1b[31m.md", "---\nplan: [\n---\n")
    said = planctl("lint", repo=repo.path)
    assert said.code == 1
    assert not [c for c in said.stdout + said.stderr if c != "\n" and not c.isprintable()]


def test_p23_lint_warns_while_no_settings_are_committed(repo: GitRepo) -> None:
    repo.write("planctl.yaml", "check: make test\n")
    said = planctl("lint", "--json", repo=repo.path)
    assert [(p["code"], p["severity"]) for p in said.data["problems"]] == [
        ("settings-uncommitted", "warning")
    ]
    repo.commit("settings")
    assert planctl("lint", "--json", repo=repo.path).data["problems"] == []


def test_s2_6_overlap_reports_pairs_with_a_witness_and_existing_files(example: GitRepo) -> None:
    said = planctl("overlap", "--json", repo=example.path)
    assert said.code == 1
    assert said.data["plans"] == ["api", "auth", "core", "docs"]
    assert said.data["unknown"] == ["api"]
    (pair,) = said.data["overlaps"]
    assert (pair["a"], pair["b"], pair["kind"], pair["severity"]) == ("auth", "core", "write-write", "high")
    assert (pair["patterns"], pair["witness"]) == (["src/*.py", "src/a.py"], "src/a.py")
    assert (pair["files"], pair["files_total"]) == (["src/a.py"], 1)
    text = planctl("overlap", repo=example.path)
    assert text.code == 1
    assert "auth and core: high, both write" in text.stdout
    assert "  both match: src/a.py" in text.stdout


def test_s2_6_names_that_differ_in_case_alone_are_one_file_where_git_says_so(example: GitRepo) -> None:
    for name, text in (("one", "SRC/New.py"), ("two", "src/new*")):
        example.write(f"plans/{name}.md", header(name, files={"write": [text]}))
    ask = ("overlap", "one", "two", "--json")
    assert planctl(*ask, repo=example.path).data["overlaps"] == []
    (told,) = planctl(*ask, "--ignore-case", repo=example.path).data["overlaps"]
    assert (told["witness"], told["patterns"]) == ("src/new.py", ["SRC/New.py", "src/new*"])
    example.git("config", "core.ignoreCase", "true")
    assert planctl(*ask, repo=example.path).data["overlaps"] == [told]
    assert planctl(*ask, "--no-ignore-case", repo=example.path).data["overlaps"] == []
    assert planctl(*ask, "--live", "--ignore-case", repo=example.path).code == 2
    graph = planctl("graph", "one", "two", "--json", repo=example.path).data
    assert [(edge["from"], edge["to"], edge["why"]) for edge in graph["edges"]] == [("one", "two", "overlap")]


def test_s2_10_overlap_shows_what_the_text_of_a_plan_names(example: GitRepo) -> None:
    example.write("plans/api.md", header("api") + "\nChange b.py and docs/guide.md.\n")
    said = planctl("overlap", "api", "docs", "--json", repo=example.path)
    assert said.code == 0  # what is guessed says nothing
    assert (said.data["unknown"], said.data["overlaps"]) == (["api"], [])
    assert [(g["plan"], g["pattern"], g["line"]) for g in said.data["predicted"]] == [
        ("api", "src/b.py", 7),
        ("api", "docs/guide.md", 7),
    ]
    assert [(o["a"], o["b"], o["witness"]) for o in said.data["possible"]] == [
        ("api", "docs", "docs/guide.md")
    ]
    text = planctl("overlap", "api", "docs", repo=example.path).stdout
    assert "the text of api names src/b.py, docs/guide.md\n" in text
    assert "api and docs: possible by what is predicted, both write: docs/guide.md\n" in text


def test_overlap_fails_on_what_was_asked(repo: GitRepo) -> None:
    write_plans(repo, w={"files": writes("src/a.py")}, r={"files": {"read": ["src/**"]}})
    assert planctl("overlap", repo=repo.path).code == 0
    said = planctl("overlap", "--fail-on", "medium", "--json", repo=repo.path)
    assert said.code == 1
    assert said.data["overlaps"][0]["severity"] == "medium"
    assert planctl("overlap", "w", "--fail-on", "medium", repo=repo.path).code == 0


def test_overlap_against_a_revision_names_its_files(example: GitRepo) -> None:
    first = example.head()
    example.commit("more", {"src/core/x.py": "x"})
    write_plans(example, core={"files": writes("src/**")}, auth={"files": writes("src/**")})
    now = planctl("overlap", "--json", repo=example.path).data["overlaps"][0]
    then = planctl("overlap", "--json", "--against", first, repo=example.path).data["overlaps"][0]
    assert now["files"] == ["src/a.py", "src/b.py", "src/core/x.py"]
    assert then["files"] == ["src/a.py", "src/b.py"]
    for bad in ("nowhere", "--all", "-x", "main:src", ""):
        said = planctl("overlap", f"--against={bad}", repo=example.path)
        assert said.code == 2, bad


def test_overlap_explains_one_pair(example: GitRepo) -> None:
    said = planctl("overlap", "--explain", "core", "auth", "--json", repo=example.path)
    assert said.data["plans"] == ["auth", "core"]
    assert said.code == 1
    assert planctl("overlap", "--explain", "docs", "auth", repo=example.path).code == 0
    assert planctl("overlap", "--explain", "docs", "docs", repo=example.path).code == 2
    assert planctl("overlap", "api", "--explain", "docs", "auth", repo=example.path).code == 2


def test_schema_accepts_what_the_reader_accepts(repo: GitRepo) -> None:
    schema = planctl("schema", repo=repo.path).data
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"plan": "a", "dependencies": ["b"], "files": {"write": ["x"]}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"plam": "a"}, schema)


def test_schema_needs_no_repository(tmp_path: Path) -> None:
    assert planctl("schema", repo=tmp_path).code == 0


def test_init_writes_what_lint_accepts_and_never_overwrites(repo: GitRepo) -> None:
    first = planctl("init", "--json", repo=repo.path)
    assert first.code == 0
    assert first.data["kept"] == []
    assert "planctl.yaml" in first.data["written"]
    assert len(first.data["written"]) == 2
    assert planctl("lint", repo=repo.path).code == 0
    before = snapshot(repo)
    again = planctl("init", "--json", repo=repo.path)
    assert (again.code, again.data) == (0, {"written": [], "kept": first.data["written"]})
    assert snapshot(repo) == before


def test_init_leaves_a_link_alone_that_leads_nowhere(repo: GitRepo, tmp_path: Path) -> None:
    (repo.path / "planctl.yaml").symlink_to(tmp_path / "nowhere")
    said = planctl("init", "--json", repo=repo.path)
    assert said.code == 0
    assert said.data["kept"] == ["planctl.yaml"]
    assert not (tmp_path / "nowhere").exists()


def test_init_and_new_stay_inside_the_repository(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (repo.path / "plans").symlink_to(tmp_path / "outside")
    assert planctl("init", repo=repo.path).code == 2
    assert planctl("new", "a", repo=repo.path).code == 2
    assert os.listdir(tmp_path / "outside") == []


def test_new_writes_a_plan_that_lint_accepts(repo: GitRepo) -> None:
    repo.write("planctl.yaml", "plans: [work/plans]\n")
    said = planctl("new", "auth-impl", "--json", repo=repo.path)
    assert (said.code, said.data) == (0, {"id": "auth-impl", "path": "work/plans/auth-impl.md"})
    assert planctl("lint", "auth-impl", repo=repo.path).code == 0
    before = snapshot(repo)
    assert planctl("new", "auth-impl", repo=repo.path).code == 2
    for bad in ("../x", "a/b", "A", ".x", "a..b", "x.lock"):
        assert planctl("new", "--", bad, repo=repo.path).code == 2
    assert snapshot(repo) == before


def test_new_refuses_an_id_that_another_file_has(repo: GitRepo) -> None:
    repo.write("plans/deep/file.md", header("auth"))
    said = planctl("new", "auth", repo=repo.path)
    assert said.code == 2
    assert "plans/deep/file.md" in said.stderr


def test_commands_that_read_change_nothing(example: GitRepo) -> None:
    before = snapshot(example)
    for line in ("lint", "graph", "graph --format svg", "overlap", "overlap --against HEAD", "schema"):
        planctl(*line.split(), repo=example.path)
    assert snapshot(example) == before


def test_a_bare_repository_has_no_plans_to_read(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    for line in ("lint", "graph", "overlap", "init", "new x"):
        assert planctl(*line.split(), repo=tmp_path / "bare.git").code == 2
