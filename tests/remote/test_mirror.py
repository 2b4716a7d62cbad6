"""The mirror is what the remote has: what was deleted there is no witness here, and in nobody's way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.merging import upstream
from orchestrator.merging.upstream import IDLE, WHOLE, Upstream, bring_up_to_date
from orchestrator.services.own_references import mend_all
from orchestrator.submitting.key import landing_key
from orchestrator.submitting.landed import landed_by, landed_plans
from plans import systems
from tests.support.clock import FakeClock
from tests.support.process import run
from tests.support.remotes import LANDED, Remote, merge, queue_at, remote_of
from tests.support.repo import GitRepo
from worktrees import fetch
from worktrees.fetch import mirror_lock

OURS = "refs/planctl/remote/origin"


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> Remote:
    return remote_of(repo, tmp_path / "there", check="test ! -e bad")


def forget_landed(remote: Remote) -> None:
    for name in remote.bare.git("for-each-ref", "--format=%(refname)", LANDED).splitlines():
        remote.bare.git("update-ref", "-d", name)


@contextlib.contextmanager
def on_release(clone: GitRepo) -> Iterator[None]:
    """In there the branch release is the target, for as long as this lasts."""
    settings = clone.path / "planctl.yaml"
    before = settings.read_text(encoding="utf-8")
    settings.write_text(f"{before}target: release\n", encoding="utf-8")
    yield
    settings.write_text(before, encoding="utf-8")


def test_s4_work_whose_landing_was_taken_away_with_its_reference_lands_again(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    before = remote.main()
    merge(one, "plan/a")
    remote.bare.git("update-ref", "refs/heads/main", before)
    forget_landed(remote)
    merge(one, "plan/a")
    assert list(remote.landed().values()) == [remote.main()]
    assert len(remote.keys()) == 1


def test_landed_references_that_were_deleted_are_no_more_in_the_mirror_and_trailers_still_tell(
    remote: Remote,
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    one.branch("plan/a", {"a": "1\n"})
    two.branch("plan/b", {"b": "1\n"})
    merge(one, "plan/a")
    landed = remote.main()
    forget_landed(remote)
    merge(two, "plan/b")
    merge(one, "plan/a")
    mirrored = one.git("for-each-ref", "--format=%(objectname)", "refs/planctl/remote/origin/landed")
    assert mirrored == "\n".join(remote.landed().values())
    told = one.git("for-each-ref", "--format=%(objectname)", "refs/planctl/remote/origin/told")
    assert sorted(told.split()) == sorted([landed, *remote.landed().values()])
    after = remote.main()
    merge(one, "plan/a")
    assert remote.main() == after


def test_s4_of_landed_references_that_were_deleted_the_trailers_of_every_target_tell(remote: Remote) -> None:
    """Who lands on the one is who sees that those of the other have gone."""
    one = remote.clone("one")
    one.git("branch", "release")
    remote.push(one, "release")
    one.branch("plan/a", {"a": "1\n"})
    with on_release(one):
        merge(one, "plan/a")
    landed = remote.bare.head("refs/heads/release")
    forget_landed(remote)
    with queue_at(one) as queue:
        bring_up_to_date(queue.bench, whole=True)
        assert queue.bench.references.list(f"{queue.bench.landed}/") == {}
    with on_release(one), queue_at(one) as queue:
        (entry,) = queue.bench.store.entries()
        assert landed_by(queue.bench, entry.branch, entry.id) == landed


def test_s4_a_reader_does_not_speak_for_another_that_pruned_and_was_killed(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    merge(one, "plan/a")
    landed = remote.main()
    one.branch("plan/b", {"b": "1\n"}, landed)
    with queue_at(one) as queue:
        refresh = upstream.refresh

        def refreshed(*arguments: Any, **options: Any) -> Any:
            found = refresh(*arguments, **options)
            monkeypatch.setattr(upstream, "refresh", refresh)
            forget_landed(remote)
            remote.push(one, "plan/b:main")
            killed = run(
                *("queue", "run", "--once", "--remote", "origin"),
                cwd=one.path,
                env={"PLANCTL_KILL_AT": "remote.fetch:after"},
            )
            assert killed.code == -9, killed.err
            return found

        monkeypatch.setattr(upstream, "refresh", refreshed)
        (entry,) = queue.bench.store.entries()
        bring_up_to_date(queue.bench, whole=True)
        assert queue.bench.references.list(f"{queue.bench.landed}/") == {}
        assert landed_by(queue.bench, entry.branch, entry.id) == landed


def test_s4_killed_before_it_is_noted_what_trailers_tell_they_are_read_anew(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    with queue_at(one):
        pass
    two.branch("plan/a", {"a": "1\n"})
    remote.push(two, "plan/a")
    merge(two, "plan/a")
    killed = run(
        *("queue", "run", "--once", "--remote", "origin"),
        cwd=one.path,
        env={"PLANCTL_KILL_AT": "remote.trailers:before"},
    )
    assert killed.code == -9, killed.err
    forget_landed(remote)
    with queue_at(one) as queue:
        bring_up_to_date(queue.bench, whole=True)
        key = landing_key("refs/heads/main", "plan/a", two.head("plan/a"))
        assert landed_by(queue.bench, "plan/a", key) == remote.main()


def test_s4_what_is_picked_onto_another_target_takes_no_landing_from_the_first(
    repo: GitRepo, tmp_path: Path
) -> None:
    """A backport carries the trailers along; here they are the only witness."""
    remote = remote_of(repo, tmp_path / "plain", check="test ! -e bad", method="squash")
    remote.hook('case "$1" in refs/planctl/*) exit 1; esac', "update")
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    one.branch("release", {"o": "1\n"})
    merge(one, "plan/a")
    one.git("pull", "-q", "origin", "main")
    one.git("checkout", "-q", "release")
    one.git("cherry-pick", "main")
    one.git("checkout", "-q", "main")
    one.git("revert", "--no-edit", "HEAD")
    remote.push(one, "main", "release")
    undone = remote.main()
    with on_release(one), queue_at(one):
        pass
    merge(one, "plan/a")
    assert remote.main() == undone


@pytest.mark.parametrize("how", ["deleted", "broken"])
def test_s4_where_it_is_lost_what_trailers_tell_they_are_read_anew(remote: Remote, how: str) -> None:
    """A person tidies up, or the power fails."""
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    merge(one, "plan/a")
    forget_landed(remote)
    with queue_at(one) as queue:
        bring_up_to_date(queue.bench, whole=True)
        (entry,) = queue.bench.store.entries()
        (told,) = queue.bench.references.list("refs/planctl/remote/origin/told/")
        if how == "deleted":
            names = one.git("for-each-ref", "--format=delete %(refname)", OURS)
            one.git("update-ref", "--stdin", stdin=f"{names}\n")
        else:
            (one.path / ".git" / told).write_bytes(b"")
            mend_all(queue.bench)
        assert queue.bench.references.read(told) is None
        bring_up_to_date(queue.bench)
        assert landed_by(queue.bench, entry.branch, entry.id) == remote.main()


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_a_branch_that_names_a_plan_in_its_messages_lands_nothing_of_that_plan(
    repo: GitRepo, tmp_path: Path, method: str
) -> None:
    remote = remote_of(repo, tmp_path / "there", check="test ! -e bad", method=method)
    one = remote.clone("one")
    one.branch("fix", {"a": "1\n"}, message="fix\n\nPlan-Id: model\nPlanctl-Run: r1\nReviewed-by: me")
    merge(one, "fix")
    with queue_at(one) as queue:
        assert landed_plans(queue.bench, ["model"], queue.bench.target_tip()) == {}
    assert (
        remote.bare.git("log", "-1", "--format=%(trailers:key=Reviewed-by,valueonly)", "main").strip() == "me"
    )


@pytest.mark.stress
def test_s4_a_landing_that_was_rewound_and_made_again_elsewhere_is_found_by_its_new_commit(
    repo: GitRepo, tmp_path: Path
) -> None:
    """Where trailers are the only witness, and the first one is no more in the target."""
    remote = remote_of(repo, tmp_path / "plain", check="test ! -e bad", method="squash")
    remote.hook('case "$1" in refs/planctl/*) exit 1; esac', "update")
    one, two = remote.clone("one"), remote.clone("two")
    one.branch("plan/a", {"a": "1\n"})
    one.branch("plan/b", {"b": "1\n"})
    remote.push(one, "plan/a")
    before = remote.main()
    merge(one, "plan/a")
    remote.bare.git("update-ref", "refs/heads/main", before)
    merge(one, "plan/b")
    merge(two, "plan/a")
    two.git("pull", "-q", "origin", "main")
    two.git("revert", "--no-edit", "HEAD")
    remote.push(two, "main")
    undone = remote.main()
    merge(one, "plan/a")
    assert remote.main() == undone


def test_a_branch_that_was_deleted_on_the_remote_is_not_in_the_way_of_one_below_its_name(
    remote: Remote,
) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    two.branch("fix", {"f": "1\n"})
    remote.push(two, "fix")
    merge(one, "fix")
    remote.bare.git("branch", "-D", "fix")
    two.git("branch", "-D", "fix")
    two.branch("fix/a", {"g": "1\n"})
    remote.push(two, "fix/a")
    assert "1 of 1 landed" in merge(one, "--branches", "fix/*").err


def test_a_branch_that_was_deleted_on_the_remote_does_not_land(remote: Remote) -> None:
    one, two = remote.clone("one"), remote.clone("two")
    two.branch("gone", {"f": "1\n"})
    remote.push(two, "gone")
    one.git("fetch", "-q", "origin", "+refs/heads/gone:refs/planctl/remote/origin/heads/gone")
    remote.bare.git("branch", "-D", "gone")
    before = remote.main()
    merge(one, "gone", code=2)
    assert remote.main() == before


def test_p22_a_branch_whose_name_is_not_utf8_is_left_out_and_named(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    odd = "plan/\udcff"
    one.branch(odd, {"b": "1\n"})
    one.git("branch", "plan/\udcfe", "main")  # without work of its own: nothing is left out
    done = merge(one, "--branches", "plan/*", "--json", code=1)
    assert [(e["branch"], e["state"]) for e in done.data["entries"]] == [("plan/a", "landed")]
    assert done.data["not_utf8"] == [r"plan/\xff"]
    assert r"left out, names that are not UTF-8: plan/\xff" in merge(one, "--branches", "plan/*", code=1).err
    assert "no branch" in merge(one, odd, code=2).err


def test_s4_killed_after_landed_references_were_pruned_here_trailers_are_still_read(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    merge(one, "plan/a")
    landed = remote.main()
    one.branch("plan/b", {"b": "1\n"}, landed)
    forget_landed(remote)
    remote.push(one, "plan/b:main")
    killed = run(
        *("queue", "run", "--once", "--remote", "origin"),
        cwd=one.path,
        env={"PLANCTL_KILL_AT": "remote.fetch:after"},
    )
    assert killed.code == -9, killed.err
    assert one.git("for-each-ref", "refs/planctl/remote/origin/landed") == ""
    with queue_at(one) as queue:
        (entry,) = queue.bench.store.entries()
        assert landed_by(queue.bench, entry.branch, entry.id) == landed


def test_s4_what_trailers_tell_is_read_whatever_the_users_own_git_shows(
    remote: Remote, tmp_path: Path
) -> None:
    signs = tmp_path / "signs"
    signs.write_text(
        '#!/bin/sh\ncat >/dev/null; echo "[GNUPG:] SIG_CREATED " >&2; echo "gpg: good" >&2; echo signature\n'
    )
    signs.chmod(0o755)
    one = remote.clone("one")
    for key, value in {
        "commit.gpgSign": "true",
        "gpg.program": str(signs),
        "log.showSignature": "true",
        "grep.patternType": "fixed",
    }.items():
        one.git("config", key, value)
    one.branch("plan/a", {"a": "1\n"})
    merge(one, "plan/a")
    assert "gpgsig" in remote.bare.git("cat-file", "commit", "main")
    forget_landed(remote)
    with queue_at(one) as queue:
        (entry,) = queue.bench.store.entries()
        bring_up_to_date(queue.bench, whole=True)
        assert queue.bench.references.list(f"{queue.bench.landed}/") == {}
        assert landed_by(queue.bench, entry.branch, entry.id) == remote.main()


def test_who_looks_and_is_stopped_is_waited_for_once(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[bool] = []
    monkeypatch.setattr(fetch, "PATIENCE", 0.1)
    with queue_at(remote.clone("one")) as queue, mirror_lock(queue.bench.repository):
        lock = systems.lock
        watched = SimpleNamespace(lock=lambda *a, **k: tries.append(lock(*a, **k)) or tries[-1])
        monkeypatch.setattr(fetch, "systems", watched)
        for expected in (5, 1):
            tries.clear()
            with mirror_lock(queue.bench.repository):
                assert tries == [False] * expected
    for _ in range(2):
        tries.clear()
        with mirror_lock(queue.bench.repository):
            assert tries == [True]


def test_landed_references_that_were_deleted_alone_are_noticed_in_time(remote: Remote) -> None:
    one = remote.clone("one")
    one.branch("plan/a", {"a": "1\n"})
    merge(one, "plan/a")
    landed = remote.main()
    with queue_at(one) as queue:
        (entry,) = queue.bench.store.entries()
        clock = FakeClock()
        looks = Upstream(replace(queue.bench, clock=clock))
        looks.look(idle=True)
        forget_landed(remote)
        clock.advance(IDLE + 1)
        looks.look(idle=True)
        mirrored = f"{queue.bench.landed}/"
        assert queue.bench.references.list(mirrored), "a look asks for target and epoch, which stand still"
        clock.advance(WHOLE)
        looks.look(idle=True)
        assert queue.bench.references.list(mirrored) == {}
        assert landed_by(queue.bench, entry.branch, entry.id) == landed, "the trailers tell it"
