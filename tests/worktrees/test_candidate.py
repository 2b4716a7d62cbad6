from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.repo import GitRepo
from worktrees.candidate import (
    AlreadyThere,
    Candidate,
    Method,
    Outcome,
    Reason,
    Unsuitable,
    Work,
    make_candidate,
)
from worktrees.changes import landing_scope, own_changes
from worktrees.errors import GitFailedError, IdentityMissingError, SigningFailedError
from worktrees.git import Git
from worktrees.identity import check_identity, trial_signature
from worktrees.merge import Conflicted
from worktrees.objects import Objects
from worktrees.repository import find
from worktrees.trailers import co_authors, with_trailers

TRAILERS = {"Plan-Id": "p", "Planctl-Key": "0123", "Planctl-Run": "r1"}


@dataclass(frozen=True)
class Bench:
    repo: GitRepo
    git: Git
    objects: Objects

    def make(self, method: str, branch: str, base: str | None = None, target: str = "main") -> Outcome:
        head, onto = self.repo.head(branch), self.repo.head(target)
        start = self.repo.head(base) if base else self.repo.git("merge-base", head, onto, ok=False)
        work = Work(head, start, explicit_base=base is not None)
        return make_candidate(
            self.git, self.objects, method, onto, work, "Land it\n\nWhy.", trailers=TRAILERS
        )

    def made(self, method: str, branch: str, base: str | None = None) -> Candidate:
        found = self.make(method, branch, base)
        assert isinstance(found, Candidate), found
        assert self.repo.head(f"{found.commit}^{{tree}}") == found.tree
        assert found.steps[-1] == found.commit
        assert self.repo.git("fsck", "--strict", "--no-dangling") == ""
        return found

    def log(self, revision: str, form: str) -> str:
        return self.repo.git("log", "-1", f"--format={form}", revision)


@pytest.fixture
def bench(repo: GitRepo) -> Bench:
    git = Git(find(repo.path))
    git.ensure_desk()
    return Bench(repo, git, Objects(git.repository))


def by(repo: GitRepo, name: str, message: str, files: dict[str, str | bytes]) -> str:
    for path, text in files.items():
        repo.write(path, text)
    repo.git("add", "-A")
    email = f"{name.lower()}@example.invalid"
    repo.git(
        "-c", f"user.name={name}", "-c", f"user.email={email}", "commit", "-q", "--allow-empty", "-m", message
    )
    return repo.head()


@pytest.fixture
def topic(bench: Bench) -> Bench:
    """Branch ``topic`` with two commits by Bo and Cy; ``main`` has moved on elsewhere."""
    repo = bench.repo
    repo.git("checkout", "-q", "-b", "topic")
    by(repo, "Bo", "first\n\nCo-authored-by: Di <di@example.invalid>", {"src/a.py": "bo\n"})
    by(repo, "Cy", "second", {"new": "cy\n"})
    repo.git("checkout", "-q", "main")
    repo.commit("elsewhere", {"docs/guide.md": "moved on\n"})
    return bench


def test_merge_is_always_a_commit_with_two_parents(topic: Bench) -> None:
    made = topic.made("merge", "topic")
    parents = topic.log(made.commit, "%P").split()
    assert parents == [topic.repo.head("main"), topic.repo.head("topic")]
    assert topic.log(made.commit, "%B").rstrip() == (
        "Land it\n\nWhy.\n\nPlan-Id: p\nPlanctl-Key: 0123\nPlanctl-Run: r1"
    )
    assert topic.log(made.commit, "%an %cn %ae") == "Ada Ada ada@example.invalid"
    assert made.steps == (made.commit,)


def test_merge_of_what_could_fast_forward_is_a_commit_too(bench: Bench) -> None:
    bench.repo.branch("topic", {"x": "1"})
    made = bench.made("merge", "topic")
    assert len(bench.log(made.commit, "%P").split()) == 2
    assert made.tree == bench.repo.head("topic^{tree}")


def test_squash_is_by_the_last_author_and_credits_the_others(topic: Bench) -> None:
    made = topic.made("squash", "topic")
    assert topic.log(made.commit, "%P") == topic.repo.head("main")
    assert topic.log(made.commit, "%an|%at|%cn") == "Cy|" + topic.log("topic", "%at") + "|Ada"
    assert (
        topic.log(made.commit, "%(trailers:key=Co-authored-by,valueonly)").split("\n")
        == [
            "Bo <bo@example.invalid>",
            "Di <di@example.invalid>",
            "",
        ][: len(topic.log(made.commit, "%(trailers:key=Co-authored-by,valueonly)").split("\n"))]
    )
    assert topic.log(made.commit, "%(trailers:key=Planctl-Key,valueonly)").strip() == "0123"


