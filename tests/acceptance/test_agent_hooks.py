"""S3.8: hooks of coding agents. Their files keep their bytes, and an agent never fails or waits by them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.agents.known import AGENTS, Agent
from orchestrator.cli.main import COMMANDS
from tests.support.faces import contents
from tests.support.process import COMMAND, Done, run
from tests.support.repo import GitRepo
from tests.support.slices import mostly, seldom

SETTINGS = b"""\
{
  // of the team
  "permissions": {"deny": ["Bash(rm:*)"]},
  "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "echo hi"}]}]},
}
"""
NOT_DUMB = {"TERM": "xterm", "CI": ""}
MODES = (NOT_DUMB, {"CI": "true"})
BROKEN = ("no python", "no package", "fails", "no script", "no repository")
IN_CI = [(MODES[1], "fails")]


def hooks(repo: GitRepo, *arguments: str, code: int = 0, **env: str) -> Done:
    done = run("hooks", *arguments, cwd=repo.path, env=env)
    assert done.code == code, f"{done.code}\n{done.out}\n{done.err}"
    return done


@pytest.fixture(params=list(AGENTS))
def agent(request: pytest.FixtureRequest) -> Agent:
    return AGENTS[request.param]


def command_of(agent: Agent, settings: Path, event: str) -> str:
    """What the agent would run, as it reads it."""
    [group] = json.loads(settings.read_text())["hooks"][event]
    command: str = group["hooks"][0]["command"]
    assert command == agent.command(event, "made-4k" if event == "SessionStart" else "made-1k")
    return command


@pytest.mark.parametrize("by", [("hooks", "uninstall"), ("uninstall",)])
def test_s3_8_a_file_of_others_is_as_before(repo: GitRepo, agent: Agent, by: tuple[str, ...]) -> None:
    path = agent.settings(repo.path)
    path.parent.mkdir()
    path.write_bytes(SETTINGS)
    path.chmod(0o640)
    before = bytes_below(repo.path)
    hooks(repo, "install", agent.name)
    once = path.read_bytes()
    hooks(repo, "install", agent.name)
    assert path.read_bytes() == once != SETTINGS
    assert run(*by, cwd=repo.path).code == 0
    assert bytes_below(repo.path) == before
    assert path.stat().st_mode & 0o777 == 0o640


def bytes_below(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


def test_s3_8_without_a_file_there_is_none_afterwards(repo: GitRepo) -> None:
    before = contents(repo.path)
    hooks(repo, "install", "git", *AGENTS)
    rows = hooks(repo, "list", "--json").data["hooks"]
    assert [row["state"] for row in rows] == ["installed"] * 6
    hooks(repo, "uninstall", "claude", "codex")
    assert (repo.path / ".git/hooks/planctl-session").exists(), "Gemini still calls it"
    assert not (repo.path / ".claude").exists()
    hooks(repo, "uninstall")
    assert contents(repo.path) == before


def test_s3_8_a_link_stays_a_link(repo: GitRepo, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.json"
    kept.write_bytes(SETTINGS)
    (repo.path / ".claude").mkdir()
    (repo.path / ".claude/settings.json").symlink_to(kept)
    hooks(repo, "install", "claude")
    assert b"planctl-session" in kept.read_bytes()
    hooks(repo, "uninstall", "claude")
    assert (repo.path / ".claude/settings.json").readlink() == kept
    assert kept.read_bytes() == SETTINGS


@pytest.mark.parametrize("home", ["/proc", "a file"])
def test_s3_8_a_home_that_cannot_be_written_to_is_said_and_nothing_is_left(
    repo: GitRepo, tmp_path: Path, home: str
) -> None:
    """Exit 2 with the place, no fault; neither the script that would be called, nor a folder."""
    place = tmp_path / "home" if home == "a file" else Path(home)
    if home == "a file":
        place.write_text("no folder")
    env = {"HOME": str(place), "CLAUDE_CONFIG_DIR": ""}
    before = contents(repo.path)
    done = run("hooks", "install", "claude", "--user", "--json", cwd=repo.path, env=env)
    assert (done.code, done.data["error"]["code"]) == (2, "agent-settings"), done.err
    assert f"{place}/.claude/settings.json" in done.data["error"]["message"]
    assert contents(repo.path) == before
    assert run("hooks", "uninstall", "claude", "--user", cwd=repo.path, env=env).code in (0, 1)


@pytest.mark.parametrize("content", [b"", b"{ 'a': 1 }\n", b'{"hooks": []}\n', b"{}\xff"])
def test_s3_8_what_cannot_be_read_is_left_alone_and_said(repo: GitRepo, content: bytes) -> None:
    path = repo.path / ".gemini/settings.json"
    path.parent.mkdir()
    path.write_bytes(content)
    before = contents(repo.path)
    assert str(path) in hooks(repo, "install", "gemini", code=2).err
    assert contents(repo.path) == before
    hooks(repo, "uninstall")
    assert run("uninstall", cwd=repo.path).code == 0


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_s3_8_settings_that_are_no_file_are_left_alone(repo: GitRepo, make: Callable[[Path], None]) -> None:
    (repo.path / ".claude").mkdir()
    make(repo.path / ".claude/settings.json")
    assert "settings are no file" in hooks(repo, "install", "claude", code=2).err
    hooks(repo, "list")


def test_s3_8_ones_own_settings_for_all_repositories(repo: GitRepo, tmp_path: Path) -> None:
    codex = tmp_path / "codex"
    hooks(repo, "install", "claude", "codex", "--user", CODEX_HOME=str(codex))
    home = Path.home() / ".claude/settings.json"
    assert home.exists()
    assert (codex / "hooks.json").exists()
    assert not (repo.path / ".claude").exists()
    hooks(repo, "uninstall", CODEX_HOME=str(codex))
    assert home.exists(), "other repositories may live by it"
    assert (repo.path / ".git/hooks/planctl-session").exists()
    hooks(repo, "uninstall", "--user", CODEX_HOME=str(codex))
    assert not home.exists()
    assert not codex.exists()
    assert not (repo.path / ".git/hooks").exists()


def test_s3_8_a_bare_repository_has_no_project_settings(tmp_path: Path) -> None:
    bare = GitRepo(tmp_path / "bare.git")
    bare.path.mkdir()
    bare.git("init", "-q", "--bare")
    assert "--user" in hooks(bare, "install", "claude", code=2).err
    hooks(bare, "install", "claude", "--user")
    assert (bare.path / "hooks/planctl-session").exists()


@pytest.mark.parametrize("moment", ["hooks.settings:before", "file.replace:before", "hooks.settings:after"])
@pytest.mark.parametrize("last", ["install", "uninstall"])
def test_s3_8_killed_in_the_middle_the_next_call_goes_on(repo: GitRepo, moment: str, last: str) -> None:
    path = repo.path / ".claude/settings.json"
    path.parent.mkdir()
    path.write_bytes(SETTINGS)
    if last == "uninstall":
        hooks(repo, "install", "claude")
    run("hooks", last, "claude", cwd=repo.path, env={"PLANCTL_KILL_AT": moment})
    hooks(repo, "install", "claude")
    assert path.read_bytes().count(b"planctl-session") == 4
    hooks(repo, "uninstall", "claude")
    assert path.read_bytes() == SETTINGS


@pytest.fixture
def told(repo: GitRepo, agent: Agent, tmp_path: Path) -> Path:
    """The agent's hooks with a stand-in for Python, which writes how it was called and what it reads."""
    hooks(repo, "install", agent.name)
    said = tmp_path / "told"
    os.mkfifo(said)
    stand_in = tmp_path / "python"
    stand_in.write_text(f'#!/bin/sh\n{{ shift 3; echo "$@"; cat; }} > {said}\n')
    stand_in.chmod(0o755)
    script = repo.path / ".git/hooks/planctl-session"
    script.write_text(script.read_text().replace(f"python={sys.executable}", f"python={stand_in}"))
    return said


