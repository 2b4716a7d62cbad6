"""S1.8: `rescue restore` over work that is in the target: abort, overwrite, skip; all of it or nothing."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Said, planctl
from tests.support.manifest import manifest
from tests.support.process import run
from tests.support.repo import GitRepo
from tests.support.scenes import cherry_pick_stopped
from worktrees import restore as restoring
from worktrees.git import Git
from worktrees.repository import find
from worktrees.rescue import rescue

STAMP = "01J0000000000000000000000A"
REFERENCE = f"refs/planctl/rescue/p/{STAMP}"


def rescued(repo: GitRepo) -> None:
    """Work of every kind, kept as the rescue of ``p``: edits, a deletion, staged and untracked files."""
    slot = GitRepo(repo.path.with_name("slot"))
    repo.git("worktree", "add", "-q", "--detach", str(slot.path))
    slot.write("src/a.py", "rescued\n")
    slot.write("staged.txt", "staged\n")
    slot.git("add", "staged.txt")
    slot.write("staged.txt", "staged\nand more\n")
    slot.write("deep/er/new.txt", "new\n")
    (slot.path / "src/b.py").unlink()
    keep(repo, slot)


def keep(repo: GitRepo, slot: GitRepo) -> None:
    git = Git(find(repo.path))
    git.ensure_desk()
    assert rescue(git, slot.path, "p", stamp=STAMP) is not None
    repo.git("worktree", "remove", "--force", "--force", str(slot.path))


@pytest.fixture
def back(repo: GitRepo) -> GitRepo:
    """A clean worktree of the user's own, and a rescue to bring back to it."""
    rescued(repo)
    repo.git("worktree", "add", "-q", "--detach", "../back")
    (repo.path.with_name("back") / "README.md").chmod(0o600)
    return GitRepo(repo.path.with_name("back"))


def restore(repo: GitRepo, *arguments: str) -> Said:
    back = str(repo.path.with_name("back"))
    return planctl("rescue", "restore", "p", "--into", back, *arguments, repo=repo.path)


def edit(back: GitRepo) -> None:
    """Work of a person: on two paths that the rescue has too, and on two that it has not."""
    back.write("src/a.py", "mine\n")
    back.git("add", "src/a.py")
    back.write("src/a.py", "mine\nand more\n")
    back.write("deep/er", "a file where the rescue has a folder\n")
    back.write("docs/guide.md", "mine\n")
    back.write("own.txt", "mine\n")


def as_it_is(back: GitRepo) -> object:
    own = find(back.path).git_dir
    names = sorted(p.relative_to(own).as_posix() for p in own.rglob("*") if "logs" not in p.parts)
    folders = sorted(str(p.relative_to(back.path)) for p in back.path.rglob("*") if p.is_dir())
    head = (own / "HEAD").read_bytes()
    return (
        manifest(back, back.path),
        [n for n in names if n not in ("ORIG_HEAD", "AUTO_MERGE")],
        folders,
        head,
    )


def read(back: GitRepo, name: str) -> str:
    return (back.path / name).read_text(encoding="utf-8")


def test_s1_8_abort_is_the_default_and_names_what_is_in_the_way(repo: GitRepo, back: GitRepo) -> None:
    edit(back)
    before = as_it_is(back)
    for arguments in ((), ("--on-change", "abort"), ("--dry-run",)):
        said = restore(repo, *arguments)
        assert (said.code, "uncommitted work" in said.stderr) == (1, True), said
        assert "--on-change overwrite" in said.stderr
    assert as_it_is(back) == before