def test_rebase_keeps_authors_and_messages(topic: Bench) -> None:
    made = topic.made("rebase", "topic")
    assert len(made.steps) == 2
    assert topic.log(f"{made.commit}~2", "%H") == topic.repo.head("main")
    assert [topic.log(c, "%an|%cn|%s") for c in made.steps] == ["Bo|Ada|first", "Cy|Ada|second"]
    for step, old in zip(made.steps, ("topic~1", "topic"), strict=True):
        assert topic.log(step, "%at") == topic.log(old, "%at")
        assert topic.log(step, "%(trailers:key=Plan-Id,valueonly)").strip() == "p"
    topic.repo.git("checkout", "-q", "topic")
    topic.repo.git("rebase", "-q", "main")
    assert topic.repo.head("HEAD^{tree}") == made.tree


@pytest.mark.parametrize("method", Method)
def test_what_is_there_already_is_said_so(topic: Bench, method: str) -> None:
    topic.repo.git("merge", "-q", "--no-ff", "-m", "m", "topic")
    assert topic.make(method, "topic") == AlreadyThere()


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_the_same_changes_under_other_ids_are_there_already(topic: Bench, method: str) -> None:
    topic.repo.git("cherry-pick", "topic~1", "topic")
    assert topic.make(method, "topic") == AlreadyThere()


def test_a_commit_that_brings_nothing_any_more_is_left_out(topic: Bench) -> None:
    topic.repo.git("cherry-pick", "topic~1")
    assert [topic.log(c, "%s") for c in topic.made("rebase", "topic").steps] == ["second"]


def test_a_commit_that_was_empty_from_the_start_stays(topic: Bench) -> None:
    topic.repo.git("checkout", "-q", "topic")
    by(topic.repo, "Bo", "marker", {})
    topic.repo.git("checkout", "-q", "main")
    assert [topic.log(c, "%s") for c in topic.made("rebase", "topic").steps] == ["first", "second", "marker"]


@pytest.mark.parametrize("method", Method)
def test_a_conflict_has_its_stages(topic: Bench, method: str) -> None:
    topic.repo.commit("in the way", {"src/a.py": "ada\n"})
    found = topic.make(method, "topic")
    assert isinstance(found, Conflicted)
    assert found.paths == ("src/a.py",)
    assert found.commit == (topic.repo.head("topic~1") if method == "rebase" else None)


def test_a_branch_with_merges_is_not_rebased(topic: Bench) -> None:
    topic.repo.git("checkout", "-q", "topic")
    topic.repo.git("merge", "-q", "-m", "update", "main")
    topic.repo.commit("third", {"third": "3\n"})
    topic.repo.git("checkout", "-q", "main")
    assert topic.make("rebase", "topic") == Unsuitable(Reason.MERGE_COMMITS)
    assert topic.log(topic.made("squash", "topic").commit, "%an") == "Ada"
    topic.made("merge", "topic")


@pytest.mark.parametrize("method", Method)
def test_unrelated_histories_are_no_work(bench: Bench, method: str) -> None:
    other = bench.repo.git("commit-tree", "-m", "alone", "main^{tree}")
    assert bench.make(method, other) == Unsuitable(Reason.UNRELATED)


@pytest.mark.parametrize("method", Method)
def test_stacked_work_counts_only_what_is_its_own(topic: Bench, method: str) -> None:
    repo = topic.repo
    repo.git("checkout", "-q", "-b", "upper", "topic")
    by(repo, "Ed", "upper", {"upper": "ed\n"})
    repo.git("checkout", "-q", "main")
    repo.commit("topic, squashed and improved", {"src/a.py": "bo, better\n", "new": "cy, better\n"})
    assert isinstance(topic.make(method, "upper"), Conflicted)
    made = topic.made(method, "upper", base="topic")
    assert repo.git("diff", "--name-only", "main", made.commit) == "upper"
    if method != "merge":
        assert repo.git("log", "--format=%an", f"main..{made.commit}") == "Ed"


def test_a_base_that_the_branch_has_left_is_not_used(topic: Bench) -> None:
    topic.repo.branch("other", {"x": "1"}, start="main~1")
    assert topic.make("merge", "other", base="topic") == Unsuitable(Reason.BASE_LEFT)