@pytest.mark.parametrize("folder", [*seldom("."), "src", "../linked"])
def test_s3_8_the_agent_goes_on_while_planctl_is_told_who_it_is(
    repo: GitRepo, agent: Agent, told: Path, folder: str
) -> None:
    repo.git("worktree", "add", "-q", "../linked")
    for event, word in (("SessionStart", "start"), ("SessionEnd", "end")):
        command = command_of(agent, agent.settings(repo.path), event)
        done = as_agent(command, (repo.path / folder).resolve(), '{"reason": "other"}', NOT_DUMB)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "and nobody has read the pipe yet"
        assert told.read_text() == f'later {agent.name} {word} {os.getpid()}\n{{"reason": "other"}}'


@pytest.mark.parametrize("env", [{"CI": "true", "TERM": "xterm"}, {"CI": "", "TERM": "dumb"}])
def test_s3_9_in_ci_and_on_a_dumb_terminal_nothing_is_left_in_the_background(
    repo: GitRepo, agent: Agent, told: Path, env: dict[str, str]
) -> None:
    command = command_of(agent, agent.settings(repo.path), "SessionEnd")
    with subprocess.Popen(
        ["sh", "-c", command], cwd=repo.path, env=os.environ | env, stdin=subprocess.DEVNULL
    ) as process:
        assert told.read_text() == f"now {agent.name} end {os.getpid()}\n"
        assert process.wait() == 0


