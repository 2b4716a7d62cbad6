"""The examples, for real: the demo with its own expectations, agents with a stand-in, every plan linted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.cli import planctl
from tests.support.repo import GitRepo

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PROJECTS = sorted(path.parent for path in EXAMPLES.rglob("planctl.yaml"))
WORKFLOWS = sorted((EXAMPLES / "ci").glob("*.yml"))
posix = pytest.mark.skipif(os.name == "nt", reason="the commands of the example plans are POSIX shell")

AGENT = """\
#!{python}
import json, os, sys
name = "done-" + os.environ["PLANCTL_PLAN"] + ".json"
with open(os.path.join(os.environ["PLANCTL_WORKTREE"], name), "a") as out:
    json.dump({{"argv": sys.argv[1:], "stdin": sys.stdin.read(), "cwd": os.getcwd()}}, out)
    out.write("\\n")
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH with ``planctl`` in it, as an installation would have put it there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = f'#!/bin/sh\nexec {sys.executable} -m orchestrator.cli "$@"\n'
    executable(folder / "planctl", script)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    return folder


def executable(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def project(example: Path, path: Path) -> GitRepo:
    """A repository with a copy of an example as its first commit."""
    shutil.copytree(example, path, ignore=shutil.ignore_patterns("__pycache__"))
    repo = GitRepo(path)
    repo.git("init", "-q", "-b", "main")
    repo.commit("the example")
    return repo


def demo(*, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(EXAMPLES / "demo/run_demo.py")]
    return subprocess.run(
        argv, cwd=cwd, env=env, capture_output=True, text=True, encoding="utf-8", check=False
    )


@posix
def test_the_demo_holds_what_it_says_and_needs_no_home_and_no_identity(tmp_path: Path, program: Path) -> None:
    temporary, state = tmp_path / "temporary", tmp_path / "state"  # ports are noted in the state folder
    temporary.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(temporary),
        "XDG_STATE_HOME": str(state),
    }
    done = demo(cwd=program, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("landed", "rejected", "conflicted", "conflicts in README.md", "What happened, and why"):
        assert said in done.stdout
    assert list(temporary.iterdir()) == [], "nothing is left behind"


@posix
@pytest.mark.usefixtures("program")
def test_the_demo_fails_when_planctl_does_not_do_its_part(tmp_path: Path) -> None:
    """Its expectations are worth something: a planctl that says yes to everything is found out."""
    lying = tmp_path / "lying"
    lying.mkdir()
    executable(lying / "planctl", "#!/bin/sh\necho '{\"plans\": []}'\n")
    path = os.pathsep.join([str(lying), os.environ["PATH"]])
    done = demo(cwd=tmp_path, env={**os.environ, "PATH": path})
    assert done.returncode == 1
    assert "slogan is unknown, not conflicted" in done.stderr


@pytest.mark.parametrize("example", PROJECTS, ids=lambda p: p.relative_to(EXAMPLES).as_posix())
def test_plans_of_an_example_have_no_errors(example: Path, tmp_path: Path) -> None:
    repo = project(example, tmp_path / "repo")
    said = planctl("lint", "--json", repo=repo.path)
    assert said.code == 0, said
    assert all(plan["ok"] for plan in said.data["plans"])
    assert len(said.data["plans"]) >= 3
    assert planctl("graph", repo=repo.path).code == 0


@posix
def test_a_prompt_arrives_as_one_word_and_no_shell_reads_it(tmp_path: Path, program: Path) -> None:
    """With the agents of the example, each replaced by a script that writes down how it was called."""
    repo = project(EXAMPLES / "agents", tmp_path / "repo")
    settings = yaml.safe_load((repo.path / "planctl.yaml").read_text(encoding="utf-8"))
    for agent in settings["agents"]:
        executable(program / agent, AGENT.format(python=sys.executable))
    prompt = (
        "say \"hi\" to $(touch hacked); `touch hacked` && touch hacked {plan}\n'second line' --not-an-option"
    )
    for plan in (repo.path / "plans").iterdir():
        plan.unlink()
    for agent in settings["agents"]:
        run = json.dumps({"agent": agent, "prompt": prompt})
        repo.write(f"plans/{agent}.md", f"---\nplan: {agent}\nrun: {run}\n---\n")
    repo.commit("plans for every agent")

    said = planctl("run-multi", "--all", "--no-land", repo=repo.path)
    assert said.code == 0, said
    for agent, template in settings["agents"].items():
        calls = repo.show(f"plan/{agent}", f"done-{agent}.json").splitlines()
        called = json.loads(calls[0])
        assert called["argv"] == [prompt if w == "{prompt}" else w for w in template.split()[1:]]
        assert called["argv"].count(prompt) == 1
        assert called["stdin"] == ""
        assert "hacked" not in repo.git("ls-tree", "-r", "--name-only", f"plan/{agent}").splitlines()


@posix
def test_phases_of_an_example_run_their_agents_in_order(tmp_path: Path, program: Path) -> None:
    repo = project(EXAMPLES / "agents", tmp_path / "repo")
    repo.write("Makefile", "test:\n\t@true\n")
    repo.commit("a check that passes")
    for agent in ("claude", "codex", "gemini"):
        executable(program / agent, AGENT.format(python=sys.executable))
    said = planctl("run-multi", "--all", repo=repo.path)
    assert said.code == 0, said
    prompts = [json.loads(line)["argv"] for line in repo.show("main", "done-sign-in.json").splitlines()]
    assert [any("phase 1" in w for w in prompts[0]), any("phase 2" in w for w in prompts[1])] == [True, True]
    guide = json.loads(repo.show("main", "done-guide.json"))["argv"]
    assert any(
        word.startswith("Carry out the plan in ") and word.endswith("plans/guide.md.") for word in guide
    )


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> GitRepo:
    """A bare repository as a forge would have it: main with a check, three branches of which two are good."""
    repo.commit("a check", {"planctl.yaml": 'check: "! grep -rq BROKEN src"\nrequire_check: true\n'})
    repo.branch("plan/one", {"src/one.py": "one = 1\n"})
    repo.branch("plan/red", {"src/red.py": "BROKEN\n"})
    repo.branch("plan/two", {"src/b.py": "two = 2\n"})
    bare = tmp_path / "forge.git"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))
    return GitRepo(bare)


