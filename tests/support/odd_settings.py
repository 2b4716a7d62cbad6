"""Odd settings and filters: each function sets one in the repository where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.oddities import Odd, configured

if TYPE_CHECKING:
    from tests.support.repo import GitRepo

NOISY: Final = (
    "status.showUntrackedFiles=no", "status.relativePaths=true", "status.branch=true", "color.ui=always",
    "column.ui=always", "core.quotePath=false", "core.abbrev=5", "core.pager=false", "pager.log=false",
    "log.showSignature=true", "log.date=relative", "log.decorate=full", "format.pretty=oneline",
    "diff.external=false", "diff.noprefix=true", "diff.mnemonicPrefix=true", "diff.renames=copies",
    "merge.conflictStyle=diff3", "merge.ff=only", "pull.rebase=true", "branch.autoSetupMerge=always",
    "branch.autoSetupRebase=always", "checkout.defaultRemote=nowhere", "checkout.guess=true",
    "submodule.recurse=true", "fetch.prune=true", "commit.cleanup=scissors", "commit.verbose=2",
    "core.commentChar=%", "core.editor=false", "sequence.editor=false", "grep.lineNumber=true",
    "grep.patternType=fixed",
    "apply.whitespace=error", "interactive.singleKey=true", "alias.status=log",
    "core.logAllRefUpdates=always", "rerere.enabled=true", "rerere.autoUpdate=true", "help.autoCorrect=1",
    "stash.showPatch=true", "tag.forceSignAnnotated=true", "tag.gpgSign=true",
    "transfer.hideRefs=refs/planctl", "worktree.guessRemote=true", "advice.statusHints=true",
)  # fmt: skip
"""Settings that change what git prints or does by default."""
POINTER: Final = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def filtered(name: str, **settings: str) -> Odd:
    """A file behind ``filter=NAME``, checked in before the filter is set up."""

    def make(repo: GitRepo) -> GitRepo:
        attributes = repo.path / ".gitattributes"
        lines = attributes.read_text() if attributes.exists() else ""
        lines += f"*.{name} filter={name} -text\n"
        repo.commit("a pointer", {".gitattributes": lines, f"big.{name}": POINTER})
        configured(*(f"filter.{name}.{key}={value}" for key, value in settings.items()))(repo)
        (repo.path / f"big.{name}").unlink()
        repo.git("checkout", "--", f"big.{name}", ok=False)
        return repo

    return make


def commit_encoding(repo: GitRepo) -> GitRepo:
    repo.git("config", "i18n.commitEncoding", "latin1")
    repo.write("cafe", "x")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-F", "-", stdin="caf\xe9".encode("latin1"))
    return repo


def included(repo: GitRepo) -> GitRepo:
    """Identity and more come from files that the configuration includes; some are not there."""
    repo.write("../shared config", "[user]\n\tname = Included\n")
    repo.write("../only here", "[user]\n\temail = included@example.invalid\n")
    repo.git("config", "--unset-all", "user.name")
    repo.git("config", "--unset-all", "user.email")
    repo.git("config", "include.path", "../../shared config")
    repo.git("config", "--add", "include.path", "../../missing")
    repo.git("config", f"includeIf.gitdir:{repo.path.parent}/.path", str(repo.path.parent / "only here"))
    repo.git("config", "includeIf.gitdir:/nowhere/.path", "../missing")
    return repo


def hooks_that_talk_or_hang(repo: GitRepo) -> GitRepo:
    """Hooks that print, and then do not end."""
    for name in ("post-checkout", "reference-transaction", "pre-commit", "post-index-change", "post-commit"):
        script = f"#!/bin/sh\necho talk of {name}\necho >> '{repo.path}/.git/ran'\nsleep 600\n"
        repo.write(f".git/hooks/{name}", script).chmod(0o755)
    return repo


def monitored(repo: GitRepo) -> GitRepo:
    """A file system monitor that knows of no change."""
    monitor = repo.write(".git/monitor", "#!/bin/sh\nprintf 'token\\0'\n")
    monitor.chmod(0o755)
    repo.git("config", "core.fsmonitor", str(monitor))
    repo.git("config", "core.fsmonitorHookVersion", "2")
    repo.git("status")
    return repo


def split_index(repo: GitRepo) -> GitRepo:
    repo.git("config", "core.splitIndex", "true")
    repo.git("update-index", "--split-index")
    repo.commit("split", {"more.txt": "more\n"})
    assert list((repo.path / ".git").glob("sharedindex.*"))
    return repo


def index_version_4(repo: GitRepo) -> GitRepo:
    repo.git("config", "index.version", "4")
    repo.git("update-index", "--index-version", "4")
    return repo


def untracked_cache(repo: GitRepo) -> GitRepo:
    repo.git("config", "feature.manyFiles", "true")
    repo.git("update-index", "--force-untracked-cache")
    repo.git("status")
    return repo


def no_symlinks(repo: GitRepo) -> GitRepo:
    (repo.path / "link").symlink_to("README.md")
    repo.commit("a link")
    repo.git("config", "core.symlinks", "false")
    (repo.path / "link").unlink()
    repo.git("checkout", "--", "link")
    assert not (repo.path / "link").is_symlink()
    return repo


def no_file_mode(repo: GitRepo) -> GitRepo:
    repo.write("tool", "#!/bin/sh\n").chmod(0o755)
    repo.commit("a tool")
    repo.git("config", "core.fileMode", "false")
    (repo.path / "tool").chmod(0o644)
    assert repo.git("status", "--porcelain") == ""
    return repo


def precomposed(repo: GitRepo) -> GitRepo:
    repo.git("config", "core.precomposeUnicode", "true")
    repo.commit("both forms", {"caf\u00e9": "composed\n", "cafe\u0301": "decomposed\n"})
    return repo


SETTINGS: Final[dict[str, Odd]] = {
    "noisy-settings": configured(*NOISY),
    "symlink-references": configured("core.preferSymlinkRefs=true"),
    "commit-encoding": commit_encoding,
    "include": included,
    "safe-crlf": configured("core.autocrlf=input", "core.safecrlf=true"),
    "no-symlinks": no_symlinks,
    "no-file-mode": no_file_mode,
    "precompose-unicode": precomposed,
    "lfs-not-set-up": filtered("pointer"),
    "lfs": filtered("lfs", smudge="sed 's/size 1/size one/'", clean="sed 's/one/1/'", required="true"),
    "lfs-optional": filtered("spare", smudge="no-git-lfs smudge -- %f", clean="no-git-lfs clean -- %f"),
    "slow-filter": filtered("slow", smudge="sleep 0.2; cat", clean="cat"),
    "shared-repository": configured("core.sharedRepository=group"),
    "index-version-4": index_version_4,
    "many-files-feature": untracked_cache,
    "split-index": split_index,
    "fsmonitor": monitored,
    "hooks-that-hang": hooks_that_talk_or_hang,
}
"""In an order in which all can be set in one repository."""
LFS_MISSING: Final = filtered("lfs", process="no-git-lfs filter-process", required="true")