def as_agent(command: str, place: Path, event: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command],
        cwd=place,
        env=os.environ | env,
        input=event,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("mode", "broken"),
    mostly([(mode, how) for how in BROKEN for mode in MODES], [(NOT_DUMB, how) for how in BROKEN] + IN_CI),
)
def test_s3_8_when_planctl_is_missing_or_broken_the_agent_does_not_notice(
    repo: GitRepo, tmp_path: Path, broken: str, mode: dict[str, str]
) -> None:
    hooks(repo, "install", "claude")
    command = command_of(AGENTS["claude"], repo.path / ".claude/settings.json", "SessionStart")
    script, place = repo.path / ".git/hooks/planctl-session", repo.path
    text = script.read_text()
    if broken == "no python":
        script.write_text(text.replace(sys.executable, "/nowhere/python"))
    elif broken == "no package":
        script.write_text(text.replace("hookscripts.py", "lost.py"))
    elif broken == "fails":
        script.write_text(text.replace("cli.agenthook", "cli.lost"))
    elif broken == "no script":
        script.unlink()
    else:
        place = tmp_path / "plain"
        place.mkdir()
    began = time.monotonic()
    done = as_agent(command, place, "{}", mode)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < 20, "a machine under load; the figures are in docs/performance.md"


def hook_process(told: str, *words: str, instead: str = "print(*line)") -> subprocess.CompletedProcess[str]:
    """The real entry, with something else in the place of planctl's command line."""
    code = (
        "import sys\nfrom orchestrator.cli import agenthook\n"
        f"def tell(line):\n    {instead}\n    sys.exit(0)\n"
        "agenthook._tell = tell\nagenthook.main()"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        input=told,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_s3_8_what_hangs_is_ended_by_the_kernel() -> None:
    done = hook_process("", "now", "claude", "start", "1", instead="import signal; signal.pause()")
    assert done.returncode == -signal.SIGALRM


@pytest.mark.parametrize(
    ("told", "words", "said"),
    [
        ("{}", ("later", "claude", "start", "7"), "7 session start --agent claude --json"),
        ('{"reason": "logout"}', ("later", "gemini", "end", "7"), "7 session end --agent gemini --json"),
        ('{"reason": "clear"}', ("later", "claude", "end", "7"), ""),
        ('{"reason": "resume"}', ("later", "claude", "end", "7"), ""),
        ('{"source": "clear"}', ("later", "claude", "start", "7"), "7 session start --agent claude --json"),
        ("[not json", ("later", "codex", "end", "7"), "7 session end --agent codex --json"),
        ("\u00ff" * 70_000, ("later", "codex", "end", "7"), "7 session end --agent codex --json"),
        ("", ("now", "codex", "end", "7"), "7 session end --agent codex --json"),
    ],
)
def test_s3_8_what_planctl_is_told_and_of_which_process(told: str, words: tuple[str, ...], said: str) -> None:
    done = hook_process(told, *words, instead="import os; print(os.getppid(), *line)")
    assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr


@pytest.mark.skipif("session" not in COMMANDS, reason="planctl session is another part's")
def test_s3_8_an_agent_is_registered_while_it_lives_and_no_longer(repo: GitRepo) -> None:
    """This test is the agent; in CI, where planctl has been told when the hook ends."""
    hooks(repo, "install", "claude")
    settings = repo.path / ".claude/settings.json"
    for event, said in (("SessionStart", [("claude", os.getpid())]), ("SessionEnd", [])):
        command = command_of(AGENTS["claude"], settings, event)
        assert as_agent(command, repo.path, "{}", {"CI": "true"}).returncode == 0
        rows = run("session", "list", "--json", cwd=repo.path).data["sessions"]
        assert [(row["agent"], row["pid"]) for row in rows] == said


def test_s3_8_an_end_that_is_told_twice_ends_nobody_else(repo: GitRepo) -> None:
    """With project settings and one's own both hooks run; above the agent there may be another's session."""
    run("session", "start", "--agent", "claude", cwd=repo.path)
    end = [*COMMAND, "session", "end", "--agent", "claude"]
    code = "import subprocess, sys; s = sys.argv[1:]; a = s.index('--then')\n"
    code += "print(*[subprocess.run(x).returncode for x in (s[:a], s[a + 1:], s[a + 1:])])"
    begin = [*COMMAND, "session", "start", "--agent", "claude", "inner"]
    done = subprocess.run(
        [sys.executable, "-c", code, *begin, "--then", *end],
        cwd=repo.path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0 0 1", done.stderr
    (row,) = run("session", "list", "--json", cwd=repo.path).data["sessions"]
    assert row["pid"] == os.getpid()


@pytest.mark.usefixtures("told")
def test_s3_8_where_nobody_can_say_who_the_agent_is_nothing_is_told(
    repo: GitRepo, agent: Agent, tmp_path: Path
) -> None:
    """Without `ps` the session would be tied to whoever adopts orphans, and never end."""
    (tmp_path / "bin").mkdir()
    for program in ("sh", "git"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    command = command_of(agent, agent.settings(repo.path), "SessionStart")
    done = as_agent(command, repo.path, "", {"CI": "true", "PATH": str(tmp_path / "bin")})
    assert (done.returncode, done.stderr) == (0, ""), "nobody reads the pipe: it would hang"


@pytest.mark.usefixtures("told")
def test_s3_8_an_agent_that_is_a_plans_command_is_known_already(repo: GitRepo, agent: Agent) -> None:
    command = command_of(agent, agent.settings(repo.path), "SessionEnd")
    done = as_agent(command, repo.path, "", {"CI": "true", "PLANCTL_ATTEMPT": "a"})
    assert done.returncode == 0, "nobody reads the pipe: had it called the stand-in, it would hang"


def test_s3_8_doctor_tells_of_entries_that_are_not_whole(repo: GitRepo) -> None:
    hooks(repo, "install", "claude")
    path = repo.path / ".claude/settings.json"
    whole = path.read_text()
    path.write_text(whole.replace("SessionEnd", "Stop"))
    assert codes(repo) == {"hook-altered"}
    path.write_text(whole.replace('"timeout": 3', '"timeout": 60', 1))
    assert codes(repo) == {"hook-altered"}
    path.write_text(json.dumps({"hooks": {"SessionEnd": json.loads(whole)["hooks"]["SessionEnd"]}}))
    assert codes(repo) == {"hook-missing"}
    path.write_text(whole)
    (repo.path / ".git/hooks/planctl-session").unlink()
    assert codes(repo) == {"hook-missing"}
    run("doctor", "--fix", cwd=repo.path)
    assert codes(repo) == set()


def codes(repo: GitRepo) -> set[str]:
    issues = run("doctor", "--json", cwd=repo.path).data["issues"]
    return {issue["code"] for issue in issues if issue["code"].startswith("hook-")}
