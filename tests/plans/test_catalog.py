"""Many plan files: found, chosen by id or path, with what they depend on."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from plans.catalog import build_catalog, load_catalog
from plans.errors import InvalidPlansError, UnknownPlanError
from plans.folders import is_candidate


def plan(*lines: str) -> bytes:
    return "\n".join(("---", *lines, "---", "")).encode()


FILES = [
    (Path("plans/auth.md"), plan("dependencies: [core, gone]")),
    (Path("plans/core.md"), plan("dependencies: [{plan: schema, status: started}]")),
    (Path("docs/plans/db.md"), plan("plan: schema", "dependencies: [auth]")),
    (Path("plans/alone.md"), plan()),
    (Path("plans/broken.md"), plan("retries: x")),
    (Path("plans/needs.md"), plan("dependencies: broken")),
    (Path("plans/README.md"), b"# no plan\n"),
]


def test_plans_by_id_and_path() -> None:
    catalog = build_catalog(FILES, root=Path("/somewhere"))
    assert list(catalog.plans) == ["alone", "auth", "core", "needs", "schema"]
    for name in ("schema", "docs/plans/db.md", "./docs/plans/../plans/db.md", "/somewhere/docs/plans/db.md"):
        assert catalog.require(name).id == "schema"
    assert catalog.broken_ids() == {"broken"}


def test_names_that_lead_nowhere() -> None:
    catalog = build_catalog(FILES)
    with pytest.raises(UnknownPlanError) as unknown:
        catalog.require("cor")
    assert unknown.value.known == ("core",)
    for name in ("broken", "plans/broken.md"):
        with pytest.raises(InvalidPlansError) as invalid:
            catalog.require(name)
        assert [p.field for p in invalid.value.problems] == ["retries"]
    with pytest.raises(UnknownPlanError):
        catalog.require("x" * 100_000)


def test_select_with_dependencies() -> None:
    catalog = build_catalog(FILES)
    chosen = catalog.select(["alone", "auth", "plans/alone.md"], with_dependencies=True)
    assert [p.id for p in chosen] == ["alone", "auth", "core", "schema"]
    assert [p.id for p in catalog.select(["auth"], with_dependencies=False)] == ["auth"]
    with pytest.raises(InvalidPlansError):
        catalog.select(["needs"], with_dependencies=True)
    assert catalog.select(["needs"], with_dependencies=False)


def test_two_files_of_one_id_are_both_refused() -> None:
    catalog = build_catalog([(Path("a.md"), plan("plan: x")), (Path("b.yaml"), b"plan: x\n")])
    assert not catalog.plans
    assert [(p.path, p.code, p.plan) for p in catalog.problems] == [
        ("a.md", "duplicate-id", "x"),
        ("b.yaml", "duplicate-id", "x"),
    ]
    with pytest.raises(InvalidPlansError):
        catalog.require("x")


def test_load_reads_folders_and_files_that_were_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path, source in FILES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(source)
    for hidden in ("plans/.hidden/a.md", "plans/node_modules/b.md", "plans/.c.md"):
        (root / hidden).parent.mkdir(parents=True, exist_ok=True)
        (root / hidden).write_bytes(plan())
    (root / "plans/deep/er").mkdir(parents=True)
    (root / "plans/deep/er/down.yml").write_bytes(b"title: x\n")
    (tmp_path / "outside.md").write_bytes(plan())
    (root / "note.md").write_bytes(b"# no plan\n")
    extra = [tmp_path / "outside.md", Path("plans/auth.md"), Path("note.md"), Path("missing.md")]
    catalog = load_catalog(root, ["plans", "plans/deep", "docs/plans", "nowhere"], extra)
    assert list(catalog.plans) == ["alone", "auth", "core", "down", "needs", "outside", "schema"]
    assert catalog.plans[catalog.require("auth").id].path == Path("plans/auth.md")
    assert catalog.require(str(tmp_path / "outside.md")).path == (tmp_path / "outside.md").resolve()
    assert catalog.require(str(root / "plans/auth.md")).id == "auth"
    found = {(p.path, p.code) for p in catalog.problems}
    assert found == {
        ("plans/broken.md", "bad-number"),
        ("note.md", "no-header"),
        ("missing.md", "unreadable"),
    }
    with pytest.raises(InvalidPlansError):
        catalog.require("note.md")


def test_a_file_may_stand_among_the_folders(tmp_path: Path) -> None:
    (tmp_path / "PLAN.md").write_bytes(plan("plan: the-plan"))
    assert list(load_catalog(tmp_path, ["PLAN.md"]).plans) == ["the-plan"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("plans/a.md", True),
        ("plans/sub/a.yaml", True),
        ("plans/a.txt", False),
        ("plans/.a.md", False),
        ("plans/.git/a.md", False),
        ("plansx/a.md", False),
        ("PLAN.md", True),
        ("other.md", False),
        (".plans/x/a.md", True),
        ("plans/planctl.yaml", False),
    ],
)
def test_candidates_in_trees_of_git(path: str, wanted: bool) -> None:
    assert is_candidate(PurePosixPath(path), ["plans", "PLAN.md", ".plans"]) is wanted
