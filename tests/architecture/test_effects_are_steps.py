"""Every effect on disk, store, references or processes happens inside a named step, where a test can kill.

An effect is inside a step when it is written inside ``with step(...)``, or stands in a function that is
called only from inside steps. Callers are found by name alone, in all three packages (a name that begins with
an underscore: in its file alone): whoever shares a name with another function counts as called from there
too, and a function that is passed on as a value counts as called outside. So the guard may ask for a step
that is not needed; of the calls that it knows it misses none.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("plans", "worktrees", "orchestrator")
_LOCK_FILE = "an empty lock file, made when missing and never removed: there is nothing half done about it"
_DOOR = "the door: each use of it is looked at"
_TEST_ONLY = "what steps themselves do"

# Functions with an effect outside a step, and why. The list may only shrink.
ALLOWED: dict[str, str] = {
    "plans/effects.py:_is_first": _TEST_ONLY,
    "plans/effects.py:_moment": _TEST_ONLY,
    "orchestrator/sessions/identity.py:_exists": "signal 0 asks whether a process is there",
    "worktrees/fetch.py:mirror_lock": _LOCK_FILE,
    "worktrees/followlock.py:take_over": _LOCK_FILE,
    "worktrees/git.py:Git._lock_file": _LOCK_FILE,
    "worktrees/journal.py:Journal.__init__": _LOCK_FILE,
    "worktrees/journal.py:Journal.wait_for_children": _LOCK_FILE,
    "worktrees/journal.py:journal_of": _LOCK_FILE,
    "worktrees/metadata_lock.py:metadata_lock": _LOCK_FILE,
    "worktrees/scratch.py:ScratchIndex.run": _DOOR,
    "worktrees/slot.py:run_in": _DOOR,
}

# On a path, a descriptor, os or shutil: the name alone says that something is changed.
CHANGING = {
    *("unlink", "rename", "renames", "rmdir", "rmtree", "write_text", "write_bytes", "mkdir", "makedirs"),
    *("removedirs", "symlink_to", "hardlink_to", "touch", "chmod", "lchmod", "fchmod", "chown", "lchown"),
    *("utime", "truncate", "ftruncate", "copy2", "copyfile", "copytree", "copystat", "copymode", "mkfifo"),
    *("copyfileobj", "mknod", "symlink", "mkstemp", "mkdtemp", "TemporaryDirectory", "NamedTemporaryFile"),
    *("killpg", "terminate", "send_signal", "pidfd_send_signal", "Popen", "posix_spawn", "forkpty"),
    *("executescript", "create_commit", "create_reference", "create_blob", "set_target"),
}
# Names that others use too, and of which module they are meant.
OF_MODULE = {
    "os": frozenset({"link", "kill", "replace", "remove", "fork"}),
    "shutil": frozenset({"copy", "move"}),
    "subprocess": frozenset({"run", "call", "check_call", "check_output"}),
    "odb": frozenset({"write"}),
}
WRITING_FLAGS = {"O_WRONLY", "O_CREAT", "O_TRUNC", "O_APPEND"}
# git's subcommands that change references, objects, an index, a work tree or a configuration.
GIT_WRITES = {
    *("add", "am", "apply", "branch", "checkout", "checkout-index", "cherry-pick", "clean", "commit"),
    *("commit-graph", "commit-tree", "config", "fetch", "gc", "hash-object", "merge", "merge-tree", "mktree"),
    *("mv", "notes", "pack-refs", "prune", "push", "read-tree", "rebase", "reflog", "remote", "repack"),
    *("replace", "reset", "restore", "revert", "rm", "sparse-checkout", "stash", "submodule", "switch"),
    *("symbolic-ref", "tag", "update-index", "update-ref", "worktree", "write-tree"),
}
# Words that make some of them only look.
LOOKS = {
    "commit-graph": {"verify"},
    "config": {"--get", "--get-all", "--get-regexp", "--list"},
    "sparse-checkout": {"list"},
    "stash": {"list", "show"},
    "submodule": {"status"},
    "worktree": {"list"},
    "symbolic-ref": {"-q"},
}
GIT_DOORS = {"run", "run_in", "_run"}
GIT_OPTIONS = {"--literal-pathspecs", "--no-optional-locks"}


@dataclass(frozen=True)
class Call:
    """One call: where, in which function, what it is called, and whether a step is around it."""

    file: str
    line: int
    function: str
    name: str
    in_step: bool
    effect: str | None


def is_step(item: ast.withitem) -> bool:
    called = item.context_expr
    return isinstance(called, ast.Call) and name_of(called.func).split(".")[-1] in {"step", "effects_step"}


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def text_of(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def effect_of(call: ast.Call, scope: ast.AST) -> str | None:
    """What the call changes, in words; None for one that changes nothing."""
    name = name_of(call.func)
    owner, _, last = name.rpartition(".")
    owner = owner.split(".")[-1]
    if last in GIT_DOORS and owner not in OF_MODULE:
        return git_effect(call)
    if last in {"open", "fdopen"}:
        return f"{name} for writing" if opens_for_writing(call, name, scope) else None
    if last in CHANGING or last in OF_MODULE.get(owner, ()):
        return name
    if last == "execute" and text_of(call.args[0] if call.args else None).startswith("COMMIT"):
        return "SQL COMMIT"
    if last in {"kill", "replace"} and owner not in {"dataclasses", ""}:
        # Path.replace has one argument, str.replace two; Popen.kill has none
        return name if len(call.args) == (last == "replace") and not call.keywords else None
    return None


def opens_for_writing(call: ast.Call, name: str, scope: ast.AST) -> bool:
    if name == "os.open":
        if name_of(call.args[0]) == "os.devnull":
            return False
        known = attributes_in(call.args[1])
        if isinstance(call.args[1], ast.Name):  # put together before: whatever the function mentions
            known |= attributes_in(scope)
        return bool(known & WRITING_FLAGS)
    method = isinstance(call.func, ast.Attribute) and name != "os.fdopen"
    given = call.args[0 if method else 1 :]
    return bool(set(text_of(keyword(call, "mode") or (given[0] if given else None))) & set("wax+"))


def attributes_in(node: ast.AST) -> set[str]:
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}


def git_effect(call: ast.Call) -> str | None:
    """A git command that writes, or that the caller says writes. One put together elsewhere must say so."""
    if getattr(keyword(call, "writes"), "value", None) is True:
        return "git that writes"
    words = [text_of(a) for a in call.args]
    known = [w for w in words if w and w not in GIT_OPTIONS]
    found = next((w for w in known if w in GIT_WRITES), None)
    if found is None or known[0] != found or LOOKS.get(found, set()) & {*words}:
        return None
    if (found == "hash-object" and "-w" not in words) or (found == "symbolic-ref" and words[-1] == "HEAD"):
        return None
    return f"git {found}"


class Reader(ast.NodeVisitor):
    """All calls of one file, and every name that is used other than by calling it."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self.file = file
        self.calls: list[Call] = []
        self.passed_on: set[str] = set()
        self._scopes: list[ast.AST] = [tree]
        self._names: list[str] = []
        self._steps = [0]
        self.visit(tree)

    def _inside(self, node: ast.AST, name: str) -> None:
        self._scopes.append(node)
        self._names.append(name)
        self._steps.append(0)
        self.generic_visit(node)
        self._steps.pop()
        self._names.pop()
        self._scopes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node, node.name)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node, node.name)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._inside(node, "lambda")

    def visit_With(self, node: ast.With) -> None:
        before = self._steps[-1]
        for item in node.items:  # those after the step are inside it
            self.visit(item)
            self._steps[-1] += is_step(item)
        for statement in node.body:
            self.visit(statement)
        self._steps[-1] = before

    def visit_Call(self, node: ast.Call) -> None:
        function = ".".join(self._names) or "<module>"
        called = name_of(node.func).split(".")[-1]
        effect = effect_of(node, self._scopes[-1])
        self.calls.append(Call(self.file, node.lineno, function, called, self._steps[-1] > 0, effect))
        if isinstance(node.func, ast.Attribute):
            self.visit(node.func.value)
        elif not isinstance(node.func, ast.Name):
            self.visit(node.func)
        for part in (*node.args, *node.keywords):
            self.visit(part)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.passed_on.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            self.passed_on.add(node.attr)
        self.visit(node.value)


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def known_as(file: str, name: str) -> str:
    return f"{file}:{name}" if name.startswith("_") else name


