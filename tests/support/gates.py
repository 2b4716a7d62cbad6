"""Commands that stop at a gate until the test lets them go on; nobody sleeps.

A command at a gate says so through one named pipe and waits at another. What has been executed is counted in
a file outside the repository.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.bootstrap import open_readonly_store
from orchestrator.running import platforms, supervision
from orchestrator.running.spec import Supervised
from orchestrator.states import RunState, SessionState
from orchestrator.store.protocol import Store
from tests.support.repo import GitRepo
from worktrees.repository import find

_SCRIPT = """\
echo "$2" >> "$1/executions"
test -e "$1/open-$2" && exit 0
mkfifo "$1/go-$2" 2>/dev/null
setsid sleep 1000 & echo $! > "$1/child-$2"
echo $$ > "$1/pid-$2"
exec 3<> "$1/go-$2"
echo here > "$1/at-$2"
read line <&3
kill %1 2>/dev/null || kill "$(cat "$1/child-$2")"
"""


class Gates:
    """Gates by name, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "gate.sh").write_text(_SCRIPT)

    def command(self, name: str, then: str = "true") -> str:
        """A command line: wait at the gate ``name``, then do ``then``."""
        at = self.folder / f"at-{name}"
        if not at.exists():
            os.mkfifo(at)
        return f"sh {shlex.quote(str(self.folder))}/gate.sh {shlex.quote(str(self.folder))} {name} && {then}"

    def await_at(self, name: str) -> None:
        """Wait until a command stands at the gate."""
        assert (self.folder / f"at-{name}").read_text() == "here\n"

    def open(self, *names: str) -> None:
        """Let a command that stands there go on, and all that come later pass."""
        for name in names:
            (self.folder / f"open-{name}").touch()
            try:
                descriptor = os.open(self.folder / f"go-{name}", os.O_WRONLY | os.O_NONBLOCK)
            except FileNotFoundError:
                continue  # nobody has come yet
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                continue  # nobody stands there
            with contextlib.suppress(BrokenPipeError):
                os.write(descriptor, b"go\n")
            os.close(descriptor)

    def let_go(self, name: str) -> None:
        """Let the command that stands at the gate go on; later ones stop there again."""
        (self.folder / f"go-{name}").write_text("go\n")

    def executions(self) -> Counter[str]:
        """How often each command was executed."""
        path = self.folder / "executions"
        return Counter(path.read_text().split()) if path.exists() else Counter()

    def pids(self, name: str) -> tuple[int, int]:
        """The shell at the gate, and a child of it that has left its session."""
        return int((self.folder / f"pid-{name}").read_text()), int(
            (self.folder / f"child-{name}").read_text()
        )

    def pass_later(self, name: str) -> None:
        """Leave whoever stands at the gate, and let all that come later pass."""
        (self.folder / f"open-{name}").touch()

    def clear(self) -> None:
        """Kill whoever stands at any gate."""
        for path in (*self.folder.glob("pid-*"), *self.folder.glob("child-*")):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)

    def nobody_at(self, *names: str) -> bool:
        """Whether none of the processes at these gates lives."""
        return not [pid for name in names for pid in self.pids(name) if platforms.find_process(pid)]


@contextmanager
def store_of(repo: GitRepo) -> Iterator[Store]:
    """The repository's store as it is now."""
    store = open_readonly_store(find(repo.path))
    try:
        yield store
    finally:
        store.close()


def supervised(repo: GitRepo, plan: str) -> Supervised:
    """The newest command of ``plan``."""
    with store_of(repo) as store:
        attempt = store.attempts(plan=plan)[-1]
    # by the record, which is there before the command is let go; the store hears of it a moment later
    handle = supervision.find(repo.path / ".git" / "planctl" / "records" / f"{attempt.id}-0")
    assert handle is not None
    return handle


def at_work(repo: GitRepo) -> list[str]:
    """Commands of any attempt or check of this repository that live."""
    records = repo.path / ".git" / "planctl" / "records"
    known = {path.name for path in records.iterdir()} if records.exists() else set()
    return [attempt for attempt in supervision.marked_processes() if attempt in known]


def assert_at_rest(repo: GitRepo, state: RunState) -> None:
    """Nothing of the newest run lives or is held, and its state is ``state``."""
    with store_of(repo) as store:
        assert store.runs()[-1].state is state
        assert not store.leases()
        assert {s.state for s in store.sessions()} <= {SessionState.ENDED}
    assert at_work(repo) == []


def assert_all_landed(repo: GitRepo, plans: list[str]) -> None:
    """Each plan once on the target, no candidate, lock or leased slot left, the user's checkout untouched."""
    from tests.support.plans import landings

    assert sorted(landings(repo)) == sorted(plans)
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("for-each-ref", "refs/planctl/candidates") == ""
    git_dir = repo.path / ".git"
    locks = [p.relative_to(git_dir).as_posix() for p in git_dir.rglob("*.lock")]
    assert [name for name in locks if not name.startswith("planctl/")] == []
    repo.git("fsck", "--no-dangling")
