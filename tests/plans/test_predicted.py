"""P3: what a plan will touch beside what it declares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plans.catalog import Catalog
from plans.document import read_plan
from plans.ids import PlanId
from plans.lint import Existing, lint
from plans.model import Manifest, Plan
from plans.overlap import find_overlaps
from plans.patterns import PatternSet
from plans.predicted import Predictor
from plans.project import ProjectSettings
from plans.tree import FileTree

FILES = ["CHANGELOG.md", "docs/guide.md", "src/[id].ts", "src/api.py", "src/db.sql", "src/model.py", "!odd"]
TREE = FileTree(FILES)
TOGETHER = [frozenset({"src/model.py", "src/db.sql", "!odd", "src/[id].ts", "gone.py"})] * 3


def plan(name: str, body: str, write: Sequence[str] | None = None, read: Sequence[str] = ()) -> Plan:
    manifest = None if write is None else Manifest(PatternSet.parse(write), PatternSet.parse(read))
    return Plan(PlanId(name), name, Path(f"plans/{name}.md"), b"", "", body, manifest=manifest)


def guessed(of: Plan, hot: Sequence[str] = ()) -> list[tuple[str, str | None]]:
    """Patterns with the file that history gave them by, None for text."""
    found = Predictor(TREE, lambda: TOGETHER).guesses(of, hot)
    return [(guess.pattern, guess.because and guess.because.given) for guess in found]


def test_p3_what_history_says_follows_what_the_text_names() -> None:
    by = "src/model.py"
    assert guessed(plan("p", "Change src/model.py in src/")) == [
        (by, None),
        ("src/", None),
        ("src/[id].ts", by),
        ("src/db.sql", by),
    ], "not what is gone, and not what a manifest could not name"


def test_p3_history_is_not_read_for_a_plan_that_names_no_file() -> None:
    def never() -> Sequence[frozenset[str]]:
        raise AssertionError("history was read")

    (only,) = Predictor(TREE, never).guesses(plan("p", "Make it better in src/"))
    assert only.pattern == "src/"


def test_p3_beside_a_manifest_only_what_it_lacks_is_predicted() -> None:
    """A folder in the text says where, not what; what is read is declared too; hot files are nobody's."""
    body = "In src/ change src/model.py as docs/guide.md says, and tell it in CHANGELOG.md"
    wide = plan("p", body, ["src/**"], ["docs/*.md"])
    assert guessed(wide) == [("CHANGELOG.md", None)]
    assert guessed(wide, ["CHANGELOG.md"]) == []
    assert guessed(plan("p", body, ["src/model.py"])) == [
        ("docs/guide.md", None),
        ("CHANGELOG.md", None),
        ("src/[id].ts", "src/model.py"),
        ("src/db.sql", "src/model.py"),
    ]


def test_p3_predictions_advise_beside_what_is_declared() -> None:
    one, two = plan("one", "", ["src/model.py"]), plan("two", "", ["src/db.sql"])
    report = find_overlaps([one, two], FILES, history=lambda: TOGETHER)
    assert report.overlaps == ()
    assert [(o.a, o.b, o.files) for o in report.possible] == [
        ("one", "two", ("src/[id].ts", "src/db.sql", "src/model.py"))
    ]
    assert report.unknown == ()
    again = find_overlaps([one, plan("two", "", ["src/*"])], FILES, history=lambda: TOGETHER)
    assert len(again.overlaps) == 1
    assert again.possible == (), "a pair that overlaps anyhow is told once"


def test_p3_what_binds_is_compared_like_a_manifest_and_declares_nothing() -> None:
    predictor = Predictor(TREE, lambda: TOGETHER)
    plans = predictor.bound([plan("one", "src/model.py"), plan("two", "", ["src/db.sql"]), plan("dumb", "")])
    report = find_overlaps(plans, FILES, history=lambda: TOGETHER)
    assert [(o.a, o.b, o.witness) for o in report.overlaps] == [("one", "two", "src/db.sql")]
    assert report.unknown == ("dumb",), "of one something is known, though it declares nothing"
    assert [p.declared is None for p in plans] == [True, False, True]
    assert plans[2].manifest is None


def test_p3_lint_warns_where_text_and_manifest_disagree() -> None:
    def problems(body: str, files: str) -> list[tuple[str, str, str]]:
        source = f"---\nplan: p\nrun: x\nfiles: {files}\n---\n{body}\n".encode()
        read = read_plan(Path("plans/p.md"), source)
        assert read.plan is not None
        found = lint(Catalog({read.plan.id: read.plan}, ()), ProjectSettings(), Existing(FILES))
        return [(p.code, p.severity, p.message) for p in found]

    body = "Change src/model.py, see docs/guide.md; then src/new.py"
    message = "the text names 'docs/guide.md' (first in line 6), and 'files' does not have it"
    assert problems(body, "{write: [src/*]}") == [("undeclared-file", "warning", message)]
    assert problems(body, "{write: [src/*], read: [docs/guide.md]}") == []
    assert problems("Nothing is named.", "{write: [src/*]}") == []
