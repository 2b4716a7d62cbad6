"""A remote that does not answer while plans of a run are at work: they go on, and land once it answers."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.gates import Gates
from tests.support.plans import commit_plans
from tests.support.process import end_of, run, start
from tests.support.remotes import remote_of
from tests.support.repo import GitRepo

IMPATIENT = """\
import os
from orchestrator.cli.main import main
from orchestrator.merging import remotewait

say = remotewait.say_unreachable

def told(bench, error):
    say(bench, error)
    remotewait.say_unreachable = say
    with open(os.environ["TOLD"], "w") as out:
        out.write("told")

remotewait.PATIENCE = 0.0
remotewait.say_unreachable = told
main()
"""
"""planctl that gives a remote up at once if it may, and says when it has stored that it waits for it."""


def test_p22_plans_at_work_do_not_end_by_a_remote_that_does_not_answer(
    repo: GitRepo, gates: Gates, tmp_path: Path
) -> None:
    plans: dict[str, dict[str, object]] = {n: {"run": gates.command(n, f"echo 1 > {n}")} for n in "ab"}
    commit_plans(repo, plans)
    remote = remote_of(repo, tmp_path / "there", remote="origin", check="test -e README.md")
    one, away = remote.clone("one"), remote.folder / "away.git"
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    told = tmp_path / "told"
    os.mkfifo(told)
    script = str(tmp_path / "impatient.py")
    process = start(
        "run-multi", "--all", "--json", cwd=one.path, env={"TOLD": str(told), "CI": "true"}, script=script
    )
    for name in "ab":
        gates.await_at(name)
    remote.bare.path.rename(away)
    gates.open("a")
    assert told.read_text() == "told"
    listed = run("queue", "list", "--json", cwd=one.path).data["entries"]
    assert [(e["plan"], e["reason"]["code"]) for e in listed] in ([], [("a", "remote-unreachable")])
    away.rename(remote.bare.path)
    gates.open("b")
    done = end_of(process)
    assert done.code == 0, (done.out, done.err)
    assert sorted(done.events[-1]["landed"]) == ["a", "b"]
    assert len(remote.keys()) == len(remote.landed()) == 2
