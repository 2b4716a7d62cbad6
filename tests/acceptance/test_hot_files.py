"""Files that every plan touches: a changelog, a lock file, numbered migrations (P16)."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gates import Gates, assert_all_landed, store_of
from tests.support.plans import commit_plans, landings
from tests.support.process import Done, end_of, read_until, run, start
from tests.support.repo import GitRepo
from tests.support.slices import seldom

LOG = "# Changelog\n\n## Unreleased\n\n- the first line\n\n## 1.0\n\n- came into being\n"
ADD = "sed -i 's/^- the first line$/&\\n- {0}/' CHANGELOG.md"
NAMES = ("a", "b", "c")


def three(repo: GitRepo, gates: Gates, settings: str = "") -> None:
    repo.commit("log", {"CHANGELOG.md": LOG})
    plans: dict[str, dict[str, object]] = {
        name: {"files": {"write": ["CHANGELOG.md", name]}, "run": gates.command(name, ADD.format(name))}
        for name in NAMES
    }
    commit_plans(repo, plans, f"hot_files: {{CHANGELOG.md: union}}\n{settings}")


@pytest.mark.parametrize("method", ["merge", *seldom("squash", "rebase")])
def test_p16_a_changelog_that_all_add_to_makes_nobody_wait(repo: GitRepo, gates: Gates, method: str) -> None:
    three(repo, gates, f"method: {method}\n")
    said = run("overlap", cwd=repo.path)
    assert (said.code, "CHANGELOG.md: a hot file, written by 3 plans" in said.out) == (0, True), said.out
    process = start("run-multi", *NAMES, "-j", "3", cwd=repo.path)
    for name in NAMES:
        gates.await_at(name)  # all three at once
    gates.open(*NAMES)
    done = end_of(process)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, [*NAMES])
    lines = repo.show("main", "CHANGELOG.md").splitlines()
    assert sorted(lines) == sorted([*LOG.splitlines(), "- a", "- b", "- c"])
    assert [line for line in lines if line not in {"- a", "- b", "- c"}] == LOG.splitlines()


# -- lock files: made anew in the merged tree --------------------------------------------------------------

LOCKER = """\
import json, sys
wanted = json.load(open("package.json"))["dependencies"]
bad = [name for name in wanted if name.endswith("-bad")]
if bad or "--fail" in sys.argv:
    sys.exit(f"no such package: {bad}")
packages = {"": {"name": "app", "dependencies": wanted}}
packages |= {f"node_modules/{name}": {"version": version} for name, version in wanted.items()}
lock = {"name": "app", "lockfileVersion": 3, "requires": True, "packages": packages}
with open("package-lock.json", "w") as file:
    file.write(json.dumps(lock, indent=2) + "\\n")
