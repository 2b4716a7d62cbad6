"""The text of the scripts that planctl puts into a repository's hooks folder: POSIX sh, sealed by a hash.

- ``pre-commit``: asks planctl whether a plan's worktree may commit this.
- ``reference-transaction``: git calls it for every change of references, so it starts no Python. It refuses
  moves of the target, and changes of the stash in plans' worktrees. planctl's own git runs no hooks
  (``environment.NO_HOOKS``), so whoever asks it is somebody else.
- ``planctl-session``: not git's; the hooks of coding agents call it. Always exits 0, without waiting.

A hook of the user's that was there before stands beside planctl's, its name ending in :data:`KEPT`, and is
called first, with the same arguments and input; what it refuses is refused.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

from worktrees.mirror import shown_target
from worktrees.pointer import FILE, FOLDER

REFUSED: Final = 7
"""The entry's exit status for a commit that is refused: nothing that is broken ends so."""
KEPT: Final = ".before-planctl"
MADE: Final = b"# The folder was made for it.\n"
_ENTRY: Final = "import gc; gc.disable(); from orchestrator.cli.precommit import end; end()"
"""Without the collector 10 ms of 120 are saved: all that is loaded stays until the end."""
_SESSION: Final = "from orchestrator.cli.agenthook import main; main()"
_MARK: Final = b"#!/bin/sh\n# planctl: sha256 of what follows: "
_BAKED: Final = re.compile(rb"^python=(.*)\nplanctl=(.*)\n", re.MULTILINE)


class HookKind(StrEnum):
    """A script, by the name of its file."""

    PRE_COMMIT = "pre-commit"
    REFERENCES = "reference-transaction"
    SESSION = "planctl-session"


GIT_HOOKS: Final = (HookKind.PRE_COMMIT, HookKind.REFERENCES)

_CHAIN: Final = f"""\
kept=$0{KEPT}
[ ! -x "$kept" ] || "$kept" "$@" || exit
"""
_PRE_COMMIT: Final = f"""\
# Compares what is committed in a plan's worktree with what plans declared; elsewhere it does nothing.
# When planctl is missing or broken it says so and lets the commit through.
@BAKED@{_CHAIN}[ -f {FOLDER}/{FILE} ] || exit 0
said=$(git diff --cached --name-only --no-renames --no-ext-diff -z |
    "$python" -P -c '{_ENTRY}' 2>/dev/null)
case $? in
0) [ -z "$said" ] || printf '%s\\n' "$said" >&2 ;;
{REFUSED}) printf '%s\\n' "$said" >&2; exit 1 ;;
*) echo 'planctl could not be asked; this commit was not compared with its plan' >&2 ;;
esac
exit 0
"""
_REFERENCES: Final = f"""\
# The branch that planctl lands on moves by its merge queue only, and nobody stashes in a plan's worktree.
# Against accidents; planctl's own git runs no hooks. Where planctl is gone nothing is refused.
@BAKED@target=@TARGET@
kept=$0{KEPT}
relevant() {{ # the shell reads the first lines itself: a process costs more than all else here
    left=16
    while [ $left -gt 0 ] && IFS= read -r line; do
        left=$((left - 1))
        case $line in *" $target" | *' refs/stash') printf '%s\\n' "$line" ;; esac
    done
    [ $left -gt 0 ] || LC_ALL=C grep -F -e " $target" -e ' refs/stash'
}}
if [ -x "$kept" ]; then
    given=$(cat)
    printf '%s\\n' "$given" | "$kept" "$@" || exit
    [ "$1" = prepared ] || exit 0
    lines=$(printf '%s\\n' "$given" | relevant)
else
    [ "$1" = prepared ] || exit 0
    lines=$(relevant)
fi
[ -n "$lines" ] && [ -x "$python" ] && [ -f "$planctl" ] || exit 0

is_packing() {{ # old new name: `git pack-refs` deletes the file of what it has put into packed-refs
    case $2 in *[!0]*) return 1 ;; esac
    top=$(git rev-parse --git-common-dir) && [ -f "$top/$3" ] && grep -q -x -F "$1 $3" "$top/packed-refs" ||
        return
    # a deletion takes it out of there as well, and has the new list ready
    [ ! -f "$top/packed-refs.lock" ] || [ ! -f "$top/packed-refs.new" ] ||
        grep -q -x -F "$1 $3" "$top/packed-refs.new"
}}

guard_target() {{ # new
    [ "${{PLANCTL_ALLOW_MAIN-}}" = 1 ] && return
    [ -n "$now" ] || return # made, not moved
    cat >&2 <<'END'
planctl: refused: @BRANCH@ moves by the merge queue only.
  Commit on a branch, then `planctl queue add BRANCH`. To move it all the same: PLANCTL_ALLOW_MAIN=1 git ...
END
    case ${{GIT_REFLOG_ACTION-}} in pull* | merge*) ;; *) exit 1 ;; esac
    own=$(git rev-parse --git-dir) || exit 1
    back="git read-tree -m -u $1 HEAD"
    [ ! -f "$own/MERGE_HEAD" ] || back='git merge --abort'
    [ ! -d "$own/rebase-merge" ] || back='git rebase --abort'
    printf '%s\n' "  First take back what this has put into your files, and nothing else: $back" >&2
    exit 1
}}

guard_stash() {{
    [ -f .git ] && [ -f {FOLDER}/{FILE} ] || return
    own=$(git rev-parse --git-dir) || return
    for autostash in rebase-merge/autostash rebase-apply/autostash MERGE_AUTOSTASH; do
        [ ! -e "$own/$autostash" ] || return # refused, git would let go of these edits
    done
    case $1 in
    *[!0]*) cat >&2 <<'END' ;;
planctl: refused: no stash in a plan's worktree: all worktrees share one list, others would pop this entry.
  Commit on the plan's branch instead, or put edits of tracked files aside for this worktree alone:
  git update-ref refs/worktree/aside "$(git stash create)" && git reset --hard
  and take them back: git stash apply refs/worktree/aside
END
    *)  # dropped one by one, git has taken the last one off the list before it asks
        top=$(git rev-parse --git-common-dir) && [ -s "$top/logs/refs/stash" ] || return
        cat >&2 <<'END'
planctl: refused: the stash list is one for all worktrees; its entries are not this plan's to clear.
END
        ;;
    esac
    exit 1
}}

set -f
set -- $lines
while [ $# -ge 3 ]; do
    now=$(git rev-parse -q --verify "$3")
    if [ "$now" != "$2" ] && ! is_packing "$1" "$2" "$3"; then
        case $3 in
        "$target") guard_target "$2" ;;
        refs/stash) guard_stash "$2" ;;
        esac
    fi
    shift 3
done
exit 0
"""
_SESSION_SCRIPT: Final = f"""\
# Called by hooks of coding agents: planctl-session AGENT start|end, with the event on stdin.
# Never fails and never waits: planctl is told in the background, by a process that ends itself.
# An agent that runs as a plan's command is known already.
@BAKED@[ -z "${{PLANCTL_ATTEMPT-}}" ] || exit 0
[ -x "$python" ] && [ -f "$planctl" ] || exit 0
tell() {{ exec "$python" -P -c '{_SESSION}' "$@" >/dev/null 2>&1; }}
agent=$(ps -o ppid= -p "$PPID" 2>/dev/null) && [ -n "$agent" ] || exit 0 # whose session would it be?
case ${{CI-}} in "" | 0 | [Ff]alse | FALSE) ci= ;; *) ci=1 ;; esac
if [ -n "$ci" ] || [ "${{TERM-}}" = dumb ]; then
    (tell now "$1" "$2" $agent)
else
    exec 3<&0
    (tell later "$1" "$2" $agent) <&3 3<&- &
fi
exit 0
"""
_TEXTS: Final = {
    HookKind.PRE_COMMIT: _PRE_COMMIT,
    HookKind.REFERENCES: _REFERENCES,
    HookKind.SESSION: _SESSION_SCRIPT,
}


