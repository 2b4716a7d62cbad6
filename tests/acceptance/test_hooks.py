"""The commit hook: the answer of submission while a commit is made, in plans' worktrees and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.faces import contents
from tests.support.plans import commit_plans
from tests.support.process import Done, run
from tests.support.repo import GitRepo
from tests.support.runs import ending, multi

ALLOWED = {"PLANCTL_ALLOW_MAIN": "1"}
HEAVY = {"git", "pygit2", "click", "networkx", "yaml", "rich", "psutil"}


def hooks(repo: GitRepo, *arguments: str, code: int = 0) -> Done:
    done = run("hooks", *arguments, cwd=repo.path)
    assert done.code == code, f"{done.code}\n{done.out}\n{done.err}"
    return done


def commit(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "commit", "-m", "x", *arguments],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ALLOWED,
    )


def prepared(repo: GitRepo, settings: str = "enforce: strict\n") -> GitRepo:
    """The worktree of a plan that declared ``one``, with the hook in place."""
    commit_plans(repo, {"a": {"files": {"write": ["one"]}}}, settings)
    hooks(repo, "install")
    done = run("worktree", "add", "a", cwd=repo.path)
    assert done.code == 0, done.err
    return GitRepo(Path(repo.path.parent / "repo.worktrees" / "plans" / "a").resolve())


@pytest.mark.parametrize(("enforce", "refused"), [("strict", True), ("off", False), ("collisions", False)])
def test_p3_a_file_outside_the_manifest_is_refused_as_enforce_says(
    repo: GitRepo, enforce: str, refused: bool
) -> None:
    place = prepared(repo, f"enforce: {enforce}\n")
    place.write("two", "2\n")
    place.git("add", "two")
    done = commit(place.path)
    assert (done.returncode, "changed two, which its manifest does not name" in done.stderr) == (
        int(refused),
        refused,
    )


def test_p3_a_name_in_another_case_is_the_declared_file_where_git_says_so(repo: GitRepo) -> None:
    repo.git("config", "core.ignoreCase", "true")
    place = prepared(repo, "enforce: strict\n")
    place.write("ONE", "1\n")
    place.git("add", "ONE")
    assert commit(place.path).returncode == 0


def test_p3_what_another_plan_at_work_declared_is_refused_and_the_rest_goes_through(repo: GitRepo) -> None:
    said, go = repo.path.parent / "said", repo.path.parent / "go"
    attempt = f"git add -A; git commit -qm x 2>> {said}; echo $? >> {said}"
    taken = f"echo t > mine; {attempt}; git rm -qf --cached mine; rm mine"
    commit_plans(
        repo,
        {
            "owner": {"files": {"write": ["mine"]}, "run": f"cat {go}; echo o > mine"},
            "thief": {
                "files": {"write": ["other"]},
                "dependencies": [{"plan": "owner", "status": "started"}],
                "run": f"{taken}; echo t > other; echo t > elsewhere; {attempt}; echo go > {go}",
            },
        },
    )
    os.mkfifo(go)
    hooks(repo, "install")
    assert ending(multi(repo, "owner", "thief", "-j", "2"))["landed"]
    refused, first, second = said.read_text().splitlines()
    assert "changed mine, which owner declared" in refused
    assert (first, second) == ("1", "0"), "the second is outside the manifest and hits nobody"


def test_p3_of_a_rename_both_names_count(repo: GitRepo) -> None:
    place = prepared(repo)
    place.git("mv", "README.md", "one")
    done = commit(place.path)
    assert done.returncode == 1
    assert "changed README.md" in done.stderr


def test_p3_names_of_any_bytes_and_the_end_of_a_merge_go_through(repo: GitRepo) -> None:
    place = prepared(repo)
    odd = os.fsencode(place.path) + b"/one\n\xff"
    Path(os.fsdecode(odd)).write_bytes(b"x")
    place.git("add", "-A")
    assert "changed one \\udcff" in commit(place.path).stderr
    place.git("reset", "-q", "--hard")
    hooks(repo, "uninstall")
    repo.commit("of others", {"theirs": "1\n"})
    hooks(repo, "install")
    place.git("merge", "-q", "--no-ff", "--no-commit", "main")
    assert commit(place.path).returncode == 0


def test_p3_elsewhere_and_when_planctl_is_gone_or_broken_nothing_is_held_up(repo: GitRepo) -> None:
    place = prepared(repo)
    (repo.path / "two").write_text("2\n")
    repo.git("add", "two")
    elsewhere = commit(repo.path)
    assert (elsewhere.returncode, elsewhere.stderr) == (0, "")
    place.write("two", "2\n")
    place.git("add", "two")
    hook = repo.path / ".git/hooks/pre-commit"
    whole = hook.read_text()
    for broken in (
        whole.replace(sys.executable, "/nowhere/python"),
        whole.replace("cli.precommit", "cli.lost"),
    ):
        assert broken != whole
        hook.write_text(broken)
        done = commit(place.path)
        assert done.returncode == 0
        assert done.stderr.splitlines() == [
            "planctl could not be asked; this commit was not compared with its plan"
        ]
        place.git("reset", "-q", "--soft", "HEAD~")
    hook.write_text(whole)
    (repo.path / ".git/planctl/state.db").write_bytes(b"no store")
    done = commit(place.path)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "was not compared with its plan" in done.stderr


def test_p3_the_hooks_entry_loads_nothing_heavy(repo: GitRepo) -> None:
    place = prepared(repo)
    code = (
        "import sys\nfrom orchestrator.cli.precommit import main\n"
        "code = main()\nprint(*sys.modules, file=sys.stderr)\nsys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], input=b"two\0", cwd=place.path, capture_output=True, check=False
    )
    assert done.returncode == 7
    loaded = set(done.stderr.decode().split())
    assert "orchestrator.store.sqlite.snapshot" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("by", [("hooks", "uninstall"), ("uninstall",)])
def test_p27_the_hook_goes_and_leaves_everything_as_it_was(
    repo: GitRepo, folder: bool, by: tuple[str, ...]
) -> None:
    place = repo.path / ".git" / "hooks"
    if folder:
        repo.write(".git/hooks/post-checkout", "#!/bin/sh\n")
    before = contents(place) if folder else None
    hooks(repo, "install")
    hooks(repo, "install")
    assert os.access(place / "pre-commit", os.X_OK)
    assert run(*by, cwd=repo.path).code == 0
    assert (contents(place) if place.exists() else None) == before


def test_p27_uninstalling_takes_the_hook_and_drafts_of_it_with_plans_there(repo: GitRepo) -> None:
    prepared(repo)
    repo.write(".git/hooks/.pre-commit.1-abc.tmp/new", "of a planctl that was killed\n")
    assert run("uninstall", cwd=repo.path).code == 0
    assert not (repo.path / ".git/hooks").exists()


def test_p27_a_hook_of_the_users_is_kept_and_one_that_was_changed_is_theirs(repo: GitRepo) -> None:
    hook = repo.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n")
    hooks(repo, "uninstall")
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"
    hook.unlink()
    hook.symlink_to("nowhere")
    hooks(repo, "install")
    assert not hook.is_symlink()
    assert run("uninstall", cwd=repo.path).code == 0
    assert hook.readlink() == Path("nowhere")
    hook.unlink()
    hooks(repo, "install")
    hook.write_text(hook.read_text() + "echo mine\n")
    hooks(repo, "install", code=1)
    hooks(repo, "uninstall", code=1)
    assert run("uninstall", cwd=repo.path).code == 0
    assert hook.read_text().endswith("echo mine\n")


def test_p27_a_folder_of_core_hookspath_is_never_written_to(repo: GitRepo) -> None:
    repo.commit("husky", {".husky/pre-push": "#!/bin/sh\n"})
    repo.git("config", "core.hooksPath", ".husky")
    assert "core.hooksPath" in hooks(repo, "install", code=1).err
    assert repo.git("status", "--porcelain") == ""
    assert not (repo.path / ".git/hooks").exists()


def test_p3_a_hook_of_ones_own_can_call_planctls(repo: GitRepo) -> None:
    script = repo.path.parent / "planctl-hook"
    script.write_text(hooks(repo, "show").out)
    hook = repo.write(".git/hooks/pre-commit", f"#!/bin/sh\nsh {script} || exit 1\n")
    hook.chmod(0o755)
    commit_plans(repo, {"a": {"files": {"write": ["one"]}}}, "enforce: strict\n")
    assert run("worktree", "add", "a", cwd=repo.path).code == 0
    place = GitRepo((repo.path.parent / "repo.worktrees/plans/a").resolve())
    place.write("two", "2\n")
    place.git("add", "two")
    assert commit(place.path).returncode == 1


def test_p3_a_rebuilt_store_still_tells_what_was_declared(repo: GitRepo) -> None:
    place = prepared(repo)
    for left in (repo.path / ".git/planctl").glob("state.db*"):
        left.unlink()
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    place.write("two", "2\n")
    place.git("add", "two")
    assert "changed two" in commit(place.path).stderr


def test_p3_a_commit_does_not_wait_for_a_planctl_that_hangs() -> None:
    code = "from signal import pause; from orchestrator.cli import precommit as p; "
    code += "p._SECONDS = 1; p.main = pause; p.end()"
    done = subprocess.run([sys.executable, "-P", "-c", code], check=False, timeout=60)
    assert done.returncode == -signal.SIGALRM, "which the hook takes as: could not be asked"