@pytest.mark.parametrize("seed", range(6))
def test_random_linear_work_rebases_as_git_rebase_does(bench: Bench, seed: int) -> None:
    rng, repo = random.Random(seed), bench.repo
    repo.git("checkout", "-q", "-b", "topic")
    for side, count in (("topic", 4), ("main", 2)):
        repo.git("checkout", "-q", side)
        for n in range(count):
            name = rng.choice(["src/a.py", "src/b.py", f"{side}{n}"])
            old = (repo.path / name).read_text().splitlines() if (repo.path / name).exists() else ["x"] * 9
            at = rng.randrange(9) + (9 if side == "main" and len(old) > 18 else 0)
            old[at] = f"{side} {rng.randrange(99)}"
            repo.commit(f"{side} {n}", {name: "\n".join(old) + "\n"})
            if rng.random() < 0.3:
                repo.git("mv", name, f"{name}.{n}")
                repo.commit("moved")
    found = bench.make("rebase", "topic")
    repo.git("checkout", "-q", "topic")
    repo.git("rebase", "-q", "main", ok=False)
    if (repo.path / ".git/rebase-merge").exists():
        assert isinstance(found, Conflicted)
        assert found.commit == repo.head("REBASE_HEAD")
    else:
        assert isinstance(found, Candidate)
        assert found.tree == repo.head("HEAD^{tree}")


# -- who commits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ada", " .Ada, Jr. ", "Zoë (x)", "A<b>c", "O'Neil"])
def test_a_commit_is_the_one_that_commit_tree_makes(bench: Bench, name: str) -> None:
    bench.repo.git("config", "user.name", name)
    bench.repo.branch("topic", {"x": "1"})
    made = bench.made("squash", "topic")
    theirs = bench.repo.git(
        "commit-tree", "-p", "main", "-F", "-", made.tree, stdin=bench.log(made.commit, "%B")
    )
    assert bench.log(made.commit, "%cn|%ce|%T|%P|%B") == bench.log(theirs, "%cn|%ce|%T|%P|%B")
    mine, real = (bench.repo.git("cat-file", "commit", c).split("\n") for c in (made.commit, theirs))
    assert [line.split(" ")[0] for line in mine] == [line.split(" ")[0] for line in real]


def test_environment_and_settings_choose_the_identity(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.repo.branch("topic", {"x": "1"})
    bench.repo.git("config", "committer.name", "Chosen")
    assert bench.log(bench.made("merge", "topic").commit, "%an|%cn") == "Ada|Chosen"
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Env")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-02-03T04:05:06+0200")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Author")
    assert bench.log(bench.made("merge", "topic").commit, "%an|%cn|%ci") == (
        "Author|Env|2001-02-03 04:05:06 +0200"
    )


def test_a_setting_that_changes_meanwhile_is_seen(bench: Bench, hermetic: Path) -> None:
    bench.repo.branch("topic", {"x": "1"})
    assert bench.log(bench.made("merge", "topic").commit, "%cn") == "Ada"
    bench.repo.git("config", "user.name", "Renamed")
    assert bench.log(bench.made("merge", "topic").commit, "%cn") == "Renamed"
    (hermetic / "included").write_text("[user]\n\tname = Included\n")
    bench.repo.git("config", "include.path", str(hermetic / "included"))
    assert bench.log(bench.made("merge", "topic").commit, "%cn") == "Included"
    (hermetic / "included").write_text("[user]\n\tname = Included Anew\n")
    assert bench.log(bench.made("merge", "topic").commit, "%cn") == "Included Anew"


