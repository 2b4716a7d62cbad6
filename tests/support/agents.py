"""An agent that planctl did not start: a process of its own that runs commands through a shell."""

from __future__ import annotations

import subprocess
import sys
from typing import Self

from tests.support.process import COMMAND
from tests.support.repo import GitRepo

PLANCTL = " ".join(f"'{word}'" for word in COMMAND)


class Agent:
    """A process of its own that runs commands through ``sh -c``, one after another, as coding agents do."""

    CODE = (
        "import subprocess, sys\n"
        "for line in sys.stdin:\n"
        "    if line.startswith('!'):\n"
        "        print(subprocess.Popen(line[1:].split()).pid, flush=True)\n"
        "        continue\n"
        "    done = subprocess.run(['sh', '-c', line + '\\ntrue'], capture_output=True, text=True)\n"
        "    print(done.stdout.strip().replace('\\n', '|') or done.stderr.strip(), flush=True)\n"
    )

    def __init__(self, repo: GitRepo) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=repo.path,
        )

    def says(self, command: str) -> str:
        """What planctl answers."""
        return self.does(f"{PLANCTL} {command}")

    def does(self, command: str) -> str:
        """What a command line of the shell prints."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def starts(self, command: str) -> int:
        """The pid of a child of its own."""
        return int(self.does(f"!{command}"))

    def leaves(self, command: str) -> int:
        """The pid of a command that goes on when its shell is gone."""
        return int(self.does(f"{command} >/dev/null 2>&1 & echo $!"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
