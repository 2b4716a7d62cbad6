from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from plans.candidates import candidate_pairs
from plans.ids import PhaseId, PlanId
from plans.model import Manifest, Phase, Plan
from plans.overlap import Advice, Kind, Overlap, OverlapReport, OverlapSeverity, Proximity, find_overlaps
from plans.patterns import PatternSet
from plans.tree import FileTree, matching_files
from tests.support.pathspec import PathspecOracle, random_glob, random_texts, small_paths

TREE = ["README.md", "src/a.py", "src/b.py", "src/core/x.py", "src/core/y.py", "docs/guide.md"]


def manifest(write: Sequence[str] = (), read: Sequence[str] = ()) -> Manifest:
    return Manifest(PatternSet.parse(write), PatternSet.parse(read))


def plan(
    name: str,
    write: Sequence[str] | None = None,
    read: Sequence[str] = (),
    phases: dict[str, Sequence[str] | None] | None = None,
) -> Plan:
    stages = (
        Phase(PhaseId(key), manifest=None if texts is None else manifest(texts))
        for key, texts in (phases or {}).items()
    )
    return Plan(
        PlanId(name),
        name,
        Path(f"plans/{name}.md"),
        b"",
        "",
        manifest=None if write is None else manifest(write, read),
        phases=tuple(stages),
    )


def only(report: OverlapReport) -> Overlap:
    (overlap,) = report.overlaps
    return overlap


def test_s2_6_two_writers_of_an_existing_file() -> None:
    overlap = only(find_overlaps([plan("b", ["**/*.py"]), plan("a", ["src/core/**"])], TREE))
    assert overlap == Overlap(
        PlanId("a"),
        PlanId("b"),
        Kind.WRITE_WRITE,
        OverlapSeverity.HIGH,
        "src/core/x.py",
        ("src/core/**", "**/*.py"),
        ("src/core/x.py", "src/core/y.py"),
        2,
        Advice.SEQUENCE,
    )


def test_s2_6_two_writers_of_a_file_that_does_not_exist_yet() -> None:
    overlap = only(find_overlaps([plan("a", ["new/*.py"]), plan("b", ["**/api*"])], TREE))
    assert (overlap.witness, overlap.files, overlap.files_total) == ("new/api.py", (), 0)


def test_s2_6_reader_and_writer_are_medium_and_name_the_role_of_the_first() -> None:
    report = find_overlaps([plan("a", ["src/**"]), plan("b", ["docs/**"], ["src/core/*"])], TREE)
    overlap = only(report)
    assert (overlap.kind, overlap.severity, overlap.advice) == ("write-read", "medium", "isolate")
    report = find_overlaps([plan("z", ["src/**"]), plan("b", [], ["src/core/*"])], TREE)
    overlap = only(report)
    assert (overlap.a, overlap.kind) == ("b", Kind.READ_WRITE)


def test_two_readers_do_not_overlap() -> None:
    assert find_overlaps([plan("a", [], ["**"]), plan("b", [], ["**"])], TREE).overlaps == ()


def test_a_pair_has_each_kind_once_high_first_and_pairs_are_sorted() -> None:
    plans = [plan(name, ["src/**", "src/a.py"], ["src/*"]) for name in ("c", "a", "b")]
    report = find_overlaps(plans, TREE)
    kinds = ["write-write", "write-read", "read-write"]
    assert [(o.a, o.b, o.kind) for o in report.overlaps] == [
        (a, b, kind) for a, b in (("a", "b"), ("a", "c"), ("b", "c")) for kind in kinds
    ]
    assert report == find_overlaps(plans[::-1], TREE[::-1])


def test_a_plan_without_manifest_is_unknown_and_an_empty_one_is_not() -> None:
    report = find_overlaps([plan("b"), plan("a", []), plan("c", ["**"])], TREE)
    assert report == OverlapReport((PlanId("a"), PlanId("b"), PlanId("c")), (PlanId("b"),), (), ())


def test_the_plans_own_file_makes_no_overlap() -> None:
    files = [*TREE, "plans/a.md"]
    assert find_overlaps([plan("a", ["src/a.py"]), plan("b", ["plans/**"])], files).overlaps == ()


def test_at_most_fifty_files_are_named_and_all_counted() -> None:
    tree = [f"src/{n:03}.py" for n in range(80)]
    overlap = only(find_overlaps([plan("a", ["src"]), plan("b", ["src/", "!src/000.py"])], tree))
    assert (len(overlap.files), overlap.files_total, overlap.witness) == (50, 79, "src/001.py")


def test_exclusions_take_an_overlap_away() -> None:
    plans = [plan("a", ["src/**", "!src/core/**"]), plan("b", ["src/core/**"])]
    assert find_overlaps(plans, TREE).overlaps == ()


