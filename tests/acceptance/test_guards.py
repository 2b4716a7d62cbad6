"""P12: git's hooks refuse moves of main outside the queue, and stash pushes in plans' worktrees."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.faces import contents
from tests.support.plans import commit_plans
from tests.support.process import Done, run
from tests.support.repo import GitRepo
from tests.support.runs import ending, multi
from tests.support.slices import mostly
from worktrees.hooks import _keep

ALLOWED = {"PLANCTL_ALLOW_MAIN": "1"}
WORDS = "main moves by the merge queue only"
REFERENCES = ".git/hooks/reference-transaction"


def hooks(repo: GitRepo, *arguments: str, code: int = 0, **env: str) -> Done:
    done = run("hooks", *arguments, cwd=repo.path, env=env)
    assert done.code == code, f"{done.code}\n{done.out}\n{done.err}"
    return done


def git(place: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


@pytest.fixture
def guarded(repo: GitRepo) -> GitRepo:
    """On main, which has two commits; branch ``work`` is one ahead of it, ``old`` one behind."""
    repo.git("branch", "old")
    repo.commit("second", {"README.md": "# Second\n"})
    repo.branch("work", {"new.txt": "new\n"})
    hooks(repo, "install", "git")
    return repo


MOVES = {
    "commit": ("commit", "-q", "--allow-empty", "-m", "x"),
    "amend": ("commit", "-q", "--amend", "-m", "x"),
    "fast-forward": ("merge", "-q", "work"),
    "merge": ("merge", "-q", "--no-ff", "-m", "x", "work"),
    "reset": ("reset", "-q", "--hard", "old"),
    "rebase": ("rebase", "-q", "work"),
    "pull": ("pull", "-q", ".", "work"),
    "update-ref": ("update-ref", "refs/heads/main", "work"),
    "update-ref with the old value": ("update-ref", "refs/heads/main", "work", "main"),
    "deletion": ("update-ref", "-d", "refs/heads/main"),
    "cherry-pick": ("cherry-pick", "work"),
}
MOVES_FROM_BESIDE = {
    "branch -f": ("branch", "-f", "main", "work"),
    "deletion by push": ("push", "-q", ".", ":main"),
    "branch -D": ("branch", "-D", "main"),
    "push": ("push", "-q", ".", "work:main"),
    "fetch": ("fetch", "-q", ".", "work:main"),
    "checkout -B": ("checkout", "-q", "-B", "main", "work"),
}


@pytest.mark.parametrize("move", MOVES)
def test_p12_main_does_not_move_but_with_the_variable(guarded: GitRepo, move: str) -> None:
    refuses_and_allows(guarded, MOVES[move])


@pytest.mark.parametrize("move", MOVES_FROM_BESIDE)
def test_p12_main_does_not_move_from_beside_it_either(guarded: GitRepo, move: str) -> None:
    guarded.git("checkout", "-q", "work")
    refuses_and_allows(guarded, MOVES_FROM_BESIDE[move])


def refuses_and_allows(repo: GitRepo, move: tuple[str, ...]) -> None:
    before = repo.head("main")
    done = git(repo.path, *move)
    assert done.returncode != 0, done.stderr
    assert WORDS in done.stderr
    assert repo.head("main") == before
    git(repo.path, "rebase", "--abort")
    git(repo.path, "cherry-pick", "--abort")
    git(repo.path, "merge", "--abort")
    git(repo.path, "reset", "-q", "--merge")
    assert repo.git("status", "--porcelain") == "", "what a refusal leaves staged goes by this, as documented"
    done = git(repo.path, *move, **ALLOWED)
    assert done.returncode == 0, done.stderr
    assert git(repo.path, "rev-parse", "-q", "--verify", "main").stdout.strip() != before


def test_p12_main_is_not_deleted_however_it_is_kept(guarded: GitRepo) -> None:
    """Packing deletes a file as well, with the very same line; so the exact old value is the hard case."""
    guarded.git("checkout", "-q", "work")
    head = guarded.head("main")
    for kept in ([], ["pack-refs", "--all", "--no-prune"], ["pack-refs", "--all"]):
        if kept:
            guarded.git(*kept)
        for how in (["-d", "refs/heads/main", head], ["--stdin"]):
            done = subprocess.run(
                ["git", "update-ref", *how],
                cwd=guarded.path,
                input=f"delete refs/heads/main {head}\n",
                capture_output=True,
                text=True,
                check=False,
            )
            assert WORDS in done.stderr, (kept, how)
    assert guarded.head("main") == head
    # as a git does that asks no hook about the packed list: it has the new one ready
    assert git(guarded.path, "update-ref", "refs/heads/main", "main~", **ALLOWED).returncode == 0
    guarded.git("pack-refs", "--all", "--no-prune")
    line = f"{guarded.head('main')} {'0' * 40} refs/heads/main\n"
    hook = [str(guarded.path / REFERENCES), "prepared"]
    for expected in (0, 1):
        done = subprocess.run(hook, cwd=guarded.path, input=line, text=True, check=False)
        assert done.returncode == expected
        for name in ("packed-refs.lock", "packed-refs.new"):
            guarded.write(f".git/{name}", "")


@pytest.mark.parametrize("how", [("--ff-only",), ("--no-rebase", "--no-edit"), ("--rebase",)])
def test_p12_a_refused_pull_says_how_its_files_go_and_what_was_staged_stays(
    guarded: GitRepo, how: tuple[str, ...]
) -> None:
    if how != ("--ff-only",):
        assert git(guarded.path, "commit", "--allow-empty", "-qm", "apart", **ALLOWED).returncode == 0
    before = guarded.head("main")
    mine = how == ("--ff-only",)
    if mine:
        guarded.write("mine.txt", "mine\n")
        guarded.git("add", "mine.txt")
    done = git(guarded.path, "pull", "-q", *how, ".", "work")
    assert WORDS in done.stderr
    back = done.stderr.partition("nothing else: ")[2].splitlines()[0]
    subprocess.run(back.split(), cwd=guarded.path, check=True)
    assert guarded.git("status", "--porcelain") == ("A  mine.txt" if mine else "")
    assert guarded.head("HEAD") == before
    assert git(guarded.path, "symbolic-ref", "HEAD").stdout == "refs/heads/main\n"
    assert "nothing else" not in git(guarded.path, "commit", "--allow-empty", "-qm", "x").stderr


def test_p12_what_does_not_move_main_goes_through(guarded: GitRepo) -> None:
    before = guarded.head("main")
    for harmless in (
        ("branch", "maintenance"),
        ("update-ref", "refs/heads/maintenance", "work"),
        ("update-ref", "refs/remotes/origin/main", "work"),
        ("update-ref", "refs/heads/main", "main"),
        ("reset", "-q", "--hard"),
        ("checkout", "-q", "work"),
        ("commit", "-q", "--allow-empty", "-m", "x"),
        ("checkout", "-q", "main"),
        ("stash", "list"),
        ("tag", "v1"),
        ("branch", "-q", "-D", "maintenance"),
        ("pack-refs", "--all"),
        ("update-ref", "refs/heads/other", "old"),
        ("gc", "-q", "--prune=now"),
        ("pack-refs", "--all", "--no-prune"),
        ("fsck", "--no-dangling"),
    ):
        done = git(guarded.path, *harmless)
        assert done.returncode == 0, f"{harmless}: {done.stderr}"
        assert "planctl" not in done.stderr
    guarded.write("README.md", "# Edited\n")
    assert git(guarded.path, "stash", "push", "-q").returncode == 0
    assert git(guarded.path, "stash", "pop", "-q").returncode == 0
    assert guarded.head("main") == before


def test_p12_among_a_thousand_references_of_one_transaction_main_is_found(guarded: GitRepo) -> None:
    commit = guarded.head("work")
    lines = [f"create refs/heads/many/{n} {commit}\n" for n in range(1000)]
    guarded.git("update-ref", "--stdin", stdin="".join(lines))
    lines = [f"update refs/heads/many/{n} {guarded.head('old')}\n" for n in range(1000)]
    lines.insert(900, f"update refs/heads/main {commit}\n")
    done = subprocess.run(
        ["git", "update-ref", "--stdin"],
        cwd=guarded.path,
        input="".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert WORDS in done.stderr
    assert guarded.head("many/1") == commit, "all or nothing"


def test_p12_a_branch_that_is_not_there_yet_can_be_made(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "new")
    repo.path.mkdir()
    repo.git("init", "-q")
    hooks(repo, "install")
    repo.commit("first", {"a": "a\n"})
    assert WORDS in git(repo.path, "commit", "--allow-empty", "-m", "second").stderr


def test_p12_the_target_is_the_one_of_planctl_yaml(repo: GitRepo) -> None:
    repo.branch("trunk/x'y $(touch pwned)".replace(" ", ""), {"t": "t\n"})
    branch = "trunk/x'y$(touchpwned)"
    repo.commit("settings", {"planctl.yaml": f'target: "{branch}"\n'})
    hooks(repo, "install")
    repo.commit("main moves as ever", {"b": "b\n"})
    done = git(repo.path, "branch", "-f", branch, "main")
    assert f"refused: {branch} moves" in done.stderr
    assert not (repo.path / "touchpwned").exists()


def test_p12_where_work_lands_on_a_remote_ones_own_branch_is_free(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("init", "-q", "--bare", str(tmp_path / "there"))
    repo.git("remote", "add", "origin", str(tmp_path / "there"))
    repo.git("push", "-q", "origin", "main")
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}}, "remote: origin\n")
    repo.git("push", "-q", "origin", "main")
    hooks(repo, "install")
    assert ending(multi(repo, "a"))["landed"] == ["a"]
    repo.git("pull", "-q", "--ff-only", "origin", "main")
    assert repo.show("main", "one") == "a\n"
    mirror = repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/remote").splitlines()
    script = (repo.path / REFERENCES).read_text()
    [guarded] = [name for name in mirror if f"target={name}\n" in script]
    assert "origin/main moves" in git(repo.path, "update-ref", guarded, "main~1").stderr


def test_p12_the_queue_lands_under_the_hooks(repo: GitRepo) -> None:
    commit_plans(repo, {"a": {"files": {"write": ["one"]}, "run": "echo a > one"}}, "check: test -f one\n")
    hooks(repo, "install")
    assert ending(multi(repo, "a"))["landed"] == ["a"]
    assert repo.show("main", "one") == "a\n"
    repo.git("branch", "by-hand", "main")
    repo.git("checkout", "-q", "by-hand")
    repo.commit("more", {"two": "2\n"})
    repo.git("checkout", "-q", "main")
    assert run("queue", "add", "by-hand", cwd=repo.path).code == 0
    assert run("queue", "run", "--once", cwd=repo.path).code == 0
    assert repo.show("main", "two") == "2\n"


@pytest.fixture
def place(guarded: GitRepo) -> GitRepo:
    """The worktree of a plan, with an edit."""
    env = os.environ | ALLOWED
    plan = "---\nplan: a\nfiles:\n  write: [README.md, two]\n---\n# a\n"
    guarded.write("plans/a.md", plan)
    subprocess.run(["git", "add", "-A"], cwd=guarded.path, check=True)
    subprocess.run(["git", "commit", "-qm", "plan"], cwd=guarded.path, check=True, env=env)
    done = run("worktree", "add", "a", cwd=guarded.path)
    assert done.code == 0, done.err
    tree = GitRepo((guarded.path.parent / "repo.worktrees/plans/a").resolve())
    tree.write("README.md", "# By the plan\n")
    return tree


@pytest.mark.parametrize("push", [("stash",), ("stash", "push", "-u"), ("stash", "save", "x")])
def test_p12_in_a_plans_worktree_nothing_is_stashed_and_no_edit_is_lost(
    place: GitRepo, push: tuple[str, ...]
) -> None:
    place.write("two", "untracked\n")
    done = git(place.path, *push)
    assert done.returncode != 0
    assert "no stash in a plan's worktree" in done.stderr
    assert contents_of(place, "README.md", "two") == ["# By the plan\n", "untracked\n"]
    assert place.git("stash", "list") == ""


def contents_of(place: GitRepo, *names: str) -> list[str]:
    return [(place.path / name).read_text() for name in names]


def test_p12_the_way_to_do_it_instead_works(place: GitRepo) -> None:
    said = git(place.path, "stash").stderr.splitlines()
    aside = next(line for line in said if "git stash create" in line)
    back = next(line for line in said if "take them back" in line).partition(": ")[2]
    subprocess.run(["sh", "-c", aside], cwd=place.path, check=True, capture_output=True)
    assert place.git("status", "--porcelain") == ""
    subprocess.run(["sh", "-c", back], cwd=place.path, check=True, capture_output=True)
    assert contents_of(place, "README.md") == ["# By the plan\n"]


def test_p12_the_users_stash_is_theirs_in_the_main_checkout(guarded: GitRepo, place: GitRepo) -> None:
    guarded.write("README.md", "# By the user\n")
    guarded.git("stash", "push", "-q")
    place.git("checkout", "-q", "README.md")
    assert "not this plan's to clear" in git(place.path, "stash", "clear").stderr
    assert git(place.path, "gc", "-q").returncode == 0
    guarded.git("stash", "pop", "-q")
    assert contents_of(guarded, "README.md") == ["# By the user\n"]
    guarded.git("stash", "push", "-q")
    assert git(place.path, "stash", "pop").returncode == 0, "no hook can tell that from a pop of one's own"
    assert guarded.git("for-each-ref", "refs/stash") == ""


def test_p12_edits_that_git_itself_put_aside_are_never_refused_a_place(place: GitRepo) -> None:
    place.git("checkout", "-q", "README.md")
    place.git("checkout", "-q", "-b", "side", "HEAD~")
    place.commit("side", {"README.md": "# Side\n"})
    place.git("checkout", "-q", "-")
    place.write("README.md", "# Edited\n")
    done = git(place.path, "rebase", "-q", "--autostash", "side")
    assert "planctl" not in done.stderr
    assert "# Edited" in place.git("stash", "show", "-p", "stash@{0}"), "it did not apply, and is kept"


@pytest.mark.parametrize("gone", ["python", "package"])
def test_p12_when_planctl_is_gone_nobody_is_held_up(guarded: GitRepo, place: GitRepo, gone: str) -> None:
    hook = guarded.path / REFERENCES
    text = hook.read_text()
    broken = (
        text.replace(sys.executable, "/nowhere/python")
        if gone == "python"
        else text.replace("hookscripts.py", "lost.py")
    )
    assert broken != text
    hook.write_text(broken)
    assert git(guarded.path, "commit", "--allow-empty", "-qm", "x").returncode == 0
    assert git(place.path, "stash", "-q").returncode == 0


def test_p12_the_path_does_not_matter(guarded: GitRepo) -> None:
    bare = {"PATH": str(Path("/usr/bin")) + os.pathsep + "/bin"}
    assert WORDS in git(guarded.path, "commit", "--allow-empty", "-qm", "x", **bare).stderr


CHAINED = ("pre-commit", "reference-transaction")
STEPS = ("hooks.install", "hooks.keep", "file.replace", "hooks.put-back")
MOMENTS = [(step, moment) for step in STEPS for moment in ("before", "after")]
OFTEN = [
    ("hooks.keep", "after"),
    ("file.replace", "before"),
    *(m for m in MOMENTS if m[0] == "hooks.put-back"),
]


@pytest.mark.parametrize("name", CHAINED)
@pytest.mark.parametrize("kind", ["file", "link", "not executable"])
def test_p12_a_hook_of_the_users_runs_first_and_gets_its_place_back(
    repo: GitRepo, name: str, kind: str, tmp_path: Path
) -> None:
    said, folder = tmp_path / "said", repo.path / ".git" / "hooks"
    folder.mkdir(exist_ok=True)
    own = folder / name if kind != "link" else tmp_path / "elsewhere"
    own.write_bytes(b'#!/bin/sh\necho "$0" "$@" >> ' + os.fsencode(said) + b"\ncat >> " + os.fsencode(said))
    own.chmod(0o644 if kind == "not executable" else 0o750)
    if kind == "link":
        (folder / name).symlink_to(own)
    before, status = contents(folder), (folder / name).lstat()
    hooks(repo, "install")
    hooks(repo, "install")
    repo.git("checkout", "-q", "-b", "topic")
    repo.commit("x", {"a": "a\n"})
    assert said.exists() == (kind != "not executable")
    if name == "reference-transaction" and kind != "not executable":
        assert " prepared\n" in said.read_text()
        assert " committed\n" in said.read_text()
        assert f"{repo.head()} refs/heads/topic\n" in said.read_text()
    hooks(repo, "uninstall")
    now = (folder / name).lstat()
    assert contents(folder) == before
    assert (now.st_mode, now.st_mtime_ns, now.st_ino) == (status.st_mode, status.st_mtime_ns, status.st_ino)


@pytest.mark.parametrize("name", CHAINED)
def test_p12_what_a_hook_of_the_users_refuses_is_refused(repo: GitRepo, name: str) -> None:
    hook = repo.write(f".git/hooks/{name}", "#!/bin/sh\ncat >&2\necho mine says no >&2\nexit 3\n")
    hook.chmod(0o755)
    hooks(repo, "install")
    before = repo.head()
    done = git(repo.path, "commit", "--allow-empty", "-qm", "x", **ALLOWED)
    assert done.returncode != 0
    assert "mine says no" in done.stderr
    assert repo.head() == before


@pytest.mark.parametrize(("step", "moment"), mostly(MOMENTS, OFTEN))
def test_p12_killed_anywhere_the_users_hook_is_there_and_the_next_call_goes_on(
    repo: GitRepo, step: str, moment: str
) -> None:
    hook = repo.write(".git/hooks/pre-commit", "#!/bin/sh\necho mine >&2\n")
    hook.chmod(0o755)
    before = contents(hook.parent)
    last = "uninstall" if step == "hooks.put-back" else "install"
    if last == "uninstall":
        hooks(repo, "install")
    run("hooks", last, cwd=repo.path, env={"PLANCTL_KILL_AT": f"{step}:{moment}:1"})
    assert "mine" in git(repo.path, "commit", "--allow-empty", "-qm", "x", **ALLOWED).stderr
    hooks(repo, last)
    hooks(repo, "install")
    assert "mine" in git(repo.path, "commit", "--allow-empty", "-qm", "x", **ALLOWED).stderr
    hooks(repo, "uninstall")
    for draft in hook.parent.glob(".*.tmp"):
        draft.unlink()
    assert contents(hook.parent) == before


@pytest.mark.parametrize("place", ["link", "file"])
def test_p12_a_hooks_folder_that_is_none_is_left_alone(repo: GitRepo, tmp_path: Path, place: str) -> None:
    folder = repo.path / ".git/hooks"
    shutil.rmtree(folder, ignore_errors=True)
    (tmp_path / "shared").mkdir()
    folder.symlink_to(tmp_path / "shared") if place == "link" else folder.touch()
    said = hooks(repo, "install", code=1).err
    assert ("is where a link has git look for hooks" if place == "link" else "is no folder") in said
    assert not [*(tmp_path / "shared").iterdir()]


def test_p12_two_that_install_at_once_keep_the_users_hook(repo: GitRepo) -> None:
    hook = repo.write(".git/hooks/pre-commit", "#!/bin/sh\n: mine\n")
    hooks(repo, "install")
    _keep(hook)  # as the slower one does, which has looked before the other wrote
    assert hook.with_name("pre-commit.before-planctl").read_text() == "#!/bin/sh\n: mine\n"
    assert "planctl" in hook.read_text()
    hooks(repo, "uninstall")
    assert hook.read_text() == "#!/bin/sh\n: mine\n"


def test_p12_two_hooks_of_the_users_are_too_many(repo: GitRepo) -> None:
    hook = repo.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n")
    hooks(repo, "install")
    hook.unlink()
    hook.write_text("#!/bin/sh\nexit 1\n")
    assert "kept before" in hooks(repo, "install", code=1).err
    done = hooks(repo, "uninstall", "--json", code=1)
    assert done.data["left"] == [str(hook.with_name("pre-commit.before-planctl"))]
    assert hook.read_text() == "#!/bin/sh\nexit 1\n"
    assert states(repo)["pre-commit"] == "foreign"


def states(repo: GitRepo) -> dict[str, str]:
    rows = hooks(repo, "list", "--json").data["hooks"]
    return {Path(row["path"]).name: row["state"] for row in rows if row["what"] in ("git", "session")}


def test_p12_list_and_doctor_say_how_the_hooks_are(repo: GitRepo) -> None:
    assert set(states(repo).values()) == {"absent"}
    assert issues(repo) == {}
    hooks(repo, "install", "git")
    assert set(states(repo).values()) == {"installed"}
    assert issues(repo) == {}
    folder = repo.path / ".git/hooks"
    references = folder / "reference-transaction"
    references.chmod(0o644)
    repo.write("planctl.yaml", "target: trunk\n")
    assert issues(repo)["hook-outdated"] == [references]
    assert stat.S_IMODE(references.stat().st_mode) == 0o644
    fixed = run("doctor", "--fix", "--json", cwd=repo.path).data
    assert [i["fixed"] for i in fixed["issues"] if i["code"] == "hook-outdated"] == [True]
    assert "target=refs/heads/trunk\n" in references.read_text()
    references.write_text(references.read_text() + "# mine\n")
    assert issues(repo)["hook-altered"] == [references]
    assert "with changes of yours" in hooks(repo, "install", code=1).err
    references.unlink()
    assert issues(repo)["hook-missing"] == [references]


def test_p12_doctor_sees_hooks_that_are_not_called(repo: GitRepo) -> None:
    own = repo.write(".git/hooks/pre-commit", "#!/bin/sh\necho mine >&2\n")
    own.chmod(0o755)
    hooks(repo, "install")
    repo.git("config", "core.hooksPath", ".husky")
    assert issues(repo)["hook-bypassed"] == [repo.path / ".husky"]
    repo.git("config", "--unset", "core.hooksPath")
    own.unlink()
    kept = own.with_name("pre-commit.before-planctl")
    assert issues(repo)["hook-displaced"] == [kept]
    run("doctor", "--fix", cwd=repo.path)
    assert own.read_text() == "#!/bin/sh\necho mine >&2\n"
    assert not kept.exists()


def issues(repo: GitRepo) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for issue in run("doctor", "--json", cwd=repo.path).data["issues"]:
        if issue["code"].startswith("hook-"):
            found.setdefault(issue["code"], []).append(Path(issue["subject"]))
    return found


def test_p12_the_scripts_are_for_any_posix_shell(repo: GitRepo) -> None:
    hooks(repo, "install", "git", "claude")
    for script in (repo.path / ".git/hooks").iterdir():
        assert script.read_bytes().startswith(b"#!/bin/sh\n")
        for shell in ("dash", "bash", "busybox"):
            found = [path for path in ("/bin", "/usr/bin") if Path(path, shell).exists()]
            if found:
                command = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
                subprocess.run([*command, str(script)], check=True)
