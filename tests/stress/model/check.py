"""The check of the target in the model: it goes by the tree, and by what the test has laid ready beside it.

``<folder>/MARKER.N`` lies ready for a tree with the file MARKER: the first check that meets it takes it away
and does what it says. So a flaw of the check itself befalls exactly one check, whoever runs it.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

_SCRIPT = """\
for f in bad-*; do test -e "$f" && exit 1; done
test -e half-a && test -e half-b && exit 1
for ready in "$1"/own-*.?; do
    name=${ready##*/}
    test -e "$ready" && test -e "${name%.?}" || continue
    mv "$ready" "$1/met/" 2>/dev/null || continue
    case $(cat "$1/met/$name") in
    flake) exit 1 ;;
    none) exit 75 ;;
    kill) kill -9 $$ ;;
    hang) exec sleep 1000 ;;
    esac
done
exit 0
"""


class Steering:
    """What the next checks of a tree do against all reason."""

    def __init__(self, folder: Path) -> None:
        (folder / "met").mkdir(parents=True)
        (folder / "check.sh").write_text(_SCRIPT)
        self._folder = folder

    @property
    def command(self) -> str:
        return f"sh {shlex.quote(str(self._folder))}/check.sh {shlex.quote(str(self._folder))}"

    @property
    def settings(self) -> dict[str, Any]:
        """What of ``planctl.yaml`` says so."""
        return {"check": self.command, "check_timeout": 2}

    def lay(self, marker: str, flaw: str, times: int) -> None:
        """Each of the next ``times`` checks of a tree with ``marker`` ends so."""
        for number in range(times):
            (self._folder / f"{marker}.{number}").write_text(flaw)

    def has_met(self, flaw: str) -> int:
        """How many checks have ended so."""
        return sum(met.read_text() == flaw for met in (self._folder / "met").iterdir())

    def clear(self) -> None:
        """From now on the check goes by the tree alone."""
        for ready in self._folder.glob("own-*.?"):
            ready.unlink()