def test_what_cannot_be_decided_counts_as_an_overlap_without_witness() -> None:
    random_ = random.Random(1)
    hard = ["[01]" * 60, "![[]*"]
    for _ in range(256):
        letters = ["?"] * 60
        for place in random_.sample(range(60), 3):
            letters[place] = random_.choice("01")
        hard.append("!" + "".join(letters))
    overlap = only(find_overlaps([plan("a", hard), plan("b", ["**"])]))
    assert (overlap.witness, overlap.patterns) == ("", ("[01]" * 60, "**"))


def test_s2_11_sequence_where_existing_files_are_shared() -> None:
    report = find_overlaps([plan("a", ["src/**"]), plan("b", ["src/*.py"]), plan("c", ["docs/**"])], TREE)
    assert report.advice(PlanId("b"), PlanId("a")) is Advice.SEQUENCE
    assert report.advice(PlanId("a"), PlanId("c")) is Advice.INDEPENDENT


def test_s2_11_isolate_where_a_clash_is_only_possible() -> None:
    plans = [plan("a", ["src/new/**"]), plan("b", ["**/*.sql"])]
    assert only(find_overlaps(plans, TREE)).advice is Advice.ISOLATE
    # Without a tree nothing is known of files, and with a file named outright the clash is certain.
    assert only(find_overlaps(plans)).advice is Advice.SEQUENCE
    named = [plan("a", ["src/new/x.sql"]), plan("b", ["**/*.sql"])]
    assert only(find_overlaps(named, TREE)).advice is Advice.SEQUENCE


def test_s2_11_phase_lock_where_only_some_phases_meet() -> None:
    a = plan("a", ["src/**"], phases={"1": ["src/core/**"], "2": ["src/a.py"]})
    overlap = only(find_overlaps([a, plan("b", ["src/core/x.py"])], TREE))
    assert (overlap.advice, overlap.phases) == (Advice.PHASE_LOCK, ((PhaseId("1"),), ()))


def test_s2_11_phases_of_both_sides_are_compared_with_each_other() -> None:
    a = plan("a", ["src/**"], phases={"1": ["src/core/**"], "2": ["src/a.py"]})
    b = plan("b", ["src/**"], phases={"x": ["src/b.py"], "y": ["src/a.py"], "z": ["src/*.c"]})
    overlap = only(find_overlaps([a, b], TREE))
    assert (overlap.advice, overlap.phases) == (Advice.PHASE_LOCK, ((PhaseId("2"),), (PhaseId("y"),)))


def test_s2_11_no_phase_lock_where_all_phases_meet_or_one_says_nothing() -> None:
    other = plan("b", ["src/core/x.py"])
    every = plan("a", ["src/**"], phases={"1": ["src/core/**"], "2": ["src/*/x.py"]})
    assert only(find_overlaps([every, other], TREE)).advice is Advice.SEQUENCE
    silent = plan("a", ["src/**"], phases={"1": ["src/core/**"], "2": None})
    assert only(find_overlaps([silent, other], TREE)).advice is Advice.SEQUENCE
    nothing = plan("a", ["src/**"], phases={"1": None, "2": None})
    overlap = only(find_overlaps([nothing, other], TREE))
    assert (overlap.advice, overlap.phases) == (Advice.SEQUENCE, ((), ()))


def test_s2_6_proximity_is_the_deepest_shared_folder_of_pairs_that_do_not_overlap() -> None:
    plans = [
        plan("a", ["src/core/x.py", "src/a.py", "README.md"]),
        plan("b", ["src/core/y.py", "src/b.py"]),
        plan("c", ["src/core/x.py", "LICENSE"]),
        plan("d", ["docs/*.md"]),
        plan("e", ["src/core", "!src/core/x.py", "!src/core/y.py"]),
    ]
    report = find_overlaps(plans, TREE)
    assert [(o.a, o.b) for o in report.overlaps] == [("a", "c")]
    assert report.proximity == tuple(
        Proximity(PlanId(a), PlanId(b), "src/core")
        for a, b in [("a", "b"), ("a", "e"), ("b", "c"), ("b", "e"), ("c", "e")]
    )


def test_a_crowded_folder_is_no_proximity() -> None:
    plans = [plan(f"p{n}", [f"src/{n}.py"]) for n in range(65)]
    assert find_overlaps(plans).proximity == ()
    assert len(find_overlaps(plans[:64]).proximity) == 64 * 63 // 2


