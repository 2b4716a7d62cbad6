"""Two branches land in a target that is checked out, beside the user's edits; paths change their kind."""

from __future__ import annotations

from tests.stress.killing.scenario import Scenario, World
from tests.support.invariants import require_invariants
from tests.support.queues import configure, landed_once
from tests.support.repo import GitRepo
from worktrees.followlock import read_mark


class Landing(Scenario):
    name = "landing"
    commands = (("merge", "one", "two"),)

    def build(self, repo: GitRepo) -> dict[str, str]:
        configure(repo, check="test -e README.md", check_jobs=2)
        for name in ("gone", "made"):
            (repo.path / name).mkdir()
            repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{name}")
        start = repo.commit("kinds", {"folder/x": "x\n", "file": "f\n"})
        repo.git("checkout", "-q", "-b", "one")
        repo.git("rm", "-rq", "folder", "file")
        repo.git("rm", "-q", "--cached", "gone", "made")
        for name in ("gone", "made"):
            (repo.path / name).rmdir()
        files = {"folder": "no folder any more\n", "file/y": "y\n", "made": "no submodule any more\n"}
        repo.commit("work on one", {"src/a.py": "one\n", "new/one.txt": "1\n", **files})
        repo.git("checkout", "-q", "main")
        repo.branch("two", {"src/b.py": "two\n"})
        repo.write("README.md", "stashed\n")
        repo.git("stash")
        repo.write("docs/guide.md", "the user's edit\n")
        repo.write("notes.txt", "the user's notes\n")
        return {"start": start, "stash": repo.git("stash", "list", "--format=%H")}

    def go_on(self, world: World) -> None:
        world.remove_named_locks()
        again = world.planctl("merge", "one", "two", "--json")
        for entry in again.data["entries"]:
            landed_once(world.repo, entry["id"])

    def require(self, world: World) -> None:
        repo = world.repo
        assert len(repo.git("for-each-ref", "refs/planctl/landed").splitlines()) == 2
        assert repo.show("main", "src/a.py") == "one\n"
        assert repo.show("main", "src/b.py") == "two\n"
        assert repo.git("status", "--porcelain") == " M docs/guide.md\n?? notes.txt"
        assert (repo.path / "docs/guide.md").read_text() == "the user's edit\n"
        assert (repo.path / "notes.txt").read_text() == "the user's notes\n"
        assert (repo.path / "new/one.txt").read_text() == "1\n"
        assert (repo.path / "made").read_text() == "no submodule any more\n"
        assert not (repo.path / "gone").exists()
        assert repo.git("stash", "list", "--format=%H") == world.facts["stash"]
        assert read_mark(repo.path / ".git") is None
        require_invariants(repo, world.facts["start"])
        repo.git("commit", "-qam", "the user's next commit")
        assert repo.git("diff", "--name-only", "main~1", "main") == "docs/guide.md"
