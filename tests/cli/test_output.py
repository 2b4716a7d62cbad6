"""The one place that prints."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from orchestrator.cli.output import Colour, Output, Verbosity


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Not a fixture: pytest sets its own stdout between a fixture and its test."""
    made = Screen()
    monkeypatch.setattr(sys, "stdout", made)
    return made


def test_what_a_plan_wrote_cannot_repaint_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Output(environ={}).text("a\x1b]0;owned\x07b\u202ec\rd\n\tindented")
    assert capsys.readouterr().out == "a\\x1b]0;owned\\x07b\\u202ec\\x0dd\n\tindented\n"


def test_with_json_only_data_reaches_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.text("for people")
    output.note("a note")
    output.data({"name": "\udcff\x1b ü"})
    said = capsys.readouterr()
    assert said.out.isascii()
    assert said.out.isprintable() is False, "one line, ended"
    assert json.loads(said.out) == {"name": "\udcff\x1b ü"}
    assert said.err == "for people\na note\n"


@pytest.mark.parametrize(
    ("verbosity", "said"),
    [
        (Verbosity.QUIET, "error\n"),
        (Verbosity.NORMAL, "note\nerror\n"),
        (Verbosity.VERBOSE, "note\ndetail\nerror\n"),
    ],
)
def test_q_and_v_say_less_and_more(
    verbosity: Verbosity, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output(verbosity=verbosity)
    output.note("note")
    output.detail("detail")
    output.error("error")
    output.text("result")
    assert capsys.readouterr() == ("result\n", said)


@pytest.mark.parametrize(
    ("environ", "colour", "live"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": ""}, False, False),
        ({"TERM": "xterm", "CI": "true"}, False, False),
        ({"TERM": "xterm", "CI": "false"}, True, True),
    ],
)
def test_colour_and_live_display_only_where_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], colour: bool, live: bool
) -> None:
    screen = on_screen(monkeypatch)
    output = Output(environ=environ)
    output.text(("red\x1b", Colour.RED), " plain")
    assert screen.getvalue() == ("\x1b[31mred\\x1b\x1b[0m plain\n" if colour else "red\\x1b plain\n")
    assert (output.live_stream() is screen) is live


def test_nothing_is_live_without_a_terminal_or_with_json_or_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_screen(monkeypatch)
    assert Output(as_json=True, environ={}).live_stream() is None
    assert Output(verbosity=Verbosity.QUIET, environ={}).live_stream() is None
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert Output(environ={}).live_stream() is None


def test_a_reader_that_went_away_ends_the_output_and_not_the_work() -> None:
    code = (
        "import os, sys\nfrom orchestrator.cli.output import Output\n"
        "out = Output()\nout.text('x' * 100_000)\nout.data({'more': 1})\n"
        "sys.exit(7 if out.is_cut else 8)\n"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (7, b"")


def test_a_terminal_without_utf_8_shows_escapes() -> None:
    code = (
        "from orchestrator.cli.output import Output, prepare_streams\n"
        "prepare_streams(); Output().text('a → b')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout.strip() == b"a \\u2192 b"


def test_closed_streams_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    output = Output(environ={"TERM": "xterm"})
    output.text("x")
    output.error("x")
    output.data({})
    assert output.live_stream() is None
