from __future__ import annotations

import errno
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stress.test_full_disks import filled, small_disk
from tests.support.histories import Random, write_history
from tests.support.repo import GitRepo
from worktrees.commitgraph import MANY, ensure_commit_graph
from worktrees.errors import MissingObjectError, UnsupportedRepositoryError
from worktrees.git import Git
from worktrees.objects import Objects
from worktrees.repository import find
from worktrees.trees import PathChange, Status


@pytest.fixture
def objects(repo: GitRepo) -> Objects:
    return Objects(find(repo.path))


def git_diff(repo: GitRepo, old: str, new: str, *flags: str) -> set[tuple[str, ...]]:
    fields = repo.git("diff-tree", "-r", "-z", "--full-index", *flags, old, new).split("\0")
    found, at = set(), 0
    while at < len(fields) and fields[at].startswith(":"):
        *_, status = head = fields[at][1:].split(" ")
        paths = fields[at + 1 : at + (3 if status[0] in "RC" else 2)]
        found.add((*head[:4], status[0], *paths))
        at += 1 + len(paths)
    return found


def rows(changes: tuple[PathChange, ...]) -> set[tuple[str, ...]]:
    return {
        (
            f"{c.old_mode:06o}",
            f"{c.new_mode:06o}",
            c.old_object,
            c.new_object,
            str(c.status),
            *reversed(c.paths),
        )
        if c.status is not Status.RENAMED
        else (f"{c.old_mode:06o}", f"{c.new_mode:06o}", c.old_object, c.new_object, "R", *c.paths)
        for c in changes
    }


@pytest.mark.parametrize("seed", range(12))
def test_differences_are_gits(tmp_path: Path, seed: int) -> None:
    repo = GitRepo(tmp_path)
    repo.git("init", "-q", "--template=")
    write_history(repo, Random(seed))
    objects = Objects(find(tmp_path))
    ours, theirs = repo.head("ours"), repo.head("theirs")
    assert rows(objects.changes(ours, theirs)) == git_diff(repo, ours, theirs, "--no-renames")
    assert objects.changes(ours, ours) == ()
    listed = [p for p in repo.git("ls-tree", "-r", "-z", "--name-only", "ours").split("\0") if p]
    assert objects.paths(ours) == listed
    wanted = {p for p in listed if p.rpartition("/")[2] == "a"}
    assert {path for path, _ in objects.named(ours, "a")} == wanted
    for path in listed[:5]:
        mode, kind, object_ = repo.git("ls-tree", "ours", "--", f":(literal){path}").split("\t")[0].split()
        entry = objects.entry(ours, path)
        assert entry is not None
        assert (f"{entry.mode:06o}", entry.object) == (mode, object_)
        assert (objects.read_blob(ours, path) is None) == (kind == "commit")


def test_renames_are_found_where_asked_for(repo: GitRepo, objects: Objects) -> None:
    old = repo.head()
    repo.git("mv", "src", "lib")
    text = (repo.path / "lib/a.py").read_text()
    new = repo.commit("move", {"lib/a.py": text + "more\n", "README.md": "changed\n"})
    found = {c.path: (c.status, c.old_path) for c in objects.changes(old, new, renames=True)}
    assert found == {
        "README.md": (Status.MODIFIED, None),
        "lib/a.py": (Status.RENAMED, "src/a.py"),
        "lib/b.py": (Status.RENAMED, "src/b.py"),
    }
    assert {c.status for c in objects.changes(old, new)} == {"A", "D", "M"}


def test_trees_and_blobs_written_are_gits(repo: GitRepo, objects: Objects) -> None:
    blob = objects.write_blob(b"content\n")
    nested = {
        "a": {"x": (0o100644, blob)},
        "a.b": (0o100755, blob),
        "a0": (0o120000, blob),
        "n\udce9": (0o100644, blob),
    }
    tree = objects.write_tree(nested)
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    assert repo.git("cat-file", "blob", blob) == "content"
    listing = repo.git("ls-tree", "-r", "-z", tree)
    assert (
        repo.git("mktree", "-z", stdin=repo.git("ls-tree", "-z", tree).encode("utf-8", "surrogateescape"))
        == tree
    )
    assert len(listing.split("\0")) == 5
    assert objects.read_blob(tree, "n\udce9") == b"content\n"
    assert objects.read_blob(tree, "a") is None
    assert objects.read_blob(tree, "a/none/x") is None


