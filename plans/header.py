"""The header of a plan file: one table of keys that the reader and the JSON Schema are both made of."""

from __future__ import annotations

import re
from typing import Any, Final

from plans.codes import Code
from plans.errors import BadValueError
from plans.ids import PhaseId, PlanId
from plans.kinds import Word, choice, command, decimal, flag, number, text
from plans.model import PRIORITIES, Dependency, Manifest, Phase, Run, Until
from plans.patterns import PatternSet
from plans.quantities import duration
from plans.shapes import Key, Many, Named, Patterns, Record, WordOr
from plans.vocabulary import PLAN_PATTERN, branch, name, phase_id, plan_id

MAX_PRIORITY: Final = 1_000_000
MAX_RESOURCES: Final = 1_000_000
MAX_RETRIES: Final = 100
_PHASE_SUFFIX: Final = re.compile(r"(.+)\.[Pp]hase-?([0-9]{1,4}(?:\.[0-9]{1,4})*)")
_STATUS: Final = {
    "landed": Until.LANDED,
    "completed": Until.LANDED,
    "finished": Until.FINISHED,
    "started": Until.STARTED,
}
_NOT_OF_A_PHASE: Final = ("landed", "started")


def _manifest(values: dict[str, Any]) -> Manifest:
    return Manifest(values.get("write", PatternSet()), values.get("read", PatternSet()))


def _short_dependency(value: str) -> Dependency:
    """``core`` is a plan, ``core.phase2`` (or ``core.phase-2``) always a phase of ``core``.

    A plan whose own id ends so is named by the long form. The rule needs no other file, so a plan means
    the same whichever files lie beside it.
    """
    found = _PHASE_SUFFIX.fullmatch(value)
    if found:
        return Dependency(PlanId.parse(found[1]), Until.PHASE, PhaseId.parse(found[2]))
    return Dependency(PlanId.parse(value))


def _long_dependency(values: dict[str, Any]) -> Dependency:
    status: str = values.get("status", "completed")
    phase: PhaseId | None = values.get("phase")
    if phase is None:
        return Dependency(values["plan"], _STATUS[status])
    if status in _NOT_OF_A_PHASE:
        hint = "leave 'status' out: a phase is waited for until it is complete"
        raise BadValueError(Code.CONFLICTING_KEYS, f"a phase cannot be waited for until {status}", hint)
    return Dependency(values["plan"], Until.PHASE, phase)


def _run(values: dict[str, Any]) -> Run:
    if ("command" in values) == ("agent" in values):
        both = "command" in values
        code = Code.CONFLICTING_KEYS if both else Code.MISSING_KEY
        message = "either 'command' or 'agent' says what runs" + (", not both" if both else "")
        raise BadValueError(code, message)
    if "prompt" in values and "agent" not in values:
        raise BadValueError(Code.CONFLICTING_KEYS, "a 'prompt' is for an 'agent', not for a 'command'")
    return Run(
        values.get("command"),
        values.get("agent"),
        values.get("prompt", ""),
        tty=values.get("tty", False),
        profile=values.get("profile"),
    )


def _phase(values: dict[str, Any]) -> Phase:
    resources = values.get("resources", {})
    return Phase(values["name"], values.get("title", ""), values.get("files"), values.get("run"), resources)


def _phase_id(phase: Phase) -> PhaseId:
    return phase.id