"""
"""Writes package-lock.json as npm does, without a registry."""
RELOCK = f"{sys.executable} lock.py"
HOT_LOCK = f"hot_files: {{package-lock.json: {{regenerate: {json.dumps(RELOCK)}}}}}\n"
IS_LOCKED = f"cp package-lock.json was && {RELOCK} && cmp was package-lock.json"


def package(*names: str) -> str:
    """A package.json in which the dependencies are far enough apart to merge."""
    pad = {f"{letter}-pad{n}": "1.0.0" for letter in "adgjm" for n in range(4)}
    wanted = dict(sorted({**pad, **dict.fromkeys(names, "2.0.0")}.items()))
    return json.dumps({"name": "app", "dependencies": wanted}, indent=2) + "\n"


def adding(gates: Gates, name: str) -> dict[str, object]:
    """A plan that adds the dependency ``name`` and locks, at the same time as others."""
    code = (
        "import json; p = json.load(open('package.json')); d = p['dependencies']; "
        f"d[{name!r}] = '2.0.0'; p['dependencies'] = dict(sorted(d.items())); "
        "open('package.json', 'w').write(json.dumps(p, indent=2) + chr(10))"
    )
    command = f"{sys.executable} -c {shlex.quote(code)} && {{ {RELOCK} || echo x >> package-lock.json; }}"
    return {"files": {"write": ["package-lock.json", name]}, "run": gates.command(name, command)}


def with_lock(repo: GitRepo, plans: dict[str, dict[str, object]], settings: str = HOT_LOCK) -> None:
    repo.commit("app", {"package.json": package(), "lock.py": LOCKER, ".gitignore": "was\n"})
    subprocess.run([sys.executable, "lock.py"], cwd=repo.path, check=True)
    repo.commit("lock", {"package-lock.json": (repo.path / "package-lock.json").read_text()})
    commit_plans(repo, plans, settings)


def run_at_once(repo: GitRepo, gates: Gates, *names: str) -> Done:
    process = start("run-multi", *names, "-j", str(len(names)), cwd=repo.path)
    for name in names:
        gates.await_at(name)
    gates.open(*names)
    return end_of(process)


@pytest.mark.parametrize("method", ["merge", *seldom("squash", "rebase")])
def test_p16_a_lock_file_is_made_anew_for_what_is_merged_and_then_checked(
    repo: GitRepo, gates: Gates, method: str
) -> None:
    names = ("b-one", "f-two", "k-three")
    settings = f"{HOT_LOCK}method: {method}\ncheck: {json.dumps(IS_LOCKED)}\n"
    with_lock(repo, {name: adding(gates, name) for name in names}, settings)
    done = run_at_once(repo, gates, *names)
    assert done.code == 0, done.out + done.err
    assert_all_landed(repo, [*names])
    wanted = json.loads(repo.show("main", "package.json"))["dependencies"]
    packages = json.loads(repo.show("main", "package-lock.json"))["packages"]
    assert set(names) <= wanted.keys()
    assert {key.removeprefix("node_modules/") for key in packages if key} == wanted.keys()


def test_p16_work_for_which_the_command_fails_is_rejected_with_its_log(repo: GitRepo, gates: Gates) -> None:
    with_lock(repo, {name: adding(gates, name) for name in ("b-one", "h-bad")})
    process = start("run-multi", "--all", "-j", "2", "--json", cwd=repo.path)
    gates.await_at("b-one")
    gates.await_at("h-bad")
    gates.open("b-one")
    read_until(process, "plan.landed", "b-one")
    gates.open("h-bad")
    assert end_of(process).code == 1
    assert landings(repo) == ["b-one"]
    with store_of(repo) as store:
        (attempt,) = store.attempts(plan="h-bad")
        entry = store.entry(attempt.entry or "")
    assert entry is not None
    assert (entry.state, entry.reason["code"]) == ("rejected", "red")
    failed = f"`{RELOCK}` for hot files failed with exit 1; without the work it passes"
    assert entry.reason["detail"] == failed
    assert any("no such package" in line for line in entry.reason["tail"])


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (f"{RELOCK} --fail", "no-verdict", "fails on the target as well"),
        *seldom(
            (f"{RELOCK}; echo x >> package.json", "hot-file", "changed what is not its own: package.json"),
            ("rm package-lock.json", "hot-file", "left no regular file: package-lock.json"),
        ),
    ],
)
def test_p16_what_is_the_commands_own_fault_blames_nobody(
    repo: GitRepo, gates: Gates, command: str, code: str, says: str
) -> None:
    settings = f"hot_files: {{package-lock.json: {{regenerate: {json.dumps(command)}}}}}\n"
    with_lock(repo, {name: adding(gates, name) for name in ("b-one", "f-two")}, settings)
    run_at_once(repo, gates, "b-one", "f-two")
    assert len(landings(repo)) == 1
    with store_of(repo) as store:
        (left,) = [e for e in store.entries() if e.state != "landed"]
    assert (left.state, left.reason["code"]) == ("held", code)
    assert says in left.reason["detail"]


def test_p16_killed_while_the_command_runs_it_lands_once(repo: GitRepo, gates: Gates) -> None:
    relock = gates.command("relock", RELOCK)
    settings = f"hot_files: {{package-lock.json: {{regenerate: {json.dumps(relock)}}}}}\n"
    with_lock(repo, {name: adding(gates, name) for name in ("b-one", "f-two")}, settings)
    process = start("run-multi", "--all", "-j", "2", cwd=repo.path)
    gates.await_at("b-one")
    gates.await_at("f-two")
    gates.open("b-one", "f-two")
    gates.await_at("relock")
    process.kill()
    end_of(process)
    gates.pass_later("relock")
    assert run("resume", cwd=repo.path).code == 0
    assert_all_landed(repo, ["b-one", "f-two"])


# -- snippets ----------------------------------------------------------------------------------------------


def test_p16_a_changelog_is_put_together_from_snippets(repo: GitRepo, gates: Gates) -> None:
    repo.commit("log", {"CHANGES.md": "# Changes\n", "changes/000.md": "# Changes\n"})
    plans: dict[str, dict[str, object]] = {
        name: {
            "files": {"write": [f"changes/{name}.md"]},
            "run": gates.command(name, f"echo '- {name}' > changes/{name}.md"),
        }
        for name in NAMES
    }
    by_hand = {
        "files": {"write": ["CHANGES.md"]},
        "run": gates.command("hand", "echo '- hand' >> CHANGES.md"),
    }
    commit_plans(repo, {**plans, "hand": by_hand}, "hot_files: {CHANGES.md: {fragment: changes}}\n")
    done = run_at_once(repo, gates, *NAMES, "hand")
    assert done.code == 1
    assert sorted(landings(repo)) == [*NAMES]
    assert repo.show("main", "CHANGES.md") == "# Changes\n- a\n- b\n- c\n"
    with store_of(repo) as store:
        (left,) = [e for e in store.entries() if e.state != "landed"]
    assert (left.plan, left.state, left.reason["code"]) == ("hand", "held", "hot-file")
    assert "has text that no snippet in changes/ gives" in left.reason["detail"]


def test_p16_numbered_migrations_make_a_schema(repo: GitRepo, gates: Gates) -> None:
    repo.commit(
        "schema", {"migrations/0001_start.sql": "CREATE TABLE a;\n", "schema.sql": "CREATE TABLE a;\n"}
    )
    plans: dict[str, dict[str, object]] = {}
    for number, name in ((2, "b"), (10, "c")):
        file = f"migrations/{number}_{name}.sql"
        command = f"echo 'CREATE TABLE {name};' > {file} && cat migrations/* > schema.sql"
        plans[name] = {"files": {"write": [file, "schema.sql"]}, "run": gates.command(name, command)}
    commit_plans(repo, plans, "hot_files: {schema.sql: {fragment: migrations}}\n")
    done = run_at_once(repo, gates, "b", "c")
    assert done.code == 0, done.out + done.err
    assert repo.show("main", "schema.sql") == "CREATE TABLE a;\nCREATE TABLE b;\nCREATE TABLE c;\n"


def test_p16_forecasts_know_that_such_files_are_in_nobodys_way(repo: GitRepo, gates: Gates) -> None:
    with_lock(repo, {name: adding(gates, name) for name in ("b-one", "f-two")})
    process = start("run-multi", "b-one", "f-two", "-j", "2", cwd=repo.path)
    gates.await_at("b-one")
    gates.await_at("f-two")
    with store_of(repo) as store:
        for attempt in store.attempts():
            path = Path(attempt.worktree or "") / "package-lock.json"
            path.write_text(path.read_text().replace("2.0.0", attempt.plan).replace("1.0.0", attempt.plan))
    (pair,) = run("overlap", "--live", "--json", cwd=repo.path).data["pairs"]
    assert (pair["outcome"], pair["paths"]) == ("clean", [])
    gates.open("b-one", "f-two")
    assert end_of(process).code == 0
