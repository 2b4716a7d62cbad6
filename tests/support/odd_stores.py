"""Odd object stores and references: clones that lack something, grafts, alternates, names that clash."""

from __future__ import annotations

import shutil
from typing import Final

from tests.support.oddities import Odd, cloned
from tests.support.repo import GitRepo


def then(*steps: Odd) -> Odd:
    def make(repo: GitRepo) -> GitRepo:
        for step in steps:
            repo = step(repo)
        return repo

    return make


def origin_gone(repo: GitRepo) -> GitRepo:
    shutil.move(repo.path.with_name("repo"), repo.path.with_name("unplugged"))
    return repo


def history(repo: GitRepo) -> GitRepo:
    for n in range(5):
        repo.commit(f"older {n}", {"docs/guide.md": f"{n}\n", f"old/{n}": f"{n}\n"})
    return repo


def replaced(repo: GitRepo) -> GitRepo:
    """The tip is shown as another commit with another tree."""
    tree = repo.git("rev-parse", "HEAD~1^{tree}")
    other = repo.git("commit-tree", "-p", "HEAD~1", "-m", "instead", tree)
    repo.git("replace", "HEAD~1", other)
    blob = repo.git("hash-object", "-w", "--stdin", stdin="not me\n")
    repo.git("replace", "HEAD:docs/guide.md", blob)
    return repo


def grafted(repo: GitRepo) -> GitRepo:
    repo.write(".git/info/grafts", repo.head("HEAD~2") + "\n")
    return repo


def alternates(repo: GitRepo) -> GitRepo:
    repo.git("clone", "-q", "--shared", ".", "../shared")
    return GitRepo(repo.path.with_name("shared"))


def packed_only(repo: GitRepo) -> GitRepo:
    repo.git("gc", "-q")
    assert not (repo.path / ".git/refs/heads/main").exists()
    return repo


def target(branch: str) -> Odd:
    def make(repo: GitRepo) -> GitRepo:
        repo.commit("settings", {"planctl.yaml": f'target: "{branch}"\n'})
        repo.git("branch", "-m", "main", branch)
        repo.git("symbolic-ref", "refs/heads/main", f"refs/heads/{branch}")
        return repo

    return make


def symbolic_target(repo: GitRepo) -> GitRepo:
    repo.git("branch", "-m", "main", "trunk")
    repo.git("symbolic-ref", "refs/heads/main", "refs/heads/trunk")
    return repo


def symbolic_target_on_main(repo: GitRepo) -> GitRepo:
    symbolic_target(repo)
    repo.git("symbolic-ref", "HEAD", "refs/heads/main")
    return repo


def broken_references(repo: GitRepo) -> GitRepo:
    """References that are empty, of no object, lead nowhere; tags with the names of branches."""
    repo.write(".git/refs/heads/empty", "")
    repo.write(".git/refs/tags/zeros", "0" * 40 + "\n")
    repo.write(".git/refs/heads/absent", "1" * 40 + "\n")
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone")
    repo.git("tag", "main", "HEAD~1")
    repo.git("tag", "plan/a", "HEAD~1")
    return repo


def branch_called_plan(repo: GitRepo) -> GitRepo:
    repo.git("branch", "plan")
    return repo


def branch_below(repo: GitRepo) -> GitRepo:
    repo.git("branch", "plan/a/b")
    return repo


def many_references(count: int) -> Odd:
    def make(repo: GitRepo) -> GitRepo:
        head = repo.head()
        lines = "".join(f"create refs/heads/many/b{n:05d} {head}\n" for n in range(count // 2))
        lines += "".join(f"create refs/tags/t{n:05d} {head}\n" for n in range(count // 4))
        repo.git("update-ref", "--stdin", stdin=lines)
        repo.git("pack-refs", "--all")
        lines = "".join(f"create refs/loose/l{n:05d} {head}\n" for n in range(count // 4))
        repo.git("update-ref", "--stdin", stdin=lines)
        return repo

    return make


def many_files(count: int) -> Odd:
    def make(repo: GitRepo) -> GitRepo:
        for n in range(count):
            repo.write(f"many/{n // 500:03d}/f{n:06d}.txt", f"{n}\n")
        repo.commit("many")
        return repo

    return make


def without_cone(repo: GitRepo) -> GitRepo:
    repo.git("sparse-checkout", "set", "--no-cone", "/docs/*", "!/src/")
    assert not (repo.path / "src").exists()
    return repo


def sparse_index(repo: GitRepo) -> GitRepo:
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "docs")
    assert "040000" in repo.git("ls-files", "--sparse", "-s")
    return repo


def reftable(repo: GitRepo) -> GitRepo:
    repo.git("config", "core.repositoryFormatVersion", "1")
    repo.git("config", "extensions.refStorage", "reftable")
    return repo


def alternates_gone(repo: GitRepo) -> GitRepo:
    return origin_gone_of(alternates(repo), repo)


def origin_gone_of(place: GitRepo, origin: GitRepo) -> GitRepo:
    shutil.move(origin.path, origin.path.with_name("unplugged"))
    return place


STORES: Final[dict[str, Odd]] = {
    "treeless": then(history, cloned("--filter=tree:0")),
    "partial-origin-gone": then(history, cloned("--filter=tree:0"), origin_gone),
    "shallow-2": then(history, cloned("--depth=2", "--no-single-branch")),
    "alternates": alternates,
    "replaced": then(history, replaced),
    "grafted": then(history, grafted),
    "broken-references": then(history, broken_references),
    "packed-only": packed_only,
    "sparse-no-cone": without_cone,
    "sparse-index": sparse_index,
    "symbolic-target": symbolic_target,
    "symbolic-target-checked-out": symbolic_target_on_main,
    "target-release": target("release/1.0"),
    "target-unicode": target("zweig/\u00fc\u2603"),
    "many-references": many_references(10_000),
    "many-files": many_files(100_000),
}
"""In the order in which several are made of one repository."""
TOGETHER: Final = (
    ("alternates", "replaced", "grafted", "broken-references"),
    ("packed-only", "symbolic-target-checked-out", "sparse-index"),
    ("partial-origin-gone",),
)
REFUSED: Final[dict[str, tuple[Odd, str]]] = {
    "reftable": (reftable, "unsupported extension name extensions.refstorage"),
    "alternates-gone": (alternates_gone, "unable to normalize alternate object path"),
    "promised-and-gone": (
        then(history, cloned("--filter=blob:none", "--no-checkout"), origin_gone),
        "was left out of this partial clone, and its remote does not give it",
    ),
    "branch-called-plan": (branch_called_plan, "branch plan/a cannot be made beside the branch plan"),
    "branch-below": (branch_below, "branch plan/a cannot be made beside the branch plan/a/b"),
}