def test_what_a_git_child_writes_meanwhile_is_seen(repo: GitRepo, objects: Objects) -> None:
    for n in range(5):
        commit = repo.commit(f"c{n}", {"f": f"{n}"})
        if n % 2:
            repo.git("repack", "-adq")
        assert objects.read_blob(commit, "f") == str(n).encode()
        assert objects.message(commit) == f"c{n}\n"


def test_authors_and_messages_in_other_encodings(repo: GitRepo, objects: Objects) -> None:
    env = ["-c", "i18n.commitEncoding=ISO-8859-1", "-c", "user.name=Ren\udce9"]
    commit = repo.git(*env, "commit-tree", "main^{tree}", "-p", "main", stdin="caf\u00e9\n".encode("latin-1"))
    assert objects.message(commit) == "café\n"
    assert objects.author(commit).name == "René"
    text = repo.git("cat-file", "commit", repo.head()).encode() + b" caf\xe9\n"
    raw = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text)
    assert objects.message(raw).endswith(" caf\udce9\n")
    name, email, time, offset = objects.author(repo.head())
    assert f"{name} <{email}> {time}" == repo.git("log", "-1", "--format=%an <%ae> %at")
    assert offset % 15 == 0


def random_graph(repo: GitRepo, seed: int, count: int) -> list[str]:
    """Commits with random parents and, worse, random clocks."""
    rng = random.Random(seed)
    stream = []
    for mark in range(1, count + 1):
        parents = rng.sample(range(max(1, mark - 6), mark), k=min(mark - 1, rng.choice((1, 1, 1, 2))))
        stream.append(f"commit refs/heads/m{mark}\nmark :{mark}\n")
        stream.append(f"committer A <a@e> {1_700_000_000 + rng.randrange(1000)} +0000\ndata 0\n")
        stream += [f"{'merge' if n else 'from'} :{p}\n" for n, p in enumerate(parents)]
        stream.append("\n")
    repo.git("fast-import", "--quiet", stdin="".join(stream))
    return [repo.head(f"m{mark}") for mark in range(1, count + 1)]


@pytest.mark.parametrize("seed", range(3))
def test_merge_bases_are_gits_even_under_skewed_clocks(repo: GitRepo, objects: Objects, seed: int) -> None:
    commits = random_graph(repo, seed, 25)
    rng = random.Random(seed)
    for _ in range(30):
        one, other = rng.choice(commits), rng.choice(commits)
        assert set(objects.merge_bases(one, other)) == set(
            repo.git("merge-base", "--all", one, other, ok=False).split()
        )
        contained = repo.git("rev-list", one).split()
        assert objects.is_ancestor(other, one) == (other in contained)
        assert set(objects.commits(one, other)) == set(repo.git("rev-list", one, f"^{other}").split())
        first = repo.git("rev-list", "--first-parent", "--reverse", one, f"^{other}").split()
        if other in contained:
            assert list(objects.first_parents(other, one)) == first


def test_a_far_merge_base_is_asked_of_git(repo: GitRepo, objects: Objects) -> None:
    start = repo.head()
    lines = "".join(
        f"commit refs/heads/far\ncommitter A <a@e> {1_700_000_000 + n} +0000\ndata 0\n"
        + (f"from {start}\n" if n == 0 else "")
        + "\n"
        for n in range(MANY + 5)
    )
    repo.git("fast-import", "--quiet", stdin=lines)
    far, near = repo.head("far"), repo.commit("near")
    assert objects.merge_bases(far, near) == (start,)
    assert objects.is_ancestor(start, far)
    assert not objects.is_ancestor(near, far)
    git = Git(objects.repository)
    assert ensure_commit_graph(git, objects, far)
    assert not ensure_commit_graph(git, objects, far)
    assert repo.git("commit-graph", "verify") == ""
    assert objects.merge_bases(far, near) == (start,)