def test_s1_8_overwrite_rescues_what_it_writes_over_and_leaves_the_rest(repo: GitRepo, back: GitRepo) -> None:
    edit(back)
    before = manifest(back, back.path)
    data = restore(repo, "--on-change", "overwrite", "--json").data
    assert (data["overwritten"], data["skipped"]) == (["deep/er", "src/a.py"], [])
    assert read(back, "src/a.py") == "rescued\n"
    assert read(back, "deep/er/new.txt") == "new\n"
    assert (read(back, "docs/guide.md"), read(back, "own.txt")) == ("mine\n", "mine\n")
    assert back.git("status", "--porcelain").splitlines() == [
        " M docs/guide.md", " M src/a.py", " D src/b.py", "AM staged.txt", "?? deep/", "?? own.txt",
    ]  # fmt: skip
    assert data["rescued"].startswith("refs/planctl/rescue/before-restore/")
    repo.git("worktree", "add", "-q", "--detach", "../again")
    again = repo.path.with_name("again")
    assert planctl("rescue", "restore", data["rescued"], "--into", str(again), repo=repo.path).code == 0
    assert manifest(back, again)[0] == {**before[0], "README.md": manifest(back, again)[0]["README.md"]}  # type: ignore[dict-item]
    assert manifest(back, again)[1] == before[1]


def test_s1_8_skip_leaves_what_was_changed_byte_for_byte(repo: GitRepo, back: GitRepo) -> None:
    edit(back)
    data = restore(repo, "--on-change", "skip", "--json").data
    assert (data["overwritten"], data["skipped"]) == ([], ["deep/er", "src/a.py"])
    assert sorted(data["written"]) == ["staged.txt"]
    assert (read(back, "src/a.py"), back.git("show", ":src/a.py")) == ("mine\nand more\n", "mine")
    assert read(back, "deep/er") == "a file where the rescue has a folder\n"
    assert read(back, "staged.txt") == "staged\nand more\n"
    assert data["rescued"] is None
    assert back.git("status", "--porcelain").splitlines() == [
        " M docs/guide.md", "MM src/a.py", " D src/b.py", "AM staged.txt", "?? deep/", "?? own.txt",
    ]  # fmt: skip


def test_s1_8_ignored_files_in_the_way_are_kept_or_left_too(repo: GitRepo, back: GitRepo) -> None:
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "exclude").write_text("staged.txt\n", encoding="utf-8")
    back.write("staged.txt", "ignored, and mine\n")
    assert restore(repo).code == 1
    shown = restore(repo, "--on-change", "skip", "--dry-run", "--json").data
    assert shown["would_skip"] == ["staged.txt"]
    data = restore(repo, "--on-change", "overwrite", "--json").data
    assert read(back, "staged.txt") == "staged\nand more\n"
    assert repo.git("show", f"{data['rescued']}:staged.txt") == "ignored, and mine"


@pytest.mark.parametrize("choice", ["overwrite", "skip"])
def test_s1_8_a_dry_run_says_what_would_be_and_writes_nothing(
    repo: GitRepo, back: GitRepo, choice: str
) -> None:
    edit(back)
    before, references = as_it_is(back), repo.git("for-each-ref")
    shown = restore(repo, "--on-change", choice, "--dry-run", "--json").data
    text = restore(repo, "--on-change", choice, "--dry-run").stdout.splitlines()
    assert (as_it_is(back), repo.git("for-each-ref")) == (before, references)
    assert {f"would {choice} src/a.py", f"would {choice} deep/er", "would delete src/b.py"} <= set(text)
    assert (shown["would_write"], shown["would_delete"]) == (
        ["deep/er/new.txt", "staged.txt"] if choice == "overwrite" else ["staged.txt"],
        ["src/b.py"],
    )
    done = restore(repo, "--on-change", choice, "--json").data
    assert done["overwritten" if choice == "overwrite" else "skipped"] == shown[f"would_{choice}"]
    assert shown["would_rescue"] == (done["rescued"] is not None)


