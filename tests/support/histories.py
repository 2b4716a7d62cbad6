"""Seeded random histories in which everything occurs that makes merges hard, written by git fast-import."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.support.repo import GitRepo

Files = dict[bytes, tuple[int, bytes]]  # path -> (mode, content, or the id of a submodule's commit)
DIRS = (b"src", b"src/deep", b"src/deep/er", b"docs", b"lib", b"n\xe9", b"with space")
NAMES = (b"a", b"b", b"c.txt", b"new\nline", b"caf\xe9", b"d\xc3\xa9j\xc3\xa0", b'quo"te', b"-dash", b"x.bin")
ATTRIBUTES = (
    b"* merge=union\n",
    b"*.txt -text\n*.bin binary\n",
    b"* text eol=crlf\n",
    b"a merge=binary\nb -merge\n",
    b"* text=auto\n*.txt eol=lf merge=union\n",
    b"a conflict-marker-size=3\n",
)


@dataclass
class Random:
    """One seeded source of trees and edits."""

    seed: int
    plain: bool = False  # edits and additions only: what the merge by tree ids is for
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def content(self, lines: int = 12) -> bytes:
        ending = self.rng.choice((b"\n", b"\n", b"\n", b"\r\n"))
        return b"".join(b"line %d%s" % (self.rng.randrange(500), ending) for _ in range(lines))

    def path(self, files: Files) -> bytes:
        for _ in range(50):
            name = self.rng.choice((b"", *(d + b"/" for d in DIRS))) + self.rng.choice(NAMES)
            if self.rng.random() < 0.5:
                name += b"%d" % self.rng.randrange(30)
            if fits(files, name):
                return name
        return b"spare%d" % self.rng.randrange(10**9)

    def start(self) -> Files:
        files: Files = {}
        for _ in range(self.rng.randrange(6, 25)):
            files[self.path(files)] = (0o100644, self.content())
        if self.rng.random() < 0.3:
            files[self.path(files)] = (0o160000, self.submodule())
        if self.rng.random() < 0.3:
            files[b".gitattributes"] = (0o100644, self.rng.choice(ATTRIBUTES))
        return files

    def submodule(self) -> bytes:
        return self.rng.randbytes(20).hex().encode()

    def edited(self, files: Files) -> Files:
        files = dict(files)
        plain = (self.edit, self.edit, self.add)
        every = (
            *(
                self.edit,
                self.edit,
                self.edit,
                self.add,
                self.delete,
                self.rename,
                self.rename,
                self.move_folder,
            ),
            *(self.mode, self.link, self.gitlink, self.attributes, self.file_to_folder, self.folder_to_file),
        )
        for _ in range(self.rng.randrange(1, 7)):
            self.rng.choice(plain if self.plain else every)(files)
        return files

    def pick(self, files: Files, *modes: int) -> bytes | None:
        names = sorted(n for n, (mode, _) in files.items() if mode in (modes or (0o100644, 0o100755)))
        names = [n for n in names if n != b".gitattributes"]
        return self.rng.choice(names) if names else None

    def edit(self, files: Files) -> None:
        if name := self.pick(files):
            mode, content = files[name]
            lines = content.splitlines(keepends=True)
            for _ in range(self.rng.randrange(1, 3)):
                at = self.rng.randrange(len(lines) + 1)
                lines[at : at + self.rng.randrange(2)] = [b"edit %d\n" % self.rng.randrange(50)]
            files[name] = (mode, b"".join(lines))

    def add(self, files: Files) -> None:
        files[self.path(files)] = (0o100644, self.content(self.rng.randrange(1, 15)))

    def delete(self, files: Files) -> None:
        if name := self.pick(files, 0o100644, 0o100755, 0o120000, 0o160000):
            del files[name]

    def rename(self, files: Files) -> None:
        if name := self.pick(files):
            value = files.pop(name)
            files[self.path(files)] = value
            if self.rng.random() < 0.4:
                self.edit(files)

    def move_folder(self, files: Files) -> None:
        old, new = self.rng.sample(DIRS, 2)
        new += self.rng.choice((b"", b"-moved"))
        for name in [n for n in files if n.startswith(old + b"/")]:
            target = new + name[len(old) :]
            value = files.pop(name)
            if fits(files, target):
                files[target] = value

    def mode(self, files: Files) -> None:
        if name := self.pick(files):
            mode, content = files[name]
            files[name] = (mode ^ 0o111, content)

    def link(self, files: Files) -> None:
        name = self.pick(files) if self.rng.random() < 0.5 else self.path(files)
        if name:
            files[name] = (0o120000, b"target%d" % self.rng.randrange(5))

    def gitlink(self, files: Files) -> None:
        name = self.pick(files, 0o160000) or self.path(files)
        files[name] = (0o160000, self.submodule())

    def attributes(self, files: Files) -> None:
        folder = self.rng.choice((b"", b"", *(d + b"/" for d in DIRS)))
        name = folder + b".gitattributes"
        if name in files or fits(files, name):
            files[name] = (0o100644, self.rng.choice(ATTRIBUTES))

    def file_to_folder(self, files: Files) -> None:
        if name := self.pick(files):
            value = files.pop(name)
            files[name + b"/" + self.rng.choice(NAMES)] = value

    def folder_to_file(self, files: Files) -> None:
        folder = self.rng.choice(DIRS)
        for name in [n for n in files if n.startswith(folder + b"/")]:
            del files[name]
        if fits(files, folder):
            files[folder] = (0o100644, self.content())


def fits(files: Files, name: bytes) -> bool:
    parents = {name[:i] for i, byte in enumerate(name) if byte == 47}
    return (
        name not in files and not parents & files.keys() and not any(f.startswith(name + b"/") for f in files)
    )


def write_history(repo: GitRepo, dice: Random) -> None:
    """Make branches ``ours`` and ``theirs``; in a quarter of the cases they have crossed before."""
    base = dice.start()
    ours, theirs = dice.edited(base), dice.edited(base)
    if dice.plain:
        theirs = disjoint(base, ours, theirs)
    stream = [commit(b"base", base, mark=1), commit(b"ours", ours, 2, 1), commit(b"theirs", theirs, 3, 1)]
    if not dice.plain and dice.rng.random() < 0.25:
        crossed = [dict(ours), dict(theirs)]
        for side, other in ((0, theirs), (1, ours)):
            for name, value in other.items():
                if fits(crossed[side], name) and dice.rng.random() < 0.7:
                    crossed[side][name] = value
        stream.append(commit(b"ours", dice.edited(crossed[0]), 4, 2, 3))
        stream.append(commit(b"theirs", dice.edited(crossed[1]), 5, 3, 2))
    repo.git("fast-import", "--quiet", "--force", stdin=b"".join(stream))


def disjoint(base: Files, ours: Files, theirs: Files) -> Files:
    """Of ``theirs``, what does not touch a path that ``ours`` touched."""
    kept = dict(base)
    for name, value in theirs.items():
        if (
            base.get(name) != value
            and ours.get(name) == base.get(name)
            and (name in kept or fits({**kept, **ours}, name))
        ):
            kept[name] = value
    return kept


def commit(branch: bytes, files: Files, mark: int, *parents: int) -> bytes:
    lines = [b"commit refs/heads/%s\nmark :%d\n" % (branch, mark)]
    lines.append(b"committer Bo <bo@example.invalid> %d +0000\ndata 2\nm\n\n" % (1_700_000_000 + mark))
    lines += [b"%s :%d\n" % (b"merge" if n else b"from", p) for n, p in enumerate(parents)]
    lines.append(b"deleteall\n")
    for name, (mode, content) in sorted(files.items()):
        if mode == 0o160000:
            lines.append(b"M 160000 %s %s\n" % (content, quoted(name)))
        else:
            lines.append(b"M %o inline %s\ndata %d\n%s\n" % (mode, quoted(name), len(content), content))
    return b"".join(lines)


def quoted(name: bytes) -> bytes:
    return (
        b'"'
        + b"".join(b"\\%03o" % b if b < 32 or b > 126 or b in b'"\\' else bytes([b]) for b in name)
        + b'"'
    )
