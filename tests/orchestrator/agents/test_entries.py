"""planctl's entries in agents' settings: what is not ours keeps its bytes, and taken out all is as before."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from orchestrator.agents.entries import EMPTY, EntryState, Made, put_in, state_of, take_out
from orchestrator.agents.jsontext import NotJsonError, parsed
from orchestrator.agents.known import AGENTS, EVENTS, Agent
from worktrees.beside import AGENTS as DRAFTS

FOREIGN = """\
{
  // mine
  "model": "opus", /* the best */
  "hooks": {
    "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "guard.sh"}]}],
    "SessionStart": [
      {
        "matcher": "startup",
        "hooks": [{ "type": "command", "command": "echo 'hello'", "timeout": 5, }], // not yours
      },
    ],
  },
}
"""
FILES = {
    "empty object": "{}",
    "empty object, newline": "{}\n",
    "empty object on two lines": "{\n}\n",
    "spaces": "{   }\n",
    "a comment only": "{ // nothing yet\n}\n",
    "one line": '{"a": 1, "b": [true]}',
    "usual": '{\n  "a": 1,\n  "b": {\n    "c": 2\n  }\n}\n',
    "tabs": '{\n\t"a": 1\n}',
    "crlf": '{\r\n  "a": 1\r\n}\r\n',
    "crlf, empty hooks": '{\r\n  "hooks": {\r\n  }\r\n}\r\n',
    "bom": '\ufeff{\n  "a": 1\n}\n',
    "empty hooks": '{\n  "hooks": {}\n}\n',
    "empty event": '{\n  "hooks": {"SessionStart": [ ], "SessionEnd": [\n    ]}\n}\n',
    "trailing commas": '{\n  "a": 1, // last\n}\n',
    "foreign": FOREIGN,
    "foreign, flat": json.dumps(parsed(FOREIGN).value),
    "not ascii": '{\n  "name": "Zo\u00eb \U0001f600"\n}\n',
}


@pytest.fixture(params=list(AGENTS))
def agent(request: pytest.FixtureRequest) -> Agent:
    return AGENTS[request.param]


@pytest.mark.parametrize("before", FILES.values(), ids=FILES)
def test_s3_8_twice_is_once_and_taken_out_all_is_as_before(agent: Agent, before: str) -> None:
    after = put_in(before, agent)
    assert put_in(after, agent) == after
    assert state_of(after, agent) is EntryState.INSTALLED
    assert state_of(before, agent) is EntryState.ABSENT
    assert take_out(after, agent) == (before, Made.NOTHING)
    for event in EVENTS:
        groups = parsed(after).value["hooks"][event]
        assert groups[:-1] == parsed(before).value.get("hooks", {}).get(event, [])


@pytest.mark.parametrize("before", FILES.values(), ids=FILES)
def test_s3_8_every_byte_of_others_stays_in_its_order(agent: Agent, before: str) -> None:
    rest = iter(put_in(before, agent))
    assert all(character in rest for character in before), "what was there is a subsequence of what is"


def test_s3_8_what_others_write_meanwhile_stays(agent: Agent) -> None:
    text = put_in(EMPTY, agent, Made.FOLDER)
    mine = text.replace('{\n  "hooks"', '{\n  "mine": 1, // yes\n  "hooks"').replace(
        '"SessionEnd": [', '"SessionEnd": [\n      {"hooks": []},'
    )
    assert mine.count("mine") == 1
    left, made = take_out(mine, agent)
    assert made is Made.NOTHING
    assert parsed(left).value == {"mine": 1, "hooks": {"SessionEnd": [{"hooks": []}]}}
    assert "// yes" in left


@pytest.mark.parametrize("made", [Made.FILE, Made.FOLDER])
def test_s3_8_a_file_that_was_made_for_it_goes(agent: Agent, made: Made) -> None:
    assert take_out(put_in(EMPTY, agent, made), agent) == (EMPTY, made)
    assert take_out(put_in(EMPTY, agent), agent) == (EMPTY, Made.NOTHING)


def test_s3_8_an_entry_that_somebody_changed_is_theirs(agent: Agent) -> None:
    text = put_in("{}\n", agent)
    changed = text.replace(f'"timeout": {agent.timeout}', '"timeout": 9', 1)
    assert state_of(changed, agent) is EntryState.ALTERED
    left, _ = take_out(changed, agent)
    assert parsed(left).value["hooks"].keys() == {"SessionStart"}
    assert state_of(take_out(text.replace("SessionEnd", "Stop"), agent)[0], agent) is EntryState.ALTERED


def test_s3_8_agents_in_one_file_do_not_meddle() -> None:
    one = put_in("{}\n", AGENTS["claude"])
    both = put_in(one, AGENTS["gemini"])
    assert take_out(both, AGENTS["gemini"])[0] == one
    assert state_of(both, AGENTS["codex"]) is EntryState.ABSENT


@pytest.mark.parametrize("text", ["", "[]", '{"hooks": []}', '{"hooks": {"SessionEnd": {}}}', "{", "null"])
def test_s3_8_what_is_shaped_otherwise_is_left_alone(agent: Agent, text: str) -> None:
    with pytest.raises(NotJsonError):
        put_in(text, agent)


def test_s3_8_entries_are_as_the_makers_document_them(agent: Agent) -> None:
    hooks = json.loads(put_in(EMPTY, agent))["hooks"]
    assert list(hooks) == ["SessionStart", "SessionEnd"]
    for event, [group] in hooks.items():
        [handler] = group.pop("hooks")
        assert group == {}, "no matcher: every session"
        assert handler.keys() == {"type", "command", "timeout"}
        assert handler["type"] == "command"
        assert f"{agent.name} {EVENTS[event]}" in handler["command"]
        assert not re.search(r"\$(?:[A-Za-z_]\w*|\{)", handler["command"]), "Gemini would fill it in"
        assert not re.search(r"/(?:home|usr|tmp|opt)", handler["command"]), "no path of this machine"


def test_s3_8_the_command_is_silent_and_ends_well_where_nothing_is(agent: Agent, tmp_path: Path) -> None:
    for place, path in ((tmp_path, "/usr/bin:/bin"), (tmp_path, "/nowhere")):
        done = subprocess.run(
            ["/bin/sh", "-c", agent.command("SessionStart", "made-0k")],
            cwd=place,
            env={"PATH": path},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_drafts_beside_settings_are_looked_for() -> None:
    assert {str(agent.settings(Path())) for agent in AGENTS.values()} == set(DRAFTS)