def command_of(workflow: Path) -> str:
    """The line of a workflow that lands."""
    found = re.findall(
        r"^ *- (?:run: )?(planctl merge .*)$", workflow.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(found) == 1
    return str(found[0])


def job(folder: Path, remote: GitRepo, workflow: Path = WORKFLOWS[0]) -> subprocess.Popen[str]:
    """What a workflow does: a checkout as CI makes it, and its command."""
    remote.git("clone", "-q", str(remote.path), str(folder))
    GitRepo(folder).git("checkout", "-q", "--detach", "origin/main")
    argv = ["sh", "-c", command_of(workflow)]
    return subprocess.Popen(
        argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


@posix
@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda p: p.name)
def test_ci_lands_what_is_good_and_pushes_it(remote: GitRepo, tmp_path: Path, workflow: Path) -> None:
    before = remote.head("main")
    first = job(tmp_path / "job-1", remote, workflow)
    out, err = first.communicate(timeout=90)
    assert first.returncode == 1, out + err
    files = remote.git("ls-tree", "-r", "--name-only", "main").splitlines()
    assert "src/one.py" in files
    assert "src/red.py" not in files
    assert remote.show("main", "src/b.py") == "two = 2\n"
    assert remote.git("merge-base", "main", before) == before
    assert (tmp_path / "job-1" / "planctl.xml").exists()

    landed = remote.head("main")
    remote.git("update-ref", "-d", "refs/heads/plan/red")
    second = job(tmp_path / "job-2", remote, workflow)
    out, err = second.communicate(timeout=90)
    assert (second.returncode, out) == (0, ""), err
    assert "0 of 0 landed" in err
    assert remote.head("main") == landed


@posix
@pytest.mark.usefixtures("program")
def test_p22_ci_jobs_at_once_land_everything_once(remote: GitRepo, tmp_path: Path) -> None:
    """Each in a clone of its own, at the same time, with nothing shared but the remote."""
    remote.git("update-ref", "-d", "refs/heads/plan/red")
    jobs = [job(tmp_path / f"job-{n}", remote) for n in range(3)]
    said = [each.communicate(timeout=100) for each in jobs]
    assert [each.returncode for each in jobs] == [0, 0, 0], said
    keys = remote.git("log", "--format=%(trailers:key=Planctl-Key,valueonly,separator=)", "main").split()
    assert len(keys) == len(set(keys)) == 2
    assert {"src/one.py", "src/b.py"} <= set(remote.git("ls-tree", "-r", "--name-only", "main").split())


@pytest.mark.parametrize(
    "workflow", [*WORKFLOWS, *(ROOT / ".github/workflows").glob("*.yml")], ids=lambda p: p.name
)
def test_workflows_are_yaml_without_secrets_and_call_what_exists(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    assert isinstance(yaml.safe_load(text), dict)
    assert "secrets." not in text
    assert "planctl merge --remote origin" in text or "make " in text
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"run: make ([a-z]+)", text)) <= targets