def test_no_identity_is_said_before_anything_runs(bench: Bench, hermetic: Path) -> None:
    check_identity(bench.git)
    bench.repo.branch("topic", {"x": "1"})
    (hermetic / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    bench.repo.git("config", "--remove-section", "user")
    with pytest.raises(IdentityMissingError):
        check_identity(bench.git)
    with pytest.raises(GitFailedError):
        bench.make("merge", "topic")


def test_a_message_in_utf_8_whatever_the_users_encoding(bench: Bench) -> None:
    bench.repo.git("config", "i18n.commitEncoding", "ISO-8859-1")
    bench.repo.git("checkout", "-q", "-b", "topic")
    bench.repo.write("x", "1")
    bench.repo.git("add", "x")
    bench.repo.git("commit", "-q", "-F", "-", stdin="caf\u00e9".encode("latin-1"))
    bench.repo.git("checkout", "-q", "main")
    made = bench.made("rebase", "topic")
    assert bench.objects.message(made.commit).startswith("café\n")
    assert "encoding" not in bench.repo.git("cat-file", "commit", made.commit)


@pytest.fixture
def signing(bench: Bench, hermetic: Path) -> Bench:
    """Commits are signed with a real ssh key."""
    key = hermetic / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (hermetic / "signers").write_text(f"ada@example.invalid {key.with_suffix('.pub').read_text()}")
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(hermetic / "signers")),
        ("commit.gpgSign", "true"),
    ):
        bench.repo.git("config", name, value)
    return bench


@pytest.mark.parametrize("method", Method)
def test_commits_are_signed_where_the_user_has_them_signed(signing: Bench, method: str) -> None:
    repo = signing.repo
    repo.git("checkout", "-q", "-b", "topic")
    repo.git(
        "-c", "commit.gpgSign=false", "-c", "user.name=Bo", "commit", "-q", "--allow-empty", "-m", "empty"
    )
    repo.write("x", "1")
    repo.git("add", "x")
    repo.git("-c", "commit.gpgSign=false", "-c", "user.name=Bo", "commit", "-q", "-m", "x")
    repo.git("checkout", "-q", "main")
    trial_signature(signing.git)
    made = signing.made(method, "topic")
    for step in made.steps:
        assert signing.log(step, "%G?") == "G"
        repo.git("verify-commit", step)
    assert signing.log(made.commit, "%an|%cn") == ("Ada|Ada" if method == "merge" else "Bo|Ada")


def test_a_signature_that_fails_is_said_before_anything_runs(signing: Bench, hermetic: Path) -> None:
    signing.repo.git("branch", "topic")
    (hermetic / "key").unlink()
    (hermetic / "key.pub").unlink()
    with pytest.raises(SigningFailedError):
        trial_signature(signing.git)
    other = signing.repo.git("commit-tree", "-p", "main", "-m", "x", signing.objects.write_tree({}))
    with pytest.raises(SigningFailedError):
        signing.make("merge", other)


def test_no_signature_is_tried_where_none_is_asked_for(bench: Bench) -> None:
    before = bench.repo.git("count-objects")
    trial_signature(bench.git)
    assert bench.repo.git("count-objects") == before


# -- trailers -----------------------------------------------------------------------------------------

LINES = (
    "Plain words here", "Key: value", "Signed-off-by: A <a@e>", "(cherry picked from commit 12ab)",
    " continued", "Other-Key:none", "Spaced : x", "not a key: x y", "", "", "Plan-Id: forged", "http://x",
    "---", "Key: value",
)  # fmt: skip


def tidy(message: str) -> str:
    """As git rewrites the trailers that it finds, and without blank lines too many; planctl keeps both."""
    text = re.sub(r"^([A-Za-z0-9-]+)[ \t]*:[ \t]*", r"\1: ", message.strip(), flags=re.MULTILINE)
    return re.sub(r"\n{2,}", "\n\n", text)


def test_trailers_are_added_as_git_interpret_trailers_does(repo: GitRepo) -> None:
    rng = random.Random(7)
    for _ in range(250):
        message = "Title\n" + "\n".join(rng.choices(LINES, k=rng.randrange(0, 9))) + "\n"
        mine = with_trailers(message, [("New-Key", "v"), ("Key", "value")])
        real = repo.git(
            *("interpret-trailers", "--no-divider", "--if-exists=addIfDifferent"),
            *("--trailer", "New-Key: v", "--trailer", "Key: value"),
            stdin=message,
        )
        assert tidy(mine) == tidy(real), message


def test_nobody_speaks_in_planctls_name() -> None:
    message = "Title\n\nBody\n\nplan-id: forged\nPlanctl-Key: f\n continued\nReviewed-by: B\n"
    assert with_trailers(message, [("Plan-Id", "p\nEvil: x")], replacing=["Plan-Id", "Planctl-Key"]) == (
        "Title\n\nBody\n\nReviewed-by: B\nPlan-Id: p Evil: x\n"
    )


def test_co_authors_are_read_from_the_trailers_alone() -> None:
    assert co_authors("T\n\nCo-authored-by: X <x@e>\n\nEnd.") == []
    assert co_authors("T\n\nco-authored-by: X <x@e>\nKey: v\n") == ["X <x@e>"]


