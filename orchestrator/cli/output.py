"""The only place that prints: results on stdout, messages on stderr, nothing hidden in either.

A reader that goes away (``planctl graph | head``) ends the output and not the work: what is left goes
nowhere, :attr:`Output.is_cut` says so to commands that would follow for ever, and the exit code stays the
command's own.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, TextIO

from orchestrator.screens import has_screen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Verbosity(IntEnum):
    """How much is said on stderr."""

    QUIET = -1
    NORMAL = 0
    VERBOSE = 1


class Colour(StrEnum):
    """Colours of a terminal, by what they mean to planctl."""

    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BLUE = "34"
    DIM = "2"
    BOLD = "1"


Part = str | tuple[str, Colour]
"""A piece of a line, plain or coloured."""


class Output:
    """Where a command says what it has to say. Safe to use from several threads."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        verbosity: Verbosity = Verbosity.NORMAL,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.as_json = as_json
        self.verbosity = verbosity
        self.is_cut = False
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()

    def text(self, *parts: Part) -> None:
        """Print lines for people on stdout; on stderr with ``--json``. Control characters become visible."""
        self.lines([parts])

    def lines(self, lines: Iterable[Iterable[Part]]) -> None:
        """Print many of them at once."""
        self._print(lines, stream="stderr" if self.as_json else "stdout")

    def data(self, value: object) -> None:
        """Print ``value`` as one line of JSON on stdout, in ASCII so that exact bytes of names survive."""
        self._write_json(value, None)

    def document(self, value: object) -> None:
        """As :meth:`data`, over several lines: for what people read too."""
        self._write_json(value, 2)

    def _write_json(self, value: object, indent: int | None) -> None:
        import json  # noqa: PLC0415 - 4 ms that `--version` does without

        self._write(json.dumps(value, ensure_ascii=True, indent=indent) + "\n", "stdout")

    def raw(self, data: bytes) -> None:
        """Put bytes on stdout as they are; the caller has made them harmless if a person looks on."""
        file: TextIO | None = sys.stdout
        if file is None:
            return
        binary = getattr(file, "buffer", None)
        if binary is None:  # a stream of text alone, as in a test
            self._write(data.decode("utf-8", "replace"), "stdout")
            return
        with self._lock, self._guarded(file, "stdout"):
            file.flush()
            binary.write(data)
            binary.flush()

    def is_terminal(self) -> bool:
        """Whether a person's terminal shows what goes to stdout, however plain it is."""
        return sys.stdout is not None and sys.stdout.isatty()

    def note(self, *parts: Part) -> None:
        """Say something on stderr, unless ``-q``."""
        if self.verbosity >= Verbosity.NORMAL:
            self._print([parts], stream="stderr")

    def detail(self, *parts: Part) -> None:
        """Say something on stderr, with ``-v`` only."""
        if self.verbosity >= Verbosity.VERBOSE:
            self._print([parts], stream="stderr")

    def error(self, *parts: Part) -> None:
        """Say something on stderr, even with ``-q``."""
        self._print([parts], stream="stderr")

    def can_ask(self) -> bool:
        """Whether a person sits at both ends: reads what is said, and can answer."""
        person = sys.stdin is not None and sys.stdin.isatty()
        return person and not self.as_json and self._is_screen("stdout") and self._is_screen("stderr")

    def ask(self, question: str) -> bool:
        """Put a question to that person; only a plain yes counts. Where nobody can answer it is no."""
        if not self.can_ask():
            return False
        self._write(f"{_visible(question)} [y/N] ", "stderr")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def has_colour(self, stream: str = "stdout") -> bool:
        """Whether ``stdout`` or ``stderr`` may be coloured."""
        return not self._environ.get("NO_COLOR") and self._is_screen(stream)

    def live_stream(self) -> TextIO | None:
        """The terminal for a display that redraws itself, or None where there must be none."""
        live = not self.as_json and self.verbosity >= Verbosity.NORMAL and self._is_screen("stdout")
        return sys.stdout if live and not self.is_cut else None

    def _is_screen(self, stream: str) -> bool:
        if not has_screen(self._environ):
            return False
        file: TextIO | None = getattr(sys, stream)
        return file is not None and file.isatty()

    def _print(self, lines: Iterable[Iterable[Part]], *, stream: str) -> None:
        colour = self.has_colour(stream)
        self._write("".join(_line(parts, colour=colour) for parts in lines), stream)

    def _write(self, text: str, stream: str) -> None:
        file: TextIO | None = getattr(sys, stream)
        if file is None:  # started with a closed descriptor
            return
        with self._lock, self._guarded(file, stream):
            file.write(text)
            file.flush()

    @contextlib.contextmanager
    def _guarded(self, file: TextIO, stream: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.is_cut = self.is_cut or stream == "stdout"
            _send_to_nowhere(file)
            if stream == "stdout" and not isinstance(error, BrokenPipeError):
                raise  # a full disk: a result was lost; of stderr nobody could be told


def _line(parts: Iterable[Part], *, colour: bool) -> str:
    shown = "".join([_shown(part, colour=colour) for part in parts])
    return shown if shown.endswith("\n") else shown + "\n"


def _shown(part: Part, *, colour: bool) -> str:
    text, tint = (part, None) if isinstance(part, str) else part
    safe = _visible(text)
    return f"\x1b[{tint}m{safe}\x1b[0m" if colour and tint else safe


def _visible(text: str) -> str:
    if text.isascii() and (text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable()):
        return text
    from plans.drawing.escape import visible  # noqa: PLC0415 - as json

    return visible(text, keep="\n\t")


def _send_to_nowhere(file: TextIO) -> None:
    """Point the descriptor at the null device, so that what is buffered can be flushed when Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # a stream of a test has no descriptor
        os.dup2(nowhere, file.fileno())
    os.close(nowhere)


def prepare_streams() -> None:
    """Let no character that the terminal's encoding lacks end a command: it is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