FILES: Final = Record(
    {
        "write": Key(Patterns(), "Patterns of the files that are written, in order; ! takes away."),
        "read": Key(Patterns(), "Patterns of the files that are read."),
    },
    _manifest,
)
RUN: Final = WordOr(
    Word(lambda value: Run(command=value), command().schema(), many_lines=True),
    Record(
        {
            "command": Key(command(), "A command line for the shell."),
            "agent": Key(name("an agent"), "An agent of planctl.yaml."),
            "prompt": Key(command(), "What the agent is told."),
            "tty": Key(flag(), "Whether the command gets a pseudo terminal."),
            "profile": Key(name("a profile"), "The agent whose rate limits its output is read for."),
        },
        _run,
        {
            "oneOf": [{"required": ["command"]}, {"required": ["agent"]}],
            "dependentRequired": {"prompt": ["agent"]},
        },
    ),
)
RESOURCES: Final = Named(name("a resource"), number(1, MAX_RESOURCES))
DEPENDENCY: Final = WordOr(
    Word(
        _short_dependency,
        {
            "type": ["string", "number", "boolean"],
            "pattern": rf"^(?:{PLAN_PATTERN}|.*\.[Pp]hase-?[0-9.]+)$",
            "minimum": 0,
        },
    ),
    Record(
        {
            "plan": Key(plan_id(), "The plan that is waited for.", required=True),
            "phase": Key(phase_id(), "Until this phase of it is complete."),
            "status": Key(
                choice({word: word for word in _STATUS}),
                "Until it has landed (= completed), finished or started.",
            ),
        },
        _long_dependency,
        {
            "not": {
                "required": ["phase", "status"],
                "properties": {"status": {"enum": list(_NOT_OF_A_PHASE)}},
            }
        },
    ),
)
PHASE: Final = Record(
    {
        "name": Key(phase_id(), "The phase's id, as in '## Phase 2: …'.", required=True),
        "title": Key(text(), "What it is about."),
        "files": Key(FILES, "The files of this phase, narrowing the plan's."),
        "run": Key(RUN, "What does the work of this phase."),
        "resources": Key(RESOURCES, "What it needs while it runs."),
    },
    _phase,
)


def priority() -> Word[float]:
    """What may be said of how soon something is to go: a word of :data:`PRIORITIES`, or a number."""
    words = choice({word: float(value) for word, value in PRIORITIES.items()})
    numbers = decimal(-MAX_PRIORITY, MAX_PRIORITY)

    def parse(value: str) -> float:
        if value in PRIORITIES:
            return float(PRIORITIES[value])
        try:
            return numbers.parse(value)
        except BadValueError as error:
            hint = "write " + ", ".join(PRIORITIES) + " or a number"
            raise BadValueError(error.code, error.message, hint) from error

    return Word(parse, {"anyOf": [words.schema(), numbers.schema()]})


KEYS: Final = {
    "plan": Key(plan_id(), "The plan's id; else the file's name without its ending."),
    "title": Key(text(), "One line; else the body's first heading."),
    "priority": Key(priority(), "critical, high, medium, low or a number; more is sooner."),
    "branch": Key(branch(), "The branch of the work; plan/<id> if not said."),
    "base": Key(branch(), "What the work starts from; the target if not said."),
    "dependencies": Key(Many(DEPENDENCY), "What has to happen first."),
    "files": Key(FILES, "The files that the plan touches."),
    "resources": Key(RESOURCES, "Named resources needed while it runs; capacities are in planctl.yaml."),
    "conflicts_with": Key(Many(plan_id()), "Plans never to run at the same time, whatever the files."),
    "labels": Key(Many(name("a label")), "Matched against a session's capabilities."),
    "run": Key(RUN, "What does the work: a command line, or an agent with a prompt."),
    "check": Key(command(), "A check in addition to the target's."),
    "timeout": Key(duration(least=1), "The longest the command may take: 2h, 90s, 1h30m, seconds."),
    "retries": Key(number(0, MAX_RETRIES), "How often a failed command is run again."),
    "phases": Key(
        Many(PHASE, _phase_id, Code.DUPLICATE_PHASE),
        "Numbered stages that narrow files, command and resources.",
    ),
}
"""Every key of the header."""

BODY: Final = Key(command(), "The body, in a plan file that is YAML as a whole.")
HEADER: Final[Record[dict[str, Any]]] = Record(KEYS, dict)
YAML_PLAN: Final[Record[dict[str, Any]]] = Record({**KEYS, "body": BODY}, dict)
