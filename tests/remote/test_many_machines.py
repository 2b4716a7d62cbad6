"""Done when 2: processes on clones that share a remote alone land everything once, killed at random."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.states import IntentState
from tests.support.campaigns import Record
from tests.support.process import COMMAND, run
from tests.support.queues import require_sound
from tests.support.remotes import Remote, queue_at, remote_of
from tests.support.repo import GitRepo

SEED = os.environ.get("PLANCTL_STRESS_SEED", "20261128")
CHECK = """\
ls | grep -q '^bad-' && exit 1
for left in left-*; do test ! -e "right-${left#left-}" || exit 1; done
exit 0
"""
LIMIT = 600.0


@dataclass
class Work:
    """Branches by what becomes of them: each of ``good`` lands, of ``red`` none, of each pair exactly one."""

    good: list[str] = field(default_factory=list)
    red: list[str] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)


def make_work(author: GitRepo, number: int) -> Work:
    """A tenth is red; of the pairs half conflicts in the text, half is red only where both are there."""
    work, count = Work(), 0

    def branch(files: dict[str, str | bytes]) -> str:
        nonlocal count
        count += 1
        author.branch(f"plan/{count:03}", files)
        return f"plan/{count:03}"

    for n in range(number // 10 or 1):
        work.red.append(branch({f"bad-{n}": "1\n"}))
        work.pairs.append((branch({f"left-{n}": "1\n"}), branch({f"right-{n}": "1\n"})))
        work.pairs.append((branch({f"both-{n}": "one\n"}), branch({f"both-{n}": "two\n"})))
    while count < number:
        work.good.append(branch({f"good-{count}": "1\n"}))
    return work


class Job(threading.Thread):
    """One machine's process, started again each time it is killed; the last one is left to its end."""

    def __init__(self, clone: GitRepo, number: int, kills: int) -> None:
        super().__init__(name=f"job-{number}", daemon=True)
        self._clone = clone
        self._random = random.Random(f"{SEED}-{number}")
        self._kills = kills
        self.ended: Counter[int] = Counter()
        self.last = ""

    def run(self) -> None:
        for _ in range(self._kills):
            self._once(killed=True)
        while self._once(killed=False) not in (0, 1):
            assert self.ended.total() < self._kills + 5, self.last

    def _once(self, *, killed: bool) -> int:
        """One ``planctl merge``: killed at its n-th effect, or with its git children after some time."""
        at_effect = killed and self._random.random() < 0.6
        env = {"PLANCTL_KILL_AT": f"*:{self._random.randint(20, 400)}"} if at_effect else {}
        process = subprocess.Popen(
            [*COMMAND, "merge", "--branches", "plan/*", "--remote", "origin"],
            cwd=self._clone.path, env={**os.environ, **env}, process_group=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        patience = self._random.uniform(0.5, 8) if killed and not at_effect else LIMIT
        try:
            self.last = process.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            self.last = process.communicate()[0]
        self.ended[process.returncode] += 1
        return process.returncode


def require_all(remote: Remote, work: Work) -> None:
    landed = {name for name in names(work) if is_in_main(remote, name)}
    assert set(work.good) <= landed, "nothing is lost"
    assert not landed & set(work.red)
    assert all(len(landed & {*pair}) == 1 for pair in work.pairs), "one of two, not both and not none"
    keys = remote.keys()
    assert len(keys) == len(set(keys)) == len(landed), "each landed once"
    assert sorted(keys) == sorted(remote.landed())
    for commit in remote.bare.git("rev-list", "--first-parent", "main").split():
        files = set(remote.bare.git("ls-tree", "--name-only", commit).splitlines())
        assert not [name for name in files if name.startswith("bad-")]
        assert not [name for name in files if name.replace("left-", "right-") in files - {name}], commit
    remote.bare.git("fsck", "--strict", "--no-dangling")


def names(work: Work) -> list[str]:
    return [*work.good, *work.red, *(name for pair in work.pairs for name in pair)]


def is_in_main(remote: Remote, branch: str) -> bool:
    return remote.bare.git("rev-list", "-1", f"refs/heads/{branch}", "^main") == ""


@pytest.mark.parametrize(
    ("processes", "branches", "kills"),
    [
        pytest.param(3, 6, 1, id="slice"),
        pytest.param(8, 200, 8, id="full", marks=(pytest.mark.stress, pytest.mark.timeout(3600))),
    ],
)
def test_p22_processes_on_three_clones_land_everything_once(
    repo: GitRepo, tmp_path: Path, processes: int, branches: int, kills: int, record_property: Record
) -> None:
    repo.write("check.sh", CHECK)
    remote = remote_of(repo, tmp_path / "there", check="sh check.sh")
    author = remote.clone("author")
    work = make_work(author, branches)
    remote.push(author, "--all")
    clones = [remote.clone(f"clone-{n}") for n in range(3)]
    local = {clone.path: clone.head("main") for clone in clones}
    jobs = [Job(clones[n % 3], n, kills) for n in range(processes)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(3000)
    ended = sum((job.ended for job in jobs), Counter[int]())
    assert not any(job.is_alive() for job in jobs), ended
    assert set(ended) <= {0, 1, -signal.SIGKILL}, [job.last[-2000:] for job in jobs]
    assert ended[-signal.SIGKILL] >= kills, "most are killed before they are done"
    require_all(remote, work)
    for clone in clones:
        with queue_at(clone) as queue:
            queue.drain()
            assert not queue.bench.store.intents({IntentState.OPEN})
        assert clone.head("main") == local[clone.path]
        assert clone.git("status", "--porcelain") == ""
        require_sound(clone)
        assert run("doctor", cwd=clone.path).code == 0
    landed, killed = len(remote.landed()), ended[-signal.SIGKILL]
    said = f"{processes} processes on 3 clones, killed {killed} times: {landed} of {branches} branches landed"
    record_property("held", f"{said}, each once, main green at every commit, nothing lost")
