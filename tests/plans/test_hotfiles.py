"""Hot files are taken out of what plans are compared by, and told by file."""

from __future__ import annotations

import pytest

from plans.folding import Folding
from plans.hotfiles import HotMeeting, without_hot
from plans.overlap import find_overlaps
from tests.plans.test_overlap import only, plan

HOT = frozenset({"CHANGELOG.md"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["CHANGELOG.md", "src/**"], ["CHANGELOG.md", "docs/**"]),
        (["**"], ["CHANGELOG.md"]),
        (["*.md"], ["C*", "docs/**"]),
    ],
)
def test_p16_plans_do_not_overlap_in_a_hot_file(one: list[str], other: list[str]) -> None:
    plans = [plan("a", one), plan("b", other)]
    assert find_overlaps(plans, ("CHANGELOG.md",)).overlaps
    report = find_overlaps(plans, ("CHANGELOG.md",), HOT)
    assert all(overlap.witness != "CHANGELOG.md" for overlap in report.overlaps)
    assert "CHANGELOG.md" not in {file for overlap in report.overlaps for file in overlap.files}
    assert report.hot == (HotMeeting("CHANGELOG.md", (plans[0].id, plans[1].id)),)


def test_what_else_they_share_is_an_overlap_as_ever() -> None:
    plans = [plan("a", ["CHANGELOG.md", "src/x.py"]), plan("b", ["CHANGELOG.md", "src/*"])]
    assert only(find_overlaps(plans, (), HOT)).witness == "src/x.py"


def test_one_writer_meets_nobody_and_a_file_put_back_by_a_later_pattern_stays_out() -> None:
    report = find_overlaps([plan("a", ["CHANGELOG.md"]), plan("b", ["src/**"])], (), HOT)
    assert (report.overlaps, report.hot) == ((), ())
    cooled = without_hot(plan("a", ["!CHANGELOG.md", "*.md"]), HOT)
    assert cooled.manifest is not None
    assert not cooled.manifest.write.matches("CHANGELOG.md")
    assert cooled.manifest.write.matches("README.md")


def test_where_case_does_not_count_a_hot_file_is_hot_under_each_name() -> None:
    plans = [plan("a", ["changelog.md", "src/x"]), plan("b", ["Change*"])]
    report = find_overlaps(plans, ("CHANGELOG.md",), HOT, Folding(ignore_case=True))
    assert report.overlaps == ()
    assert [met.path for met in report.hot] == ["CHANGELOG.md"]
    exact = find_overlaps(plans, ("CHANGELOG.md",), HOT)
    assert (exact.overlaps, exact.hot) == ((), ())