# -- scope (S3) ---------------------------------------------------------------------------------------


def scope(bench: Bench, made: Candidate, branch: str) -> tuple[str, ...]:
    old = bench.repo.head("main")
    work = Work(bench.repo.head(branch), bench.repo.git("merge-base", "main", branch))
    return landing_scope(bench.objects, old, made.commit, work).outside


@pytest.mark.parametrize("method", Method)
def test_s3_a_landing_stays_within_the_work(topic: Bench, method: str) -> None:
    work = Work(topic.repo.head("topic"), topic.repo.git("merge-base", "main", "topic"))
    assert own_changes(topic.objects, work) == ("new", "src/a.py")
    assert scope(topic, topic.made(method, "topic"), "topic") == ()


def test_s3_a_landing_on_a_wrong_base_is_seen(topic: Bench) -> None:
    undone = topic.repo.git("commit-tree", "-p", "main", "-p", "topic", "-m", "wrong", "topic^{tree}")
    made = Candidate(undone, topic.repo.head("topic^{tree}"), (undone,))
    assert scope(topic, made, "topic") == ("docs/guide.md",)


def test_s3_work_follows_files_and_folders_that_the_target_renamed(topic: Bench) -> None:
    topic.repo.branch("adds", {"src/added.py": "x\n"}, start="main")
    topic.repo.git("mv", "src", "lib")
    topic.repo.commit("rename src")
    topic.repo.git("config", "merge.directoryRenames", "true")
    made = topic.made("merge", "topic")
    assert "lib/a.py" in topic.repo.git("diff", "--name-only", "main", made.commit)
    assert scope(topic, made, "topic") == ()
    made = topic.made("merge", "adds")
    assert topic.repo.git("diff", "--name-only", "main", made.commit) == "lib/added.py"
    assert scope(topic, made, "adds") == ()


def test_s3_what_others_put_into_a_folder_that_the_work_renamed_may_move_along(topic: Bench) -> None:
    topic.repo.git("checkout", "-q", "-b", "renames", "main~1")
    topic.repo.git("mv", "src", "lib")
    topic.repo.commit("rename src")
    topic.repo.git("checkout", "-q", "main")
    topic.repo.commit("others", {"src/others.py": "theirs = 1\n"})
    topic.repo.git("config", "merge.directoryRenames", "true")
    made = topic.made("merge", "renames")
    assert topic.repo.show(made.commit, "lib/others.py") == "theirs = 1\n"
    assert scope(topic, made, "renames") == ()


def test_s3_what_moved_along_must_be_as_it_was(topic: Bench) -> None:
    topic.repo.git("checkout", "-q", "-b", "renames", "main~1")
    topic.repo.git("mv", "src", "lib")
    topic.repo.commit("rename src")
    topic.repo.git("checkout", "-q", "main")
    topic.repo.commit("others", {"src/others.py": "theirs = 1\n"})
    topic.repo.git("checkout", "-q", "-b", "wrong", "renames")
    topic.repo.git("merge", "-q", "-s", "ours", "main")
    commit = topic.repo.commit("wrong", {"lib/others.py": "theirs = 2\n"})
    topic.repo.git("checkout", "-q", "main")
    wrong = Candidate(commit, topic.repo.head(f"{commit}^{{tree}}"), (commit,))
    assert {"lib/others.py", "src/others.py"} <= {*scope(topic, wrong, "renames")}


def test_s3_the_second_engine_gives_the_same_tree_or_none(topic: Bench) -> None:
    old, head = topic.repo.head("main"), topic.repo.head("topic")
    base = topic.repo.git("merge-base", old, head)
    tree = topic.made("merge", "topic").tree
    assert topic.objects.merged_by_libgit2(base, old, head) == tree
    assert topic.objects.merged_by_libgit2(None, old, head) == tree
    topic.repo.commit("clash", {"new": "not theirs\n"})
    assert topic.objects.merged_by_libgit2(None, topic.repo.head("main"), head) is None


@pytest.mark.parametrize("method", Method)
def test_s14_making_a_candidate_touches_no_reference(topic: Bench, method: str) -> None:
    before = topic.repo.git("for-each-ref"), topic.repo.git("status", "--porcelain=v2")
    topic.made(method, "topic")
    assert (topic.repo.git("for-each-ref"), topic.repo.git("status", "--porcelain=v2")) == before
