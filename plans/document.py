"""A plan file: bytes in, a plan and its problems out; and a task ticked without touching anything else.

Reading goes: size, encoding and characters; header and body apart; YAML to a bounded tree; the tree through
the table of keys; phases and tasks of the body. What one step refuses, the next ones need not fear.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from plans.assembly import assemble
from plans.body import Body, read_body, with_marks
from plans.codes import Code
from plans.edits import Edit, Fate, see, write_all
from plans.errors import InvalidNameError, InvalidPlansError, Problem, UnknownTaskError
from plans.header import HEADER, YAML_PLAN
from plans.ids import PlanId, TaskId
from plans.kinds import Reporter, has_errors
from plans.nodes import Fault, Node, Scalar, Table
from plans.onchange import OnChange
from plans.source import BOM, YAML, Parts, decode, is_plan_file, looks_like_markdown, split
from plans.yamltree import scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path, PurePath

    from plans.model import Plan

__all__ = ["ReadPlan", "is_plan_file", "read_plan", "save_tick", "save_ticks", "tick"]

_LINE: Final = re.compile("\n")


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a file gave: ``plan`` is None when one of ``problems`` is an error.

    ``id`` is the plan's id as far as it could be read, so that problems can be told by plan.
    """

    plan: Plan | None
    problems: tuple[Problem, ...]
    id: PlanId | None = None


def read_plan(path: Path, source: bytes) -> ReadPlan:
    """Read one plan file. Never raises for what is in it.

    ``path`` gives the form (by its ending), the id where the header has none, and the name in problems.
    """
    reporter = Reporter(path.as_posix())
    text, faults = decode(source)
    _report(reporter, faults)
    reporter.plan = _stem_id(path)
    if text is None or faults:
        return ReadPlan(None, reporter.finish(), _known_id(reporter))
    parts, fault = split(text, markdown=path.suffix.lower() not in YAML)
    if parts is None:
        _report(reporter, (fault,) if fault else ())
        return ReadPlan(None, reporter.finish(), _known_id(reporter))
    plan = _read_parts(parts, path, source, reporter)
    problems = reporter.finish()
    return ReadPlan(None if has_errors(problems) else plan, problems, _known_id(reporter))


def _read_parts(parts: Parts, path: Path, source: bytes, reporter: Reporter) -> Plan | None:
    scanned = scan(parts.header, first_line=parts.header_line)
    _report(reporter, scanned.faults)
    table = _header_table(scanned.root, parts, reporter)
    if table is None:
        return None
    record = HEADER if parts.body_at is not None else YAML_PLAN
    values: dict[str, Any] = record.read_keys(table, "", reporter)
    plan_id = values.get("plan") or _id_from_name(path, table, reporter)
    reporter.plan = plan_id
    body = _body_of(parts, table) or _body_without_places(table, reporter)
    body_text = parts.text[parts.body_at :] if parts.body_at is not None else values.get("body", "")
    values |= {"plan": plan_id, "body": body_text, "digest": _digest(parts.text, body)}
    return assemble(values, body, path, source, reporter)


def _header_table(root: Node | None, parts: Parts, reporter: Reporter) -> Table | None:
    if isinstance(root, Table):
        return root
    if reporter.problems:
        return None
    if root is None or (isinstance(root, Scalar) and root.is_empty):
        if parts.body_at is not None:
            return Table((), parts.header_line, 1)
        root = Scalar("", parts.header_line, 1)
    message = "the header is not made of 'key: value' lines"
    reporter.at(root, "", Code.HEADER_NOT_MAPPING, message, "write 'plan: some-id' and so on")
    return None


def _body_node(table: Table) -> Node | None:
    return next((node for key, node in table.entries if key.text == "body"), None)


def _body_of(parts: Parts, table: Table) -> Body | None:
    """The body where its place in the text is known: all of Markdown, a literal block of YAML."""
    if parts.body_at is not None:
        return read_body(parts.text, parts.body_at, first_line=parts.text.count("\n", 0, parts.body_at) + 1)
    node = _body_node(table)
    if not isinstance(node, Scalar) or not node.literal:
        return None
    starts = [0, *(found.end() for found in _LINE.finditer(parts.text)), len(parts.text)]
    lines = node.text.count("\n") + (not node.text.endswith("\n"))
    begin, end = (starts[min(n, len(starts) - 1)] for n in (node.line, node.line + lines))
    block = parts.text[begin:end].split("\n")
    indent = min((len(line) - len(line.lstrip(" ")) for line in block if line.strip()), default=0)
    return read_body(parts.text, begin, end, indent=indent, first_line=node.line + 1)