def test_matching_files_looks_everywhere_a_pattern_leads() -> None:
    patterns = PatternSet.parse(["src/core/*", "src/core", "docs/", "!src/core/y.py", "R*"])
    assert matching_files(patterns, TREE) == ("README.md", "docs/guide.md", "src/core/x.py")
    assert matching_files(PatternSet.parse(["a*"]), ["a\U0010ffffz", "b", "a"]) == ("a", "a\U0010ffffz")
    assert FileTree(TREE).has_folder("src")
    assert not FileTree(TREE).has_folder("sr")


def test_s2_6_overlaps_of_many_plans_agree_with_git(tmp_path: Path) -> None:
    random_ = random.Random(5)
    pool = sorted({random_glob(random_) for _ in range(80)})
    oracle = PathspecOracle(tmp_path / "r", small_paths())
    plans = [plan(f"p{n:02}", random_texts(random_, pool), random_texts(random_, pool)) for n in range(40)]
    found = {(o.a, o.b, o.kind): o for o in find_overlaps(plans, sorted(oracle.paths)).overlaps}
    existing = 0
    for number, a in enumerate(plans):
        for b in plans[number + 1 :]:
            for kind in Kind:
                role_a, role_b = kind.split("-")
                assert a.manifest is not None
                assert b.manifest is not None
                files = oracle.takes_all(getattr(a.manifest, role_a).texts) & oracle.takes_all(
                    getattr(b.manifest, role_b).texts
                )
                overlap = found.get((a.id, b.id, kind))
                if files:
                    existing += 1
                    assert overlap is not None
                    assert overlap.files == tuple(sorted(files)[:50])
                    assert overlap.files_total == len(files)
                elif overlap is not None:
                    assert overlap.files == ()
    assert existing > 200


def test_the_index_never_drops_a_pair_that_meets() -> None:
    random_ = random.Random(6)
    pool = sorted({random_glob(random_) for _ in range(300)})
    manifests = [manifest(random_texts(random_, pool), random_texts(random_, pool)) for _ in range(60)]
    kept = candidate_pairs(manifests, FileTree(()))
    paths = small_paths()
    files = [(set(matching_files(m.write, paths)), set(matching_files(m.read, paths))) for m in manifests]
    for a, of_a in enumerate(files):
        for b, of_b in enumerate(files[a + 1 :], a + 1):
            if of_a[0] & of_b[0]:
                assert (a, b, True, True) in kept
            if of_a[0] & of_b[1]:
                assert (a, b, True, False) in kept


def test_s2_6_a_folder_whose_name_is_the_text_of_a_pattern() -> None:
    """git takes a text literally too, and what lies in the folder of that name; its last names are any."""
    crowd = [plan(f"p{n}", [f"src/**/other{n}"]) for n in range(20)]  # so many that the index is used
    plans = [plan("a", ["src/*.py"]), plan("b", ["src/**/notes"]), *crowd]
    overlap = only(find_overlaps(plans, ["src/*.py/notes"]))
    assert overlap.files == ("src/*.py/notes",)


def test_pairs_elsewhere_in_the_tree_are_never_looked_at() -> None:
    manifests = [manifest([f"src/m{n}/**", f"src/n{n}.py", f"src/o{n}*"]) for n in range(500)]
    assert candidate_pairs(manifests, FileTree(())) == {
        (n, m, True, True) for n in range(500) for m in range(n, 500) if n != m and str(m).startswith(str(n))
    }


@pytest.mark.parametrize("count", [2000])
def test_disjoint_plans_cost_what_plans_cost_and_not_what_pairs_cost(count: int) -> None:
    plans = [plan(f"p{n}", [f"src/m{n}/{k}/**" for k in range(5)]) for n in range(count)]
    tree = [f"src/m{n}/{k}/x.py" for n in range(count) for k in range(5)]
    started = time.process_time()
    report = find_overlaps(plans, tree)
    assert report.overlaps == ()
    assert time.process_time() - started < 3.0  # two million pairs; a microsecond each would be most of it


def test_s2_6_moved_folders_and_files_that_become_folders_overlap_with_what_is_in_them() -> None:
    """Who moves a folder writes its old files and its new ones; a file and a folder cannot have one name."""
    moves = plan("moves", ["src/old/**", "src/new/**"])
    inside = plan("inside", ["src/old/deep/a.py"])
    comes = plan("comes", ["src/new/b.py"])
    file, below = plan("file", ["tools/run"]), plan("below", ["tools/run/main.py"])
    report = find_overlaps([moves, inside, comes, file, below], ["src/old/deep/a.py"])
    assert [(o.a, o.b, o.witness) for o in report.overlaps] == [
        ("below", "file", "tools/run/main.py"),
        ("comes", "moves", "src/new/b.py"),
        ("inside", "moves", "src/old/deep/a.py"),
    ]
