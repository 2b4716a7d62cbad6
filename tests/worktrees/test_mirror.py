"""Names of what is mirrored: there and back, and what may not be a remote's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.submitting.key import landing_key
from worktrees.errors import InvalidReferenceError
from worktrees.git import valid_reference
from worktrees.mirror import Mirror, canonical, is_remote_name, mirror_of, remote_of, shown_target


@pytest.mark.parametrize(
    ("theirs", "own"),
    [
        ("refs/heads/main", "refs/planctl/remote/origin/heads/main"),
        ("refs/heads/plan/x", "refs/planctl/remote/origin/heads/plan/x"),
        ("refs/planctl/epoch", "refs/planctl/remote/origin/epoch"),
        ("refs/planctl/landed/a/0123", "refs/planctl/remote/origin/landed/a/0123"),
    ],
)
def test_each_reference_has_one_place_and_leads_back(theirs: str, own: str) -> None:
    mirror = Mirror("origin", "main")
    assert mirror.own(theirs) == own
    assert mirror.theirs(own) == theirs
    valid_reference(own)


def test_what_is_not_mirrored_leads_nowhere() -> None:
    with pytest.raises(InvalidReferenceError):
        Mirror("origin", "main").theirs("refs/heads/main")


def test_a_target_is_called_the_same_by_all_machines() -> None:
    one, two = mirror_of("origin", "main").target, mirror_of("upstream", "main").target
    assert canonical(one) == canonical(two) == canonical("refs/heads/main") == "refs/heads/main"
    assert (
        landing_key(one, "a", "b") == landing_key(two, "a", "b") == landing_key("refs/heads/main", "a", "b")
    )
    assert (remote_of(one), remote_of("refs/heads/main")) == ("origin", None)
    assert (shown_target(one), shown_target("refs/heads/main")) == ("origin/main", "main")


@given(st.text(max_size=20))
def test_a_name_of_a_remote_is_no_url_no_option_and_no_path(text: str) -> None:
    if is_remote_name(text):
        assert not text.startswith("-")
        assert not set(text) & set(":/\\ \n\0*?[~^@{")
        valid_reference(Mirror(text, "main").target)


@pytest.mark.parametrize(
    "text", ["", "-x", "a/b", "..", "a..b", "a.lock", "a.", "ext::sh", "https://x", "a b"]
)
def test_what_is_no_name_of_a_remote(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        mirror_of(text, "main")
