"""Files that a person may be editing: never written over when they changed since they were read.

1. :func:`see` reads a file; its bytes are its fingerprint
2. :func:`write_all` takes back what an earlier, killed call with the same journal had half done
3. it locks the folders (``flock``: other planctls wait) and looks whether every file is as it was seen. Those
   that are not are a conflict: abort (nothing is written), skip those, or overwrite them
4. the journal says how all was, durably; then one file after another is replaced or made; the journal goes

Promise: all files are written or none, also after an error (taken back at once) and after a kill (taken back
by the next call). A file that a person changed after it was written is not taken back. Not promised:
anything against an editor that writes in the microseconds between the last look and the replacement.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from plans.effects import create_atomic, step, sync_folder, write_atomic
from plans.errors import ChangedMeanwhileError
from plans.onchange import OnChange
from plans.systems import WINDOWS, lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Fate(StrEnum):
    """What became of a file, or in a dry run would."""

    WRITTEN = "written"
    SKIPPED = "skipped"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was read: its real path, links followed, and its bytes; None: there was none."""

    path: Path
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Edit:
    """New content for a file as it was seen."""

    seen: Seen
    new: bytes


def see(path: Path) -> Seen:
    """Read a file that is to be written later. Raises :class:`OSError` for anything but a missing file."""
    real = path.resolve()
    return Seen(real, _read(real))


def write_all(
    edits: Sequence[Edit],
    on_change: OnChange = OnChange.ABORT,
    *,
    journal: Path | None = None,
    dry_run: bool = False,
) -> tuple[Fate, ...]:
    """Write all of ``edits`` or none; return what became of each. See the module's text.

    ``journal`` is a file in a folder of planctl's own, the same for every call that writes the same files;
    one edit needs none. A file that was not there is made, and never replaces another whatever ``on_change``
    says. Raises :class:`ChangedMeanwhileError` (nothing was written) and :class:`OSError` (taken back).
    """
    if journal is not None and not dry_run:
        recover(journal)
    with _locked(edits, wanted=not dry_run):
        found = [_read(edit.seen.path) for edit in edits]
        changed = [e for e, now in zip(edits, found, strict=True) if now not in (e.seen.content, e.new)]
        made = [e for e in changed if e.seen.content is None]
        if changed and (on_change is OnChange.ABORT or (made and on_change is OnChange.OVERWRITE)):
            raise ChangedMeanwhileError(tuple(e.seen.path for e in changed))
        todo = [
            (edit, now)
            for edit, now in zip(edits, found, strict=True)
            if now != edit.new and (edit not in changed or on_change is OnChange.OVERWRITE)
        ]
        if not dry_run:
            _apply(todo, journal)
    written = [edit for edit, _ in todo]
    return tuple(
        Fate.WRITTEN if e in written else Fate.SKIPPED if e in changed else Fate.UNCHANGED for e in edits
    )


def recover(journal: Path) -> tuple[Path, ...]:
    """Take back what a killed :func:`write_all` had written; returns those files. Harmless when none was."""
    try:
        noted = json.loads(journal.read_bytes())
    except FileNotFoundError:
        return ()
    back = [(Path(os.fsdecode(_bytes(path) or b"")), _bytes(old), _bytes(new)) for path, old, new in noted]
    found = [path for path, old, new in back if new is not None and _take_back(path, old, new)]
    with step("edits.recovered"):
        journal.unlink()
    return tuple(found)


def _apply(todo: Sequence[tuple[Edit, bytes | None]], journal: Path | None) -> None:
    if journal is not None and todo:
        rows = [[_text(os.fsencode(e.seen.path)), _text(now), _text(e.new)] for e, now in todo]
        with step("edits.journal"):
            write_atomic(journal, json.dumps(rows).encode("ascii"))
    done: list[tuple[Edit, bytes | None]] = []
    try:
        for edit, now in todo:
            done.append((edit, now))
            with step("edits.write"):
                _put(edit, now)
    except BaseException:
        for edit, now in reversed(done):
            _take_back(edit.seen.path, now, edit.new)
        raise
    finally:
        if journal is not None:
            with step("edits.done"):
                journal.unlink(missing_ok=True)


def _put(edit: Edit, now: bytes | None) -> None:
    path = edit.seen.path
    if now is not None:
        write_atomic(path, edit.new, last_look=lambda: _require_same(path, now))
    elif not create_atomic(path, edit.new):
        raise ChangedMeanwhileError((path,))


def _require_same(path: Path, now: bytes) -> None:
    """To make a file durable takes milliseconds, in which editors save."""
    if _read(path) != now:
        raise ChangedMeanwhileError((path,))


def _take_back(path: Path, old: bytes | None, new: bytes) -> bool:
    """Bring the old content back where the new one stands; somebody's later change is left alone."""
    if _read(path) != new:
        return False
    with step("edits.back"):
        if old is None:
            path.unlink()
            sync_folder(path.parent)
        else:
            write_atomic(path, old)
    return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _locked(edits: Sequence[Edit], *, wanted: bool) -> Iterator[None]:
    """Hold the folders of all files, in one order for everybody; they are not changed by that."""
    if WINDOWS or not wanted:
        yield
        return
    with contextlib.ExitStack() as stack:
        for folder in sorted({edit.seen.path.parent for edit in edits}):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, descriptor)
            lock(descriptor, wait=True)
        yield


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