def outside_steps(files: Iterator[tuple[str, ast.Module]]) -> dict[str, list[str]]:
    """Functions ("file:function") with an effect that is in no step, and the effects."""
    readers = [Reader(file, tree) for file, tree in files]
    passed_on = {known_as(reader.file, name) for reader in readers for name in reader.passed_on}
    callers: dict[str, list[Call]] = defaultdict(list)
    for call in (call for reader in readers for call in reader.calls):
        callers[known_as(call.file, call.name)].append(call)

    def always_inside(of: Call, seen: frozenset[str]) -> bool:
        name = known_as(of.file, of.function.rpartition(".")[2])
        if name in passed_on or name in seen or not callers[name]:
            return False
        return all(c.in_step or always_inside(c, seen | {name}) for c in callers[name])

    found: dict[str, list[str]] = defaultdict(list)
    for call in (call for reader in readers for call in reader.calls):
        if call.effect and not call.in_step and not always_inside(call, frozenset()):
            found[f"{call.file}:{call.function}"].append(f"{call.effect} (line {call.line})")
    return found


def test_every_effect_is_inside_a_step() -> None:
    found = outside_steps(sources())
    new = {where: what for where, what in found.items() if where not in ALLOWED}
    said = "\n".join(f"{where}: {', '.join(what)}" for where, what in sorted(new.items()))
    assert not new, f'put `with step("room.effect"):` around\n{said}'
    assert not set(ALLOWED) - set(found), f"no longer needed: {sorted(set(ALLOWED) - set(found))}"


