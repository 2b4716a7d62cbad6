"""What may become of a push to the remote of the model, laid ready for those that come next.

Clones push through a script in the place of ``git receive-pack`` (``remote.origin.receivepack``), and the
remote has a hook. A file lies ready for each push that does not go well; the next push takes it away.

| laid | the push |
| --- | --- |
| ``before`` | is cut before the server has read anything |
| ``after`` | is made, and the answer is lost |
| ``late`` | is cut, and the server makes it only when :meth:`Wire.deliver` says so |
| ``all`` | is refused by the hook |
| ``own`` | is refused by the hook where it holds references of planctl's own |
"""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path

from tests.support.remotes import Remote
from tests.support.repo import GitRepo

CUTS, REFUSALS = ("before", "after", "late"), ("all", "own")
_RECEIVE = """\
#!/bin/sh
for ready in {folder}/cut.*; do
    test -e "$ready" || break
    taken={folder}/met/${{ready##*/}}
    mv "$ready" "$taken" 2>/dev/null || continue
    git receive-pack --advertise-refs "$@"
    case $(cat "$taken") in
    after) git receive-pack --stateless-rpc "$@" >/dev/null 2>&1 ;;
    late) cat >"$taken.late.part" && mv "$taken.late.part" "$taken.late" ;;
    esac
    exit 1
done
exec git receive-pack "$@"
"""
_HOOK = """\
asked=$(cat)
for ready in {folder}/refuse.*; do
    test -e "$ready" || break
    taken={folder}/met/${{ready##*/}}
    mv "$ready" "$taken" 2>/dev/null || continue
    case $(cat "$taken"):$asked in
    all:* | own:*refs/planctl/*) echo "not now" >&2; exit 1 ;;
    esac
    exit 0
done
"""


class Wire:
    """Between the clones and the remote."""

    def __init__(self, folder: Path, remote: Remote) -> None:
        (folder / "met").mkdir(parents=True)
        quoted = shlex.quote(str(folder))
        self._script = folder / "receive-pack"
        self._script.write_text(_RECEIVE.format(folder=quoted))
        self._script.chmod(0o755)
        remote.hook(_HOOK.format(folder=quoted))
        self._folder, self._remote = folder, remote
        self._numbers = itertools.count()

    def clone(self, name: str) -> GitRepo:
        """A clone that pushes through it."""
        repo = self._remote.clone(name)
        for key, value in {
            "remote.origin.receivepack": shlex.quote(str(self._script)),
            "user.name": "Ada",
            "user.email": "ada@example.invalid",
        }.items():
            repo.git("config", key, value)
        return repo

    def lay(self, what: str, times: int) -> None:
        """So it befalls each of the next ``times`` pushes."""
        kind = "cut" if what in CUTS else "refuse"
        for _ in range(times):
            (self._folder / f"{kind}.{next(self._numbers):06}").write_text(what)

    def has_met(self, *what: str) -> int:
        """How many pushes that has befallen."""
        met = (path for path in (self._folder / "met").iterdir() if ".late" not in path.name)
        return sum(path.read_text() in what for path in met)

    def clear(self) -> None:
        """From now on all goes well."""
        for ready in (*self._folder.glob("cut.*"), *self._folder.glob("refuse.*")):
            ready.unlink()

    def deliver(self) -> None:
        """The server makes what it was pushed long ago, if it may."""
        for late in sorted((self._folder / "met").glob("*.late")):
            there = self._remote.bare
            there.git("receive-pack", "--stateless-rpc", str(there.path), stdin=late.read_bytes(), ok=False)
            late.unlink()
