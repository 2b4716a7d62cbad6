"""What ``merge`` leaves for the systems of CI: JUnit XML, a summary in Markdown, annotations.

JUnit has no standard; what is written is what GitLab, Jenkins and actions of GitHub read of it: a case for
each entry, ``failure`` for work that is to blame, ``error`` for work that nothing can be said of yet.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Final

from orchestrator.cli.display import githubactions
from orchestrator.services.explaining import cure_of, state_of, why_of
from orchestrator.states import EntryState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.services.merge import Merged
    from orchestrator.store.records import Entry

_BLAMED: Final = frozenset({EntryState.CONFLICTED, EntryState.REJECTED})
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(merged: Merged) -> bytes:
    """The entries as test cases."""
    missing = merged.missing
    blamed = [entry for entry in missing if entry.state in _BLAMED]
    counts = {
        "tests": str(len(merged.entries)),
        "failures": str(len(blamed)),
        "errors": str(len(missing) - len(blamed)),
    }
    root = ET.Element("testsuites", {"name": "planctl merge", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "planctl merge", **counts})
    for entry in merged.entries:
        case = ET.SubElement(suite, "testcase", {"classname": "planctl.merge", "name": _clean(_name(entry))})
        if entry in missing:
            kind = "failure" if entry in blamed else "error"
            about = {"type": str(entry.state), "message": _clean(_why(entry))}
            ET.SubElement(case, kind, about).text = _clean("\n".join(_details(entry)))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()


def summary(merged: Merged) -> str:
    """A table of the entries in Markdown."""
    rows = [
        (_name(entry), state_of(entry, is_landed=entry.id in merged.landed), _why(entry))
        for entry in merged.entries
    ]
    head = f"### planctl merge: {len(merged.landed)} of {len(merged.entries)} landed\n\n"
    table = githubactions.table(("work", "state", "why"), rows) if rows else ""
    left = f"\nLeft out, still at work: {len(merged.at_work)}\n" if merged.at_work else ""
    odd = f"\nLeft out, names that are not UTF-8: {len(merged.not_text)}\n" if merged.not_text else ""
    return f"{head}{table}{left}{odd}\n"


def commands(merged: Merged) -> Iterator[str]:
    """Workflow commands: each entry that has not landed, at the first file that it is about."""
    for entry in merged.missing[: githubactions.MOST_ANNOTATIONS]:
        file = next(iter(entry.reason.get("paths", ())), "")
        yield githubactions.annotation("error", file, f"{_name(entry)} {entry.state}", _why(entry))


def _name(entry: Entry) -> str:
    return entry.plan or entry.branch


def _why(entry: Entry) -> str:
    return why_of(entry, is_served=True) or str(entry.state)


def _details(entry: Entry) -> Iterator[str]:
    yield _why(entry)
    yield from (str(line) for line in entry.reason.get("tail", ()))
    if entry.reason.get("log"):
        yield f"log: {entry.reason['log']}"
    if cure := cure_of(entry):
        yield f"hint: {cure}"


def _clean(text: str) -> str:
    """Without what XML cannot hold: control characters, and halves of characters."""
    return _NOT_XML.sub("\ufffd", text)