@pytest.mark.parametrize(
    "effect",
    [
        "path.unlink()",
        "Path(name).replace(other)",
        "os.replace(one, other)",
        "open(path, 'wb').write(x)",
        "path.open('a')",
        "path.open(mode='x')",
        "os.open(path, os.O_RDWR | os.O_CREAT)",
        "tempfile.mkdtemp()",
        "shutil.move(one, other)",
        "git.run('update-ref', '--stdin', writes=True)",
        "git.run('worktree', 'add', path)",
        "run_in(git, tree, 'checkout', '-f')",
        "index.run('update-index', '-z')",
        "self._repo.odb.write(kind, data)",
        "self.connection.execute('COMMIT')",
        "os.kill(pid, 9)",
        "process.kill()",
        "subprocess.Popen(argv)",
        "subprocess.run(argv)",
    ],
)
def test_the_guard_knows_an_effect(effect: str) -> None:
    def found(source: str) -> dict[str, list[str]]:
        return outside_steps(iter([("f.py", ast.parse(source))]))

    assert found(f"def f():\n    {effect}\n")
    assert not found(f"def f():\n    with step('x'):\n        {effect}\n")
    assert not found(f"def f():\n    {effect}\ndef g():\n    with step('x'):\n        f()\n")
    assert found(f"def f():\n    {effect}\ndef g():\n    with step('x'):\n        f()\ndef h():\n    f()\n")
    assert found(f"def f():\n    {effect}\ndef g():\n    with step('x'):\n        f()\n    h(f)\n")


@pytest.mark.parametrize(
    "look",
    [
        "text.replace('a', 'b')",
        "replace(record, state=x)",
        "path.open('rb')",
        "os.open(path, os.O_RDONLY)",
        "git.run('status', '-z')",
        "git.run('worktree', 'list')",
        "run_in(git, tree, 'ls-files')",
        "git.run('hash-object', '--stdin')",
    ],
)
def test_the_guard_lets_looking_pass(look: str) -> None:
    assert not outside_steps(iter([("f.py", ast.parse(f"def f():\n    {look}\n"))]))
