"""README and guide are true: what they do, done by somebody who has nothing else, gives what they show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from orchestrator.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")])
STEP = re.compile(r"(?:In `([^`\n]+)`:\n\n)?```(console|markdown|yaml)\n(.*?)```", re.DOTALL)
CALL = re.compile(r"(?:^\$ |`|^    )planctl ([a-z][a-z-]*)([^`\n]*)", re.MULTILINE)

VARIES = (
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "ULID"),
    (re.compile(r"\b[0-9a-f]{7,40}\b"), "COMMIT"),
    (re.compile(r"after [\d.]+ s\b"), "after N s"),
    (re.compile(r"\bslot-\d\d\b"), "slot-NN"),
    (re.compile(r"\S*?/tour\b"), "HOME/tour"),
)


def part(page: str, heading: str, until: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return text[text.index(f"## {heading}\n") : text.index(f"## {until}\n")]


def comparable(output: str) -> list[str]:
    """Lines without what differs from run to run, sorted: plans that run at once end in any order.

    How often the check ran depends on who was first in the queue.
    """
    for pattern, word in VARIES:
        output = pattern.sub(word, output)
    lines = (line.rstrip() for line in output.splitlines())
    return sorted(line for line in lines if line and " check is " not in line)


def commands(console: str) -> list[tuple[str, str]]:
    """Each command of a console block, with the output shown below it."""
    parts = re.split(r"^\$ (.*)\n", console, flags=re.MULTILINE)
    assert parts[0] == "", "a console block begins with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to begin in, with ``planctl`` on PATH as an installation puts it there."""
    programs, home = tmp_path / "bin", tmp_path / "ada"
    programs.mkdir()
    home.mkdir()
    (programs / "planctl").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m orchestrator.cli "$@"\n', encoding="utf-8"
    )
    (programs / "planctl").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
    return home


@pytest.mark.skipif(os.name == "nt", reason="the tour is for a POSIX shell")
@pytest.mark.parametrize(
    "place",
    [
        ("README.md", "Two minutes", "Next"),
        ("docs/guide.md", "You are an agent, or write one", "You run CI"),
    ],
    ids=lambda place: place[0],
)
def test_the_tour_gives_what_it_shows(shell: Path, place: tuple[str, str, str]) -> None:
    folder, seen = shell, 0
    for name, kind, text in STEP.findall(part(*place)):
        if kind != "console":
            assert name, f"the tour does not say which file this is:\n{text}"
            (folder / name).write_text(text, encoding="utf-8")
            continue
        for command, shown in commands(text):
            said, folder = run(command, folder)
            assert comparable(said) == comparable(shown), f"$ {command}\n{said}"
            seen += 1
    assert seen >= 10, "the tour was found and done"


def run(command: str, folder: Path) -> tuple[str, Path]:
    """What ``command`` says, both streams, and the folder it ends in."""
    where = folder.parent / "pwd"
    done = subprocess.run(
        ["sh", "-c", f"{command}\npwd > '{where}'"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout, Path(where.read_text(encoding="utf-8").strip())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_and_options_on_every_page_exist(page: Path) -> None:
    for name, rest in CALL.findall(page.read_text(encoding="utf-8")):
        assert name in COMMANDS, f"planctl {name}"
        command, words = deeper(cli.get_command(click.Context(cli), name), rest.split())
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            if re.fullmatch(r"--?[a-z][a-z-]*", word):
                assert word in known | {"--help"}, f"planctl {name} … {word}"


def deeper(command: click.Command | None, words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that a line really calls: ``queue add BRANCH`` is ``add`` of the group ``queue``."""
    assert command is not None
    if isinstance(command, click.Group) and words:
        first = words[0].strip(",.:;)")
        assert first in command.commands or not first.isalpha(), f"{command.name} {first}"
        if first in command.commands:
            return deeper(command.commands[first], words[1:])
    return command, words