def script(kind: HookKind, target: str, *, made_folder: bool = False) -> bytes:
    """The script, for this planctl and ``target`` (a full reference name)."""
    baked = _baked(sys.executable, str(Path(__file__).resolve()))
    return _sealed(_filled(kind, target, baked), made_folder=made_folder)


def seal_of(content: bytes) -> bytes | None:
    """What the seal of a script of planctl's covers, None when it is broken or there is none."""
    if not content.startswith(_MARK):
        return None
    wanted, _, body = content.removeprefix(_MARK).partition(b"\n")
    return body if hashlib.sha256(body).hexdigest().encode() == wanted else None


def is_marked(content: bytes) -> bool:
    """Whether planctl wrote it once, whatever became of it."""
    return content.startswith(_MARK)


def is_current(kind: HookKind, body: bytes, target: str) -> bool:
    """Whether this planctl would write the same for ``target``, and the planctl that wrote it is still there.

    Several planctls may look after one repository; a script that another of them wrote is as good.
    """
    found = _BAKED.search(body)
    if found is None:
        return False
    python, planctl = (b"".join(map(str.encode, shlex.split(_text(part)))) for part in found.groups())
    if not (Path(_text(python)).exists() and Path(_text(planctl)).exists()):
        return False
    return body.removeprefix(MADE) == _filled(kind, target, found[0])


def _filled(kind: HookKind, target: str, baked: bytes) -> bytes:
    text = _TEXTS[kind].replace("@TARGET@", shlex.quote(target))
    return _bytes(text.replace("@BRANCH@", shown_target(target))).replace(b"@BAKED@", baked)


def _baked(python: str, planctl: str) -> bytes:
    return _bytes(f"python={shlex.quote(python)}\nplanctl={shlex.quote(planctl)}\n")


def _sealed(body: bytes, *, made_folder: bool) -> bytes:
    body = (MADE if made_folder else b"") + body
    return _MARK + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
