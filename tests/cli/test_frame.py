"""Start-up, shared options, help of every command, and the page that documents them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator import __version__
from orchestrator.cli.context import Command, Group, Invocation, pass_invocation
from orchestrator.cli.main import COMMANDS, cli
from orchestrator.cli.output import Verbosity
from tests.support.cli import add_command, planctl

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"git", "networkx", "yaml", "rich", "pygit2", "sqlite3", "aiosql", "psutil", "json", "dataclasses"}


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    argv = ["-c", code] if code else ["-m", "orchestrator.cli"]
    return subprocess.run(
        [sys.executable, *argv, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(os.environ["HOME"]),
    )


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_help_and_version_load_no_command_and_nothing_heavy(asked: str) -> None:
    code = (
        "import sys\nfrom orchestrator.cli.main import main\n"
        "try: main()\nexcept SystemExit as end: print(*sys.modules, file=sys.stderr); raise\n"
    )
    done = run(asked, code=code)
    assert done.returncode == 0
    loaded = set(done.stderr.split())
    assert "orchestrator.cli.main" in loaded
    assert not loaded & HEAVY
    rooms = {m for m in loaded if m.startswith(("orchestrator.cli.commands", "plans", "worktrees"))}
    assert rooms <= {"plans", "plans.systems"}


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    assert run("--version").stdout == f"planctl {__version__}\n"


def test_without_a_command_the_help_is_shown_and_it_is_a_usage_error() -> None:
    said = planctl()
    assert said.code == 2
    assert all(name in said.stderr for name in COMMANDS)
    assert said.stdout == ""


@click.command("tell", cls=Command)
@click.option("--word", default="none", help="A word.")
@pass_invocation
def tell(invocation: Invocation, word: str) -> None:
    """Tell what the shared options said."""
    invocation.output.data(
        {
            "json": invocation.as_json,
            "repo": str(invocation.folder),
            "said": invocation.output.verbosity,
            "word": word,
        }
    )


@click.group("box", cls=Group)
def box() -> None:
    """Hold a command."""


box.add_command(tell)


@pytest.mark.parametrize(
    "line",
    [
        "--json --repo . -v tell",
        "tell --json --repo . -v",
        "--json tell --repo . --verbose",
        "-q tell --repo . -v --json",
        "box --json tell --repo . -v",
        "--repo . box -v tell --json",
    ],
)
def test_shared_options_stand_before_or_after_the_command(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add_command(monkeypatch, tell)
    add_command(monkeypatch, box)
    said = planctl(*line.split())
    assert said.data == {"json": True, "repo": ".", "said": Verbosity.VERBOSE, "word": "none"}


def test_shared_options_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    add_command(monkeypatch, tell)
    assert planctl("tell").data == {"json": False, "repo": "None", "said": 0, "word": "none"}
    assert planctl("-q", "tell").data["said"] == Verbosity.QUIET


def every_command() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner, sub in command.commands.items():
                yield f"{name} {inner}", sub


def test_every_command_and_option_has_help_and_the_shared_options() -> None:
    for name, command in every_command():
        assert command.help, name
        options = [p for p in command.params if isinstance(p, click.Option)]
        assert [o for o in options if not o.help] == [], name
        assert {"--json", "--repo", "-q", "-v"} <= {text for o in options for text in o.opts}, name


def test_every_command_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = re.compile(r"^## `planctl ([a-z -]+?)(?: [^a-z`][^`]*)?`\n(.*?)(?=^## |\Z)", re.M | re.S)  # noqa: FURB167 - short
    sections = dict(section.findall(page))
    shared = {text for option in cli.params for text in option.opts}
    for name, command in every_command():
        assert name in sections, f"docs/commands.md lacks `planctl {name}`"
        for option in command.params:
            if isinstance(option, click.Option) and not set(option.opts) & shared:
                longest = max(option.opts, key=len)
                assert longest in sections[name], f"docs/commands.md: {name} lacks {longest}"
    assert all(text in page for text in shared)


def test_a_command_that_does_not_exist_names_those_that_it_is_like() -> None:
    said = planctl("doctr")
    assert said.code == 2
    assert "No such command 'doctr'. Did you mean doctor?" in said.stderr
    assert "Did you mean" not in planctl("xyzzy").stderr


def test_python_m_is_the_same_command() -> None:
    done = run("graph", "--format", "hologram")
    assert done.returncode == 2
    assert "hologram" in done.stderr
    assert done.stdout == ""


def test_a_reader_that_went_away_ends_the_output_cleanly() -> None:
    for arguments in (["--help"], ["schema"]):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *arguments],
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
            cwd=Path(os.environ["HOME"]),
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_result_that_could_not_be_written_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", "--json", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=Path(os.environ["HOME"]),
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    assert done.returncode == 3
    fact, hint = done.stderr.splitlines()
    assert (fact[:9], hint[:8]) == ("planctl: ", "  hint: "), done.stderr
    assert "No space left" in done.stderr
