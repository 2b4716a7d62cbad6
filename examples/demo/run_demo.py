"""Six plans on a small project: what lands, what is refused, and why.

    make demo                                  (or: python examples/demo/run_demo.py [FOLDER])

Makes a scratch git repository from ``project/`` (in FOLDER, else in a temporary folder that is removed
again), has the real ``planctl`` from PATH look at the plans and run them, and says what became of each. Exit
status 0 exactly when what should land has landed and what should be refused was refused.

Needs a POSIX shell for the plans' commands. Uses no network and no git settings of yours.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent / "project"


@dataclass(frozen=True)
class Expected:
    """What should become of one plan, and what the example shows with it."""

    plan: str
    state: str
    shows: str


EXPECTED = (
    Expected("discount", "landed", "first of a chain; runs beside cents, with which it has no file in common"),
    Expected("receipt", "landed", "second of the chain: begun from what discount had landed"),
    Expected("cents", "landed", "overlaps with symbols in shop/money.py; goes first, its priority is higher"),
    Expected("symbols", "landed", "waited for cents to land, then began from that"),
    Expected("faster-total", "rejected", "merges, but the check of the merged result is red"),
    Expected("slogan", "conflicted", "declared no files, and edited the line that receipt had edited"),
)
PLAN_ID = "%(trailers:key=Plan-Id,valueonly,separator=%x20)"
ORDER = (("discount", "receipt"), ("cents", "symbols"))
"""Pairs of which the second must have begun from a commit that contains the first one's landing."""


class Demo:
    """The scratch repository and what is done in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Run from a git hook or from inside a plan, the demo still works on its own repository.
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PLANCTL_"))}
        here = str(Path(sys.executable).parent)
        self.environment = {**mine, "PATH": os.pathsep.join([here, mine.get("PATH", os.defpath)])}

    def prepare(self) -> None:
        shutil.copytree(PROJECT, self.path, ignore=shutil.ignore_patterns("__pycache__"))
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Demo")
        self.git("config", "user.email", "demo@example.invalid")
        self.git("config", "commit.gpgSign", "false")
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "A small till")

    def git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=at or self.path,
            env=self.environment,
            check=True,
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
        )
        return done.stdout.rstrip("\n")

    def show(self, *arguments: str) -> int:
        """Run planctl with its output on ours, as a user sees it; return the exit status."""
        print(f"\n$ planctl {shlex.join(arguments)}", flush=True)
        return subprocess.run(
            [self._planctl(), *arguments], cwd=self.path, env=self.environment, check=False
        ).returncode

    def ask(self, *arguments: str) -> Any:
        done = subprocess.run(
            [self._planctl(), "--json", *arguments],
            cwd=self.path,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
        )
        return json.loads(done.stdout)

    def _planctl(self) -> str:
        found = shutil.which("planctl", path=os.environ.get("PATH"))
        if found is None:
            sys.exit("planctl is not on PATH: `make demo` sees to that")
        return found

    def check(self, folder: Path) -> bool:
        """Whether the project's check passes in ``folder``, run by us and not by planctl."""
        return (
            subprocess.run(
                [sys.executable, "-m", "unittest", "discover", "-q", "-s", "tests", "-t", "."],
                cwd=folder,
                env=self.environment,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ).returncode
            == 0
        )


def run(demo: Demo) -> list[str]:
    """Play the example; return what was not as expected."""
    wrong: list[str] = []

    def expect(holds: bool, said: str) -> None:
        if not holds:
            wrong.append(said)

    expect(demo.show("lint") == 0, "lint found errors")
    expect(demo.show("overlap") == 1, "overlap did not report the overlap of cents and symbols")
    expect(demo.show("graph") == 0, "the graph could not be drawn")
    expect(demo.show("run-multi", "--all") == 1, "run-multi did not say that plans failed")

    plans = {plan["id"]: plan for plan in demo.ask("status")["plans"]}
    print("\nWhat happened, and why\n")
    for expected in EXPECTED:
        plan = plans.get(expected.plan, {})
        state, reason = plan.get("state", "unknown"), plan.get("reason") or {}
        expect(state == expected.state, f"{expected.plan} is {state}, not {expected.state}")
        print(f"  {expected.plan:<13}{state:<11}{expected.shows}")
        if reason.get("detail"):
            print(f"  {'':<24}{reason['detail']}")
        for line in [t for t in reason.get("tail", ()) if "Error" in t]:
            print(f"  {'':<24}{line}")
    wrong += look_at_git(demo, plans)
    return wrong


def look_at_git(demo: Demo, plans: dict[str, Any]) -> list[str]:
    """What git itself says: planctl's word is not taken for it."""
    wrong = []
    landed = demo.git("log", "--first-parent", f"--format={PLAN_ID}", "main").split()
    if sorted(landed) != sorted(e.plan for e in EXPECTED if e.state == "landed"):
        wrong.append(f"on main are {landed}")
    for first, second in ORDER:
        commit = plans.get(second, {}).get("landed_commit")
        began = demo.git("log", f"--format={PLAN_ID}", f"{commit}^2").split() if commit else []
        if first not in began:
            wrong.append(f"{second} did not begin from what {first} landed")
    if demo.git("status", "--porcelain"):
        wrong.append("the checkout of main is not clean")
    conflicted = plans.get("slogan", {}).get("worktree")
    if not conflicted or "smallest" not in (Path(conflicted) / "README.md").read_text(encoding="utf-8"):
        wrong.append("the worktree of slogan was not kept")
    print("\n$ git log --graph --oneline main")
    print(demo.git("log", "--graph", "--oneline", "main"))
    wrong += [f"main was red at {commit}" for commit in red_commits(demo)]
    print("\nEvery commit that main has pointed to passes the check." if not wrong else "")
    return wrong


def red_commits(demo: Demo) -> Iterator[str]:
    """Commits in the first-parent history of main that fail the check, tried in a clone."""
    clone = demo.path.with_name("clone")
    demo.git("clone", "-q", str(demo.path), str(clone))
    for commit in demo.git("rev-list", "--first-parent", "main").splitlines():
        demo.git("checkout", "-q", "--detach", commit, at=clone)
        if not demo.check(clone):
            yield commit


@contextmanager
def place() -> Iterator[Path]:
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1]).resolve()
        folder.mkdir(parents=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="planctl-demo-") as folder:
        yield Path(folder).resolve()


def main() -> int:
    with place() as folder:
        demo = Demo(folder / "shop")
        demo.prepare()
        wrong = run(demo)
    for line in wrong:
        print(f"not as expected: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