def test_s1_8_an_unmerged_path_is_not_skipped_and_a_repository_not_written_over(repo: GitRepo) -> None:
    slot, back = GitRepo(repo.path.with_name("slot")), GitRepo(repo.path.with_name("back"))
    repo.git("worktree", "add", "-q", "-b", "plan/x", str(slot.path))
    cherry_pick_stopped(slot)
    slot.write("inner", "a file\n")
    base = slot.head()
    keep(repo, slot)
    repo.git("worktree", "add", "-q", "--detach", str(back.path), base)
    back.write("src/a.py", "a person's\n")
    said = restore(repo, "--on-change", "skip")
    assert (said.code, "unmerged in the rescue" in said.stderr) == (1, True)
    GitRepo(back.path).git("init", "-q", "inner")
    said = restore(repo, "--on-change", "overwrite")
    assert (said.code, "a repository of its own" in said.stderr) == (1, True)
    shutil.rmtree(back.path / "inner")
    assert restore(repo, "--on-change", "overwrite").code == 0
    assert "UU src/a.py" in back.git("status", "--porcelain")


def test_s1_8_a_file_that_changes_after_the_look_takes_all_back_and_stays(
    repo: GitRepo, back: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = as_it_is(back)
    begin = restoring.begin

    def slowly(*arguments: Any) -> object:
        journal = begin(*arguments)
        back.write("staged.txt", "a person's, this moment\n")
        return journal

    monkeypatch.setattr(restoring, "begin", slowly)
    said = restore(repo)
    assert (said.code, "changed since it was read" in said.stderr) == (1, True)
    assert read(back, "staged.txt") == "a person's, this moment\n"
    (back.path / "staged.txt").unlink()
    assert as_it_is(back) == before


def moments(repo: GitRepo, trace: Path) -> list[str]:
    """Every moment of a restore that is not cut short, from where it begins to look."""
    done = run(*words("abort"), cwd=repo.path, env={"PLANCTL_STEP_TRACE": str(trace)})
    assert done.code == 0, done
    found = trace.read_text(encoding="utf-8").splitlines()
    first = next(n for n, moment in enumerate(found) if moment.startswith("rescue."))
    return found[first:]


def words(choice: str) -> tuple[str, ...]:
    return "rescue", "restore", "p", "--into", "../back", "--detach", "--on-change", choice


def begin_anew(repo: GitRepo) -> None:
    """The very same beginning each time."""
    world = repo.path.parent
    saved = world.with_name("saved")
    if not saved.exists():
        shutil.copytree(world, saved, symlinks=True)
    shutil.rmtree(world)
    shutil.copytree(saved, world, symlinks=True)


@pytest.fixture
def world(repo: GitRepo, tmp_path: Path) -> GitRepo:
    """An operation to bring back into a worktree that must be moved; all in one folder, to be put back."""
    top = tmp_path / "world"
    top.mkdir()
    inner = GitRepo.copy_of(repo.path, top / "repo")
    slot, back = GitRepo(top / "slot"), GitRepo(top / "back")
    inner.git("worktree", "add", "-q", "-b", "plan/x", str(slot.path))
    cherry_pick_stopped(slot)
    slot.write("deep/er/new.txt", "new\n")
    (slot.path / "src/b.py").unlink()
    keep(inner, slot)
    inner.commit("elsewhere", {"README.md": "# elsewhere\n"})
    inner.git("worktree", "add", "-q", str(back.path), "-b", "mine", "main")
    return inner


def check_cut_short(repo: GitRepo, chosen: list[str], how: str) -> None:
    """At each moment the target is as it was, after a failure at once, after a kill by what comes next.

    A moment after the end may leave it whole in place of that; never anything between the two.
    """
    begin_anew(repo)
    back = GitRepo(repo.path.with_name("back"))
    clean = as_it_is(back)
    for number, moment in enumerate(chosen):
        begin_anew(repo)
        fails = how == "PLANCTL_FAIL_AT"
        short = run(*words("abort"), cwd=repo.path, env={how: f"ENOSPC@{moment}" if fails else moment})
        assert fails or short.code == -signal.SIGKILL, (moment, short)
        if not fails:
            go_on(repo, number)
        if as_it_is(back) == clean:
            again = restore(repo, "--detach")
            assert again.code == 0, (moment, short, again)
        else:
            assert moment in chosen[chosen.index("restore.done:after:1") :], (moment, short)
        assert "UU src/a.py" in back.git("status", "--porcelain"), moment
        assert (back.path / "deep/er/new.txt").read_text(encoding="utf-8") == "new\n", moment
        assert planctl("doctor", "--fix", repo=repo.path).code == 0, moment
        assert not [*(repo.path / ".git/planctl").glob("restores/*")], moment


def go_on(repo: GitRepo, number: int) -> None:
    """By turns ``doctor --fix`` and ``resume``; doctor names what is there before."""
    if any((repo.path / ".git/planctl/restores").glob("*/journal.json")):
        issues = planctl("doctor", "--json", repo=repo.path).data["issues"]
        assert "restore-half-way" in [issue["code"] for issue in issues]
        done = planctl(*("doctor --fix", "resume")[number % 2].split(), repo=repo.path)
        assert done.code == 0, done


@pytest.mark.parametrize("moment", ["restore.files:after:1", "restore.index_lock:after:1"])
def test_s1_8_killed_at_a_moment_it_is_taken_back(world: GitRepo, moment: str) -> None:
    check_cut_short(world, [moment], "PLANCTL_KILL_AT")


@pytest.mark.parametrize("moment", ["restore.files:after:1", "restore.operation:after:1"])
def test_s1_8_failed_at_a_moment_it_is_taken_back_at_once(world: GitRepo, moment: str) -> None:
    check_cut_short(world, [moment], "PLANCTL_FAIL_AT")


@pytest.mark.stress
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("how", ["PLANCTL_KILL_AT", "PLANCTL_FAIL_AT"])
def test_s1_8_cut_short_at_every_moment_it_is_all_or_nothing(
    world: GitRepo, tmp_path: Path, how: str
) -> None:
    begin_anew(world)
    found = moments(world, tmp_path / "trace")
    assert len(found) > 40
    check_cut_short(world, found, how)


def test_s1_8_what_a_person_did_after_a_kill_is_kept_before_it_is_taken_back(
    repo: GitRepo, back: GitRepo
) -> None:
    clean = as_it_is(back)
    assert run(*words("abort"), cwd=repo.path, env={"PLANCTL_KILL_AT": "restore.index:after"}).code < 0
    back.write("src/a.py", "a person's\n")
    back.git("add", "src/a.py")
    data = restore(repo, "--json").data
    (taken,) = data["taken_back"]
    assert repo.git("show", f"{taken['rescued']}:src/a.py") == "a person's"
    assert read(back, "src/a.py") == "rescued\n"
    back.git("reset", "-q", "--hard")
    back.git("clean", "-qfd")
    (back.path / "README.md").chmod(0o600)
    assert as_it_is(back) == clean


def test_s1_8_a_worktree_that_moved_on_is_left_as_it_is(repo: GitRepo, back: GitRepo) -> None:
    assert run(*words("abort"), cwd=repo.path, env={"PLANCTL_KILL_AT": "restore.index:after"}).code < 0
    back.git("add", "-A")
    back.git("commit", "-qm", "what was there")
    before = as_it_is(back)
    said = run("doctor", "--fix", cwd=repo.path)
    assert said.code == 0, said
    assert as_it_is(back) == before
    assert not (repo.path / ".git/planctl/restores").exists()


@pytest.mark.parametrize(
    "moment",
    [
        "restore.back:after",
        pytest.param("restore.index_lock:after", marks=pytest.mark.stress),
        pytest.param("restore.done:before", marks=pytest.mark.stress),
    ],
)
def test_s1_8_a_taking_back_that_is_killed_goes_on(repo: GitRepo, back: GitRepo, moment: str) -> None:
    clean = as_it_is(back)
    assert run(*words("abort"), cwd=repo.path, env={"PLANCTL_KILL_AT": "restore.index:after"}).code < 0
    again = run("doctor", "--fix", cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
    assert again.code == -signal.SIGKILL
    assert planctl("doctor", "--fix", repo=repo.path).code == 0
    assert as_it_is(back) == clean
