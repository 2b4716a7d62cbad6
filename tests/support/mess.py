"""A worktree in a random mess, made of small steps that each may or may not apply; by seed."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support import scenes
from tests.support.repo import GitRepo

_NAMES = (
    b"README.md", b"src/a.py", b"src/b.py", b"docs/guide.md", b"src", b"docs", b"new", b"new/deep/er",
    b"x.log", b"-rf", b":(glob)*", b"two\nlines", b"caf\xe9", b"inner", b"inner/f", b"inner/deep/g",
    b"dir/link", b" ", b"*",
)  # fmt: skip
_TEXTS = (b"", b"one\n", b"one\r\ntwo\n", b"\0\xff binary", b"no end", b"x" * 5000)
_FIRST: tuple[Callable[[GitRepo], None], ...] = (
    lambda _slot: None,
    lambda _slot: None,
    scenes.merge_stopped,
    scenes.merge_not_committed,
    scenes.rebase_stopped,
    scenes.rebase_with_autostash,
    scenes.cherry_pick_stopped,
    scenes.revert_stopped,
    scenes.bisecting,
    scenes.split_index,
)


class Mess:
    """Makes it in ``slot``; ``done`` says how, for a test that fails."""

    def __init__(self, slot: GitRepo, seed: int) -> None:
        self.slot = slot
        self.rng = random.Random(seed)
        self.done: list[str] = [f"seed {seed}"]

    def make(self, steps: int) -> None:
        self.slot.write(".gitignore", "*.log\n")
        self.slot.git("add", ".gitignore")
        self.slot.git("commit", "-qm", "ignore")
        first = self.rng.choice(_FIRST)
        self.done.append(first.__name__)
        first(self.slot)
        kinds = (
            self.write, self.write, self.write, self.stage, self.stage, self.delete, self.unstage, self.mode,
            self.link, self.hide, self.nest, self.rename, self.time,
        )  # fmt: skip
        # A promise comes last: the index says of it only what the file was then, which nobody can ask for.
        for kind in (*self.rng.choices(kinds, k=steps), self.promise, self.promise):
            name = os.fsdecode(self.rng.choice(_NAMES))
            self.done.append(f"{kind.__name__} {name!r}")
            try:
                kind(name, self.slot.path / name)
            except OSError as error:  # that name cannot be had now: a file is where its folder would be
                self.done[-1] += f" (not: {error.strerror})"

    def write(self, _name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            if (path / ".git").exists() or self.rng.random() < 0.7:
                return
            shutil.rmtree(path)
        if path.is_symlink():
            path.unlink()
        path.write_bytes(self.rng.choice(_TEXTS))

    def stage(self, name: str, _path: Path) -> None:
        words = ("add", "-A") if self.rng.random() < 0.2 else ("add", "-f", "--", f":(literal){name}")
        self.slot.git(*words, ok=False)

    def unstage(self, name: str, _path: Path) -> None:
        self.slot.git("rm", "-rqf", "--cached", "--", f":(literal){name}", ok=False)

    def delete(self, _name: str, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def mode(self, _name: str, path: Path) -> None:
        if path.is_file() and not path.is_symlink():
            path.chmod(self.rng.choice((0o755, 0o644)))  # other bits alone are no change to git

    def link(self, _name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() or path.is_symlink():
            path.unlink()
        path.symlink_to(self.rng.choice(("nowhere", "src", "../..", "README.md", path.name)))

    def promise(self, name: str, path: Path) -> None:
        if path.is_file():
            self.slot.git("add", "-N", "-f", "--", f":(literal){name}", ok=False)

    def hide(self, name: str, _path: Path) -> None:
        mark = self.rng.choice(("--assume-unchanged", "--no-assume-unchanged"))
        self.slot.git("update-index", mark, "--", name, ok=False)

    def nest(self, _name: str, _path: Path) -> None:
        place = self.slot.path / self.rng.choice(("inner", "new/repository"))
        place.mkdir(parents=True, exist_ok=True)
        inner = GitRepo(place)
        inner.git("init", "-q")
        if self.rng.random() < 0.7:
            inner.write(f"n{self.rng.randrange(3)}", self.rng.choice(_TEXTS))
            inner.git("add", "-A", ok=False)
        if self.rng.random() < 0.5:
            inner.git("commit", "-qm", "inner", ok=False)
        inner.write("left", "x\n")

    def rename(self, name: str, _path: Path) -> None:
        self.slot.git("mv", "--", name, f"renamed {self.rng.randrange(5)}", ok=False)

    def time(self, _name: str, path: Path) -> None:
        """As tools do that put times back: git must not be fooled."""
        if path.is_file() and not path.is_symlink():
            known = path.stat()
            path.write_bytes(path.read_bytes()[::-1])
            os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
