"""Makers of broken and hostile plan files, each case from its own seed."""

from __future__ import annotations

import random
from typing import Final

from plans.templates import settings_template
from tests.plans.test_document import FULL, YAML_FORM

CORPUS: Final = (FULL.encode(), YAML_FORM.encode(), FULL.replace("\n", "\r\n").encode(), settings_template())

SNIPPETS: Final = (
    b"\0",
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\x1b]0;x\x07",
    b"\r",
    b"---\n",
    b"...\n",
    b"--- |\n",
    b"%YAML 1.1\n",
    b"%YAML " + b"9" * 5000 + b".1\n",
    b"&a ",
    b"*a ",
    b"!!python/object/apply:os.system ['touch pwned'] ",
    b"!<tag:yaml.org,2002:binary> ",
    b"<<: *a\n",
    b"[" * 100,
    b"{" * 100,
    b"- " * 100,
    b"? " * 100,
    b"]}",
    b'"\\UFFFFFFFF"',
    b'"\\0"',
    b'"\\ud800"',
    b"'",
    b'"',
    b"|9\n",
    b">-\n",
    b": ",
    b"\t",
    b"9" * 5000,
    b"1e" + b"9" * 400,
    b"0o17 0x1F 1_000 2024-13-45 23:59:61 .nan -.inf",
    b"../../etc/passwd",
    b"/etc/passwd",
    b"--force",
    b"a/../b",
    b"plan: x\nplan: y\n",
    b"~",
    b"k: 1\n" * 300,
    b"```\n",
    b"- [ ] 1.1 x\n",
    b"- [x]\n## Phase 1: y\n",
    b"## Phase " + b"9" * 500 + b": y\n",
    b"- [ ] " + b"9." * 300 + b" y\n",
    b"#" * 1000,
    b"`" * 1000,
    b" " * 5000,
    b"\n" * 2000,
)

PIECES: Final = (
    *tuple("[]{},:-?|>&*!%@`'\"#\\ \t\n"),
    "a",
    "plan: x",
    "files:",
    "  write:",
    "- ",
    "\n  ",
    "\n\n",
    "&a",
    "*a",
    "!t",
    "<<",
    "~",
    "0x1F",
    "é",
    "\u2028",
    "'",
    "|2\n   x\n",
    "run: ",
    "phases:\n- ",
    "{name: 1}",
    "dependencies: [",
    "true",
    "\ufeff",
)


def mutated(seed: int) -> bytes:
    """A good plan file with up to six things done to it."""
    chance = random.Random(seed)
    source = chance.choice(CORPUS)
    for _ in range(chance.randint(1, 6)):
        source = chance.choice(MUTATIONS)(source, chance, chance.randrange(len(source) + 1))
    return source


def _flip(source: bytes, chance: random.Random, at: int) -> bytes:
    flipped = bytearray(source)
    for place in range(at, min(at + chance.randint(1, 8), len(flipped))):
        flipped[place] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _cut_off(source: bytes, chance: random.Random, at: int) -> bytes:
    return source[at:] if chance.random() < 0.2 else source[:at]


def _insert(source: bytes, chance: random.Random, at: int) -> bytes:
    return source[:at] + chance.choice(SNIPPETS) + source[at:]


def _shuffle(source: bytes, chance: random.Random, at: int) -> bytes:
    lines = source[at:].split(b"\n")
    chance.shuffle(lines)
    return source[:at] + b"\n".join(lines)


def _delete(source: bytes, chance: random.Random, at: int) -> bytes:
    return source[:at] + source[at + chance.randint(1, 40) :]


def _repeat(source: bytes, chance: random.Random, at: int) -> bytes:
    return source[:at] + source[at : at + chance.randint(1, 200)] * 2 + source[at:]


def _replace_value(source: bytes, chance: random.Random, at: int) -> bytes:
    lines = source.split(b"\n")
    line = at % len(lines)
    key, _, _ = lines[line].partition(b":")
    lines[line] = key + b": " + chance.choice(SNIPPETS)
    return b"\n".join(lines)


MUTATIONS: Final = (_flip, _cut_off, _insert, _shuffle, _delete, _repeat, _replace_value)

REPEATED: Final = (
    "[",
    "{",
    "- ",
    "? ",
    "[a: ",
    "{a: ",
    "&a ",
    "*a ",
    "!",
    "'",
    '"',
    '"a": [',
    "a: &a [*a,",
    "%TAG ! !\n",
    "---\n",
    "a",
    "a ",
    "9",
    "#",
    "\n",
    " ",
    "\t",
    "a: |\n ",
    ",",
    "[a,",
    "k: v\n",
    "? a\n: b\n",
    "\\u0041",
    "-",
    "`",
    "[]",
    "a:\n ",
    "- - ",
)


def hostile(seed: int) -> bytes:
    """A YAML document that means harm: something repeated up to 100 kB, or a soup of pieces."""
    chance = random.Random(seed)
    if chance.random() < 0.4:
        unit = chance.choice(REPEATED)
        size = chance.choice((40, 400, 4_000, 65_000, 100_000))
        text = chance.choice(("", "a: ", "files: {write: ", 'a: "', "- ", "run: |\n  ")) + unit * (
            size // len(unit)
        )
    else:
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 60)))
    return text.encode()
