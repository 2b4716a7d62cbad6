"""A real repository for a test, copied from a template that is built once (about 2 ms a copy)."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

FILES = {
    "README.md": "# Example\n",
    "src/a.py": "".join(f"a{n} = {n}\n" for n in range(1, 21)),
    "src/b.py": "".join(f"b{n} = {n}\n" for n in range(1, 21)),
    "docs/guide.md": "# Guide\n\nText.\n",
}


@dataclass(frozen=True)
class GitRepo:
    """Drives real git by argv in ``path``, the way a user would."""

    path: Path

    @classmethod
    def copy_of(cls, template: Path, path: Path) -> GitRepo:
        shutil.copytree(template, path, symlinks=True)
        return cls(path)

    def git(
        self, *arguments: str, stdin: str | bytes | None = None, ok: bool = True, at: Path | None = None
    ) -> str:
        """Run git; return its output without the last newline. ``ok=False``: any exit status will do."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            ["git", *arguments],
            cwd=at or self.path,
            input=data,
            capture_output=True,
            check=False,
            env=os.environ,
        )
        if ok and done.returncode != 0:
            raise AssertionError(
                f"git {arguments}: {done.returncode}\n{done.stderr.decode(errors='replace')}"
            )
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    def said(self, *arguments: str) -> str:
        """What git says on stderr, however it ends."""
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=False)
        return done.stderr.decode("utf-8", "replace")

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def commit(self, message: str = "change", files: dict[str, str | bytes] | None = None) -> str:
        """Write ``files``, add everything, commit; return the commit."""
        for name, text in (files or {}).items():
            self.write(name, text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def head(self, revision: str = "HEAD") -> str:
        return self.git("rev-parse", "--verify", revision)

    def branch(self, name: str, files: dict[str, str | bytes], start: str = "main", message: str = "") -> str:
        """Make branch ``name`` from ``start`` with one commit of ``files``, leaving ``main`` checked out."""
        self.git("checkout", "-q", "-b", name, start)
        commit = self.commit(message or f"work on {name}", files)
        self.git("checkout", "-q", "main")
        return commit

    def show(self, revision: str, path: str) -> str:
        return self.git("show", f"{revision}:{path}") + "\n"


def build_template(path: Path) -> Path:
    path.mkdir(parents=True)
    repo = GitRepo(path)
    repo.git("init", "-q", "-b", "main")
    shutil.rmtree(path / ".git" / "hooks", ignore_errors=True)
    repo.git("config", "user.name", "Ada")
    repo.git("config", "user.email", "ada@example.invalid")
    repo.commit("start", dict(FILES))
    return path
