"""Commits, trees, history and differences, read and written in process; see ``odb.py`` for the ground."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import pygit2
from pygit2.enums import DiffFind, ObjectType, SortMode

from plans.effects import step
from worktrees import trees
from worktrees.bases import Bases
from worktrees.commit import Author, CommitText
from worktrees.errors import MissingObjectError
from worktrees.history import near_bases
from worktrees.odb import ObjectStore
from worktrees.trees import Entry, PathChange, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from worktrees.repository import Repository

    Nested: TypeAlias = Mapping[str, "tuple[int, str] | Nested"]


_KEPT: Final = 100_000  # entries kept in memory, about 20 MB


class Objects(ObjectStore):
    """The objects of one repository. Safe to share between threads."""

    def __init__(self, repository: Repository) -> None:
        """Open; raise :class:`UnsupportedRepositoryError` (SHA-256, reftable, unknown extensions)."""
        super().__init__(repository)
        self._entries: dict[str, dict[str, Entry]] = {}
        self._kept = 0
        self._near = Bases(self._look)
        self._looked: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._named: dict[tuple[str, str], tuple[tuple[str, Entry], ...]] = {}
        self._grown: set[tuple[str, str]] = set()

    def commit(self, commit: str) -> CommitText:
        """Return a commit, parsed; raise :class:`MissingObjectError` when ``commit`` is none."""
        parsed = CommitText.parse(self.read(commit))
        if parsed is None:
            raise MissingObjectError(commit)
        return parsed

    def tree_of(self, commit: str) -> str:
        """Return the id of the tree of a commit; the id of a tree is returned as it is."""
        parsed = CommitText.parse(self.read(commit))
        return parsed.tree if parsed else commit

    def has_commit(self, commit: str) -> bool:
        """Whether ``commit`` is the id of a commit that is here; any text may be asked for."""
        try:
            return isinstance(self._repo.get(commit), pygit2.Commit)
        except ValueError:
            return False

    def parents(self, commit: str) -> tuple[str, ...]:
        """Return the parents, in order; those beyond the edge of a shallow clone are left out."""
        self._is_shallow()
        return tuple(map(str, self._commit(commit).parent_ids))

    def message(self, commit: str) -> str:
        """Return the message as text."""
        return self.commit(commit).message

    def author(self, commit: str) -> Author:
        """Return (name, email, seconds since the epoch, minutes east of UTC) of the author."""
        return self.commit(commit).author

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """Return the entries of one tree object. Those of the trees read last are kept."""
        known = self._entries.get(tree)
        if known is None:
            known = trees.parse(self.read(tree))
            self._kept += len(known)
            if self._kept > _KEPT:
                self._entries.clear()
                self._kept = len(known)
            self._entries[tree] = known
        return known

    def is_growth(self, pair: tuple[str, str]) -> bool:
        """Whether two trees were found to be plain growth (``treemerge.py``): so for ever, being ids."""
        return pair in self._grown

    def note_growth(self, pair: tuple[str, str]) -> None:
        """Remember that they are."""
        if len(self._grown) > _KEPT:
            self._grown.clear()
        self._grown.add(pair)

    def entry(self, commit: str, path: str) -> Entry | None:
        """Return the entry at ``path`` in a commit or tree, or None."""
        found = Entry(trees.TREE, self.tree_of(commit))
        for part in path.split("/"):
            inner = self.entries(found.object).get(part) if found.is_tree else None
            if inner is None:
                return None
            found = inner
        return found

    def read_blob(self, commit: str, path: str) -> bytes | None:
        """Return the content of the file (or the target of the link) at ``path``, None when there is none."""
        found = self.entry(commit, path)
        if found is None or found.is_tree or found.mode == trees.GITLINK:
            return None
        return self.read(found.object)

    def regular_file(self, commit: str, path: str) -> bytes | None:
        """Return the content of the regular file at ``path``, None when there is none (a link is none)."""
        found = self.entry(commit, path)
        return self.read(found.object) if found is not None and found.is_regular else None

    def paths(self, commit: str) -> list[str]:
        """Return every path of a commit or tree: files, links and submodules."""
        once = trees.walk(lambda tree: trees.parse(self.read(tree)), self.tree_of(commit))
        return [path for path, _ in once]

    def named(self, commit: str, name: str) -> tuple[tuple[str, Entry], ...]:
        """Return path and entry of every file called ``name`` anywhere in a commit or tree.

        Folders that were looked through once are remembered by their id, so the next commit costs little.
        """
        return self._named_in(self.tree_of(commit), name)

    def _named_in(self, tree: str, name: str) -> tuple[tuple[str, Entry], ...]:
        known = self._named.get((tree, name))
        if known is not None:
            return known
        here, folders = trees.pick(self.read(tree), name.encode("utf-8", "surrogateescape"))
        found = [] if here is None else [(name, here)]
        for child, object_ in folders:
            found += [(f"{child}/{path}", entry) for path, entry in self._named_in(object_, name)]
        if len(self._named) > _KEPT:
            self._named.clear()
        self._named[tree, name] = tuple(found)
        return self._named[tree, name]

    # -- history ------------------------------------------------------------------------------------

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether ``commit`` is ``ancestor`` or contains it."""
        near = self.near_bases(commit, ancestor)
        if near is not None:
            return near == (ancestor,)
        asked = ("merge-base", "--is-ancestor", "--end-of-options", ancestor, commit)
        return self._git.run(*asked, ok=(0, 1)).status == 0

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """Return all best common ancestors; none for unrelated histories."""
        near = self.near_bases(one, other)
        if near is not None:
            return near
        stays = not self._is_shallow()
        asked = ("merge-base", "--all", "--end-of-options", one, other)
        found = tuple(self._git.run(*asked, ok=(0, 1)).text.split())
        if stays:
            self._near.note(one, other, found)
        return found

    def near_bases(self, tip: str, branch: str) -> tuple[str, ...] | None:
        """See ``bases.py``; no process."""
        if self._is_shallow():
            return near_bases(self._look, tip, branch)
        return self._near.near(tip, branch)

    def _look(self, commit: str) -> tuple[int, tuple[str, ...]]:
        known = self._looked.get(commit)
        if known is None:
            found = self._commit(commit)
            known = found.commit_time, tuple(map(str, found.parent_ids))
            if len(self._looked) > _KEPT:
                self._looked.clear()
            if known[1]:  # a shallow clone's edge has none until it is fetched further
                self._looked[commit] = known
        return known

    def _commit(self, commit: str) -> pygit2.Commit:
        found: object = self._repo.get(commit)
        if not isinstance(found, pygit2.Commit):
            raise MissingObjectError(commit)
        return found

    def commits(self, tip: str, *hidden: str, limit: int | None = None) -> tuple[str, ...]:
        """Return what ``tip`` contains and no ``hidden`` does, parents before children."""
        self._is_shallow()
        walker = self._repo.walk(tip, SortMode.TOPOLOGICAL if limit is None else SortMode.NONE)
        for unwanted in hidden:
            walker.hide(unwanted)
        found: list[str] = []
        for commit in walker:
            if len(found) == limit:
                break
            found.append(str(commit.id))
        return tuple(reversed(found))

    def first_parents(self, old: str, new: str) -> tuple[str, ...]:
        """Return the first-parent history of ``new`` that ``old`` does not contain, oldest first."""
        fresh = set(self.commits(new, old))
        found: list[str] = []
        tip = new
        while tip in fresh:
            found.append(tip)
            tip = next(iter(self.parents(tip)), "")
        return tuple(reversed(found))

    # -- differences --------------------------------------------------------------------------------

    def changes(self, old: str, new: str, *, renames: bool = False) -> tuple[PathChange, ...]:
        """Return what differs between two commits or trees, by ids, no blobs needed.

        With ``renames`` a deletion and an addition whose contents are at least half alike are one entry;
        that reads blobs (those that a partial clone lacks count as unlike).
        """
        before, after = self.tree_of(old), self.tree_of(new)
        found = tuple(trees.compare(self.entries, before, after))
        if not renames or not {Status.ADDED, Status.DELETED} <= {c.status for c in found}:
            return found
        return self._with_renames(found, before, after)

    def _with_renames(self, found: tuple[PathChange, ...], old: str, new: str) -> tuple[PathChange, ...]:
        diff = self._repo.get(old).diff_to_tree(self._repo.get(new))  # type: ignore[union-attr]
        with contextlib.suppress(pygit2.GitError, KeyError):  # blobs may be missing: then exact ones only
            diff.find_similar(DiffFind.FIND_RENAMES)
        sources = {
            _text(d.new_file.raw_path): _text(d.old_file.raw_path)
            for d in diff.deltas
            if d.status_char() == "R"
        }
        gone = {c.path: c for c in found if c.status is Status.DELETED}
        moved = {new: old for new, old in sources.items() if old in gone}
        result = []
        for change in found:
            if change.status is Status.ADDED and change.path in moved:
                was = gone[moved[change.path]]
                row = (was.old_mode, change.new_mode, was.old_object, change.new_object)
                result.append(PathChange(change.path, was.path, Status.RENAMED, *row))
            elif not (change.status is Status.DELETED and change.path in moved.values()):
                result.append(change)
        return tuple(result)

    # -- a second opinion -----------------------------------------------------------------------------

    def merged_by_libgit2(self, base: str | None, ours: str, theirs: str) -> str | None:
        """Return the tree that libgit2's own merge of two commits gives; None where it sees a conflict.

        It shares no code with git's merge. ``base`` is the commit used as the common ancestor; None: libgit2
        finds it, and makes a virtual one of several. Folder renames are not known to it.
        """
        try:
            if base is None:
                index = self._repo.merge_commits(ours, theirs)
            else:
                was, one, other = (self._repo[self.tree_of(c)].id for c in (base, ours, theirs))
                index = self._repo.merge_trees(was, one, other)
            if index.conflicts is not None:
                return None
            with step("objects.second"):
                return str(index.write_tree(self._repo))
        except (pygit2.GitError, KeyError):  # blobs that a partial clone lacks: then there is no opinion
            return None

    # -- writing ------------------------------------------------------------------------------------

    def write_commit(self, commit: CommitText, *, durable: bool = True) -> str:
        """Write a commit as it stands (unsigned) and, if ``durable``, flush; return its id."""
        object_ = self.write(ObjectType.COMMIT, commit.serialize(), durable=durable)
        if durable:
            self.flush()
        return object_

    def write_entries(self, entries: Mapping[str, Entry]) -> str:
        """Write one tree object, durable with the next flush; return its id."""
        return self.write(ObjectType.TREE, trees.serialize(entries))

    def write_tree(self, nested: Nested) -> str:
        """Write folders in folders durably: name to (mode, object) or to such a mapping; return the id."""
        object_ = self._write_nested(nested)
        self.flush()
        return object_

    def _write_nested(self, nested: Nested) -> str:
        entries = {
            name: Entry(*value) if isinstance(value, tuple) else Entry(trees.TREE, self._write_nested(value))
            for name, value in nested.items()
        }
        return self.write_entries(entries)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
