"""The text of a commit object: parsed and built byte for byte, without git and without pygit2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

_PERSON: Final = re.compile(rb"(.*?) ?<([^>\n]*)>(?: (-?\d+) ([-+])(\d\d)(\d\d))?", re.DOTALL)


class Author(NamedTuple):
    """Who and when: seconds since the epoch, offset in minutes east of UTC."""

    name: str
    email: str
    time: int
    offset: int

    def line(self) -> str:
        """The person as a commit names them."""
        hours, minutes = divmod(abs(self.offset), 60)
        sign = "-" if self.offset < 0 else "+"
        return f"{self.name} <{self.email}> {self.time} {sign}{hours:02}{minutes:02}"


@dataclass(frozen=True, slots=True)
class CommitText:
    """What a commit says. Text is written as UTF-8 with no encoding header; other bytes are surrogates."""

    tree: str
    parents: tuple[str, ...]
    author: Author
    committer: Author
    message: str

    @classmethod
    def parse(cls, data: bytes) -> CommitText | None:
        """Return the commit in a raw object, or None when the object is no commit."""
        if not data.startswith(b"tree ") or data[45:46] != b"\n":
            return None
        head, _, body = data.partition(b"\n\n")
        lines = [line.partition(b" ") for line in head.split(b"\n") if not line.startswith(b" ")]
        fields = {key: value for key, _, value in reversed(lines)}
        encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
        return cls(
            tree=fields[b"tree"].decode("ascii"),
            parents=tuple(value.decode("ascii") for key, _, value in lines if key == b"parent"),
            author=_person(fields.get(b"author", b""), encoding),
            committer=_person(fields.get(b"committer", b""), encoding),
            message=_decoded(body, encoding),
        )

    def serialize(self) -> bytes:
        """Return the raw object."""
        head = [f"tree {self.tree}", *(f"parent {p}" for p in self.parents)]
        head += [f"author {self.author.line()}", f"committer {self.committer.line()}"]
        return ("\n".join(head) + "\n\n" + self.message).encode("utf-8", "surrogateescape")


def _person(line: bytes, encoding: str) -> Author:
    found = _PERSON.match(line)
    if not found:
        return Author("", "", 0, 0)
    name, email, time, sign, hours, minutes = found.groups()
    offset = int(hours or 0) * 60 + int(minutes or 0)
    who = (_decoded(name, encoding), _decoded(email, encoding))
    return Author(*who, int(time or 0), -offset if sign == b"-" else offset)


def _decoded(data: bytes, encoding: str) -> str:
    """Text of ``data``; what the named encoding cannot read is kept as bytes, in surrogates."""
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return data.decode("utf-8", "surrogateescape")
