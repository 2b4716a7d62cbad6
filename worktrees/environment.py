"""The environment and the ``-c`` flags that every git child of planctl gets, each with its reason."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

# Would silently point git at another repository, index, object store or namespace, or write traces into
# files that the caller chose. AUTHOR, COMMITTER, SSH*, ASKPASS and CONFIG* are the user's and stay.
DROPPED: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CEILING_DIRECTORIES",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_DEFAULT_HASH",
    "GIT_REFLOG_ACTION",
    "GIT_INTERNAL_SUPER_PREFIX",
)
_DROPPED_PREFIXES: Final = ("GIT_TRACE",)

ADDED: Final = {
    "LC_ALL": "C",  # messages are read in tests and logs; never parsed for decisions
    "GIT_TERMINAL_PROMPT": "0",  # nobody sits before a queue worker
    "GIT_OPTIONAL_LOCKS": "0",  # reading must never take the user's index.lock
    "GIT_EDITOR": "true",  # a merge or commit must never open an editor
    "GIT_PAGER": "cat",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_NO_REPLACE_OBJECTS": "1",  # replace refs would make trees differ from what lands
}

FLAGS: Final = (
    "-c", "gc.auto=0",  # gc races with unreferenced candidates and outlives the write lock
    "-c", "maintenance.auto=false",  # as gc.auto
    "-c", "core.preferSymlinkRefs=false",  # a HEAD that is a link to a reference of another folder dangles
    "-c", "core.fsmonitor=false",  # would start a daemon per slot
    "-c", "submodule.recurse=false",  # submodules are handled by name, see provision
    "-c", "core.fsync=committed",  # git's default fsyncs neither references nor loose objects
    "-c", "grep.patternType=basic",  # trailers are found by patterns, also where the user's are fixed strings
    "-c", "log.showSignature=false",  # would mix what gpg says into what is read
    "-c", "advice.detachedHead=false",
    "-c", "checkout.workers=0",  # parallel checkout: as many as processors
    "-c", "checkout.thresholdForParallelism=2000",  # for fewer files processes cost more than they save
)  # fmt: skip
NO_HOOKS: Final = ("-c", f"core.hooksPath={os.devnull}")
"""Added to every call that does not ask for hooks: planctl's own steps are not the user's actions."""


def scrub(environment: MutableMapping[str, str]) -> None:
    """Remove from ``environment`` the variables that would point git elsewhere."""
    for name in list(environment):
        if name in DROPPED or name.startswith(_DROPPED_PREFIXES):
            del environment[name]
