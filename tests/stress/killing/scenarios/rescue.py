"""A worktree with uncommitted work and commits is removed, and the work brought back into another one."""

from __future__ import annotations

from pathlib import Path

from tests.stress.killing.scenario import Scenario, World
from tests.support.plans import commit_plans
from tests.support.process import run
from tests.support.repo import GitRepo
from worktrees.repository import find
from worktrees.restorejournal import journals

MAKE = (
    "echo mine > mine.txt; git add mine.txt; git commit -qm mine; echo staged > staged.txt; "
    "git add staged.txt; echo more >> staged.txt; echo edit > src/a.py; mkdir -p deep; "
    "echo new > deep/new.txt; rm src/b.py; exit 1"
)
HELD = {"staged.txt": "staged\nmore\n", "src/a.py": "edit\n", "deep/new.txt": "new\n", "mine.txt": "mine\n"}
STATUS = [" M src/a.py", " D src/b.py", "AM staged.txt", "?? deep/"]


class Rescue(Scenario):
    name = "rescue"
    commands = (
        ("worktree", "remove", "p"),
        ("rescue", "restore", "p", "--into", "../back", "--detach"),
    )

    def build(self, repo: GitRepo) -> dict[str, str]:
        commit_plans(repo, {"p": {"files": {"write": ["**"]}, "run": MAKE}})
        assert run("run-multi", "p", cwd=repo.path).code == 1
        repo.git("worktree", "add", "-q", "--detach", "../back", "main~1")
        return {"mine": repo.head("plan/p")}

    def go_on(self, world: World) -> None:
        repo = world.repo
        world.remove_named_locks()  # in a worktree of the user's own, in which the restore was killed
        if _slot(repo) is not None or not _rescues(repo):
            world.planctl("worktree", "remove", "p")
        _require_kept(repo)
        back = repo.path.with_name("back")
        if not _is_whole(repo, back) or _is_cut_short(repo):
            world.planctl("rescue", "restore", "p", "--into", "../back", "--detach")

    def require(self, world: World) -> None:
        repo, back = world.repo, world.repo.path.with_name("back")
        _require_kept(repo)
        assert _is_whole(repo, back)
        assert repo.git("show", ":staged.txt", at=back) == "staged"
        assert repo.git("merge-base", "--is-ancestor", world.facts["mine"], "HEAD", at=back) == ""
        assert _slot(repo) is None
        repo.git("fsck", "--strict", "--no-dangling")


def _slot(repo: GitRepo) -> Path | None:
    path = repo.path.with_name(f"{repo.path.name}.worktrees") / "slot-01"
    return path if path.exists() else None


def _is_cut_short(repo: GitRepo) -> bool:
    """All may have been brought back by then; what was not ended is taken back all the same."""
    return any(journal is not None for journal in journals(find(repo.path)).values())


def _rescues(repo: GitRepo) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)", "refs/planctl/rescue").split()


def _require_kept(repo: GitRepo) -> None:
    """The work is whole in a snapshot."""
    names = _rescues(repo)
    assert names, "there is no snapshot"
    for path, text in HELD.items():
        assert any(repo.git("show", f"{n}:{path}", ok=False) + "\n" == text for n in names), f"{path} is lost"


def _is_whole(repo: GitRepo, back: Path) -> bool:
    """Files and index are as they were in the worktree that was removed."""
    files = all((back / p).is_file() and (back / p).read_text() == text for p, text in HELD.items())
    return files and repo.git("status", "--porcelain", at=back).splitlines() == STATUS