def _body_without_places(table: Table, reporter: Reporter) -> Body:
    """Of a body that is no literal block only the title: lines of the value are not lines of the file."""
    node = _body_node(table)
    if not isinstance(node, Scalar):
        return read_body("")
    body = read_body(node.text)
    if body.tasks or body.phases:
        hint = "write 'body: |' and the body below, indented"
        message = "phases and tasks have to stand in a literal block"
        reporter.at(node, "body", Code.BODY_NOT_LITERAL, message, hint)
    return replace(read_body(""), title=body.title)


def _digest(text: str, body: Body) -> str:
    """The same for LF and CRLF and with or without a byte order mark, since git may change these."""
    opened = with_marks(text, body.marks, " ").removeprefix(BOM).replace("\r\n", "\n")
    return hashlib.sha256(opened.encode("utf-8")).hexdigest()


def tick(source: bytes, task: TaskId, *, done: bool) -> bytes:
    """The file with one checkbox ticked (or opened); every other byte stays. The same bytes if it was so.

    Raises :class:`UnknownTaskError`, and :class:`InvalidPlansError` where no body can be made out.
    """
    text, faults = decode(source)
    markdown = text is not None and looks_like_markdown(text)
    parts, fault = split(text, markdown=markdown) if text is not None else (None, None)
    body = None
    if parts is not None:
        root = None if markdown else scan(parts.header).root
        body = _body_of(parts, root if isinstance(root, Table) else Table((), 1, 1))
    if text is None or body is None:
        reporter = Reporter("")
        _report(reporter, (*faults, *((fault,) if fault else ())))
        raise InvalidPlansError(reporter.finish()) if reporter.problems else UnknownTaskError(task)
    place = next((p for t, p in zip(body.tasks, body.places, strict=True) if t.id == task), None)
    if place is None:
        raise UnknownTaskError(task, tuple(t.id for t in body.tasks))
    if (text[place] != " ") == done:
        return source
    return with_marks(text, (place,), "x" if done else " ").encode("utf-8")


def save_tick(path: Path, task: TaskId, *, done: bool) -> bool:
    """Tick a task in the file; False where it was so already. Raises like :func:`tick`, and OSError.

    The new file appears whole or not at all. A file that is changed between the look and the writing is left
    as it is: :class:`ChangedMeanwhileError`. A link is followed, not replaced.
    """
    return save_ticks({path: (task,)}, done=done)[path] is Fate.WRITTEN


def save_ticks(
    tasks: Mapping[Path, Sequence[TaskId]],
    *,
    done: bool,
    on_change: OnChange = OnChange.ABORT,
    journal: Path | None = None,
    dry_run: bool = False,
) -> Mapping[Path, Fate]:
    """Tick tasks of several files, all or none; see :func:`plans.edits.write_all`. Raises as :func:`tick`."""
    edits = {}
    for path, wanted in tasks.items():
        seen = see(path.resolve(strict=True))
        ticked = seen.content or b""
        for task in wanted:
            ticked = tick(ticked, task, done=done)
        edits[path] = Edit(seen, ticked)
    fates = write_all(tuple(edits.values()), on_change, journal=journal, dry_run=dry_run)
    return dict(zip(edits, fates, strict=True))


def _report(reporter: Reporter, faults: tuple[Fault, ...]) -> None:
    for f in faults:
        reporter.add(Problem(reporter.path, f.code, f.message, f.line, f.column, hint=f.hint))


def _stem_id(path: PurePath) -> PlanId | None:
    try:
        return PlanId.parse(path.stem)
    except InvalidNameError:
        return None


def _known_id(reporter: Reporter) -> PlanId | None:
    return PlanId(reporter.plan) if reporter.plan else None


def _id_from_name(path: PurePath, table: Table, reporter: Reporter) -> PlanId | None:
    """The id in the file's name, unless the header names one: where that is wrong, there is no id."""
    if any(key.text == "plan" for key, _ in table.entries):
        return None
    found = _stem_id(path)
    if found is None:
        plain = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:64]
        hint = f"add 'plan: {plain or 'some-id'}' to the header"
        message = "the file's name is no plan id, and the header has no 'plan'"
        reporter.at(table, "plan", Code.BAD_ID, message, hint)
    return found