def test_a_small_repository_gets_no_commit_graph(repo: GitRepo, objects: Objects) -> None:
    assert not ensure_commit_graph(Git(objects.repository), objects, repo.head())
    assert not (repo.path / ".git/objects/info/commit-graphs").exists()


def test_many_threads_read_at_once(repo: GitRepo, objects: Objects) -> None:
    commits = [repo.commit(f"c{n}", {"f": f"{n}"}) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda c: objects.read_blob(c, "f"), commits * 20)
        assert list(read) == [str(n).encode() for n in range(8)] * 20


def test_a_shallow_clone_ends_at_its_edge(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit("two", {"x": "2"})
    head = repo.commit("three", {"x": "3"})
    repo.git("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    objects = Objects(find(tmp_path / "shallow"))
    assert objects.merge_bases(head, head) == (head,)
    assert objects.commits(head) == (head,)
    assert objects.parents(head) == ()


def test_what_is_fetched_beyond_the_edge_is_part_of_history_from_then_on(
    repo: GitRepo, tmp_path: Path
) -> None:
    """Else work would be brought along without its first commits, by a worker that was there before."""
    fork = repo.head()
    side = repo.branch("side", {"s": "1"})
    repo.git("checkout", "-q", "side")
    tip = repo.commit("side two", {"s": "2"})
    repo.git("checkout", "-q", "main")
    main = repo.commit("main", {"m": "1"})
    repo.git("clone", "-q", "--depth=1", "--no-single-branch", f"file://{repo.path}", str(tmp_path / "c"))
    clone, objects = GitRepo(tmp_path / "c"), Objects(find(tmp_path / "c"))
    assert (objects.merge_bases(main, tip), objects.commits(tip, main)) == ((), (tip,))
    clone.git("fetch", "-q", "--deepen=1")
    assert (objects.merge_bases(main, tip), objects.commits(tip, main)) == ((), (side, tip))
    clone.git("fetch", "-q", "--unshallow")
    assert (objects.parents(side), objects.parents(main)) == ((fork,), (fork,))
    assert (objects.merge_bases(main, tip), objects.commits(tip, main)) == ((fork,), (side, tip))


def test_a_partial_clone_opens_and_fetches_what_it_lacks(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    old = repo.head()
    new = repo.commit("more", {"src/a.py": "changed\n"})
    clone = ("clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo.path}")
    repo.git(*clone, str(tmp_path / "partial"))
    objects = Objects(find(tmp_path / "partial"))
    assert [c.path for c in objects.changes(old, new)] == ["src/a.py"]
    assert objects.read_blob(new, "src/a.py") == b"changed\n"


@pytest.mark.parametrize("extension", ["objectformat=sha256", "refstorage=reftable", "other=1"])
def test_a_repository_of_another_kind_is_refused(repo: GitRepo, extension: str) -> None:
    repo.git("config", "core.repositoryformatversion", "1")
    key, value = extension.split("=")
    repo.write(".git/config", (repo.path / ".git/config").read_text() + f"[extensions]\n\t{key} = {value}\n")
    with pytest.raises(UnsupportedRepositoryError, match=str(repo.path)):
        Objects(find(repo.path))


@pytest.mark.parametrize("text", ["4" * 40, "main", "--all", "", "zz"])
def test_what_is_not_there_is_said_so(objects: Objects, text: str) -> None:
    with pytest.raises(MissingObjectError):
        objects.read(text)
    assert not objects.has_commit(text)


def test_a_durable_object_is_synced_with_its_folder(
    repo: GitRepo, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())), real(fd))[1]
    )
    blob = objects.write_blob(b"durable")
    folder = repo.path / ".git/objects" / blob[:2]
    assert sorted(synced) == [str(folder), str(folder / blob[2:])]


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_full_disk_is_told_by_its_number(template: Path, tmp_path: Path, size: int) -> None:
    """libgit2 tells it in words alone, or says "no error"; who meets it looks at the number."""
    with small_disk(tmp_path / "disk", mib=8) as disk:
        objects = Objects(find(GitRepo.copy_of(template, disk / "repo").path))
        with filled(disk, 0), pytest.raises(OSError, match="No space left") as caught:
            objects.write_blob(os.urandom(size))
        assert caught.value.errno == errno.ENOSPC
