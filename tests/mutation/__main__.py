"""``make mutate``: take each guard out of a copy of the sources; a test must fail.

    python -m tests.mutation [--table FILE] [GUARD ...]

Exit 1 when no test fails without a guard, when a patch does not fit the sources any more, or when the tests
fail with all guards in place.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutation.guards import GUARDS, Guard, StalePatchError
from tests.mutation.runs import Result, Sources

_HEAD = """\
# Guards, and the tests that fail without them

What keeps the queue safe, taken out of the sources one piece at a time, and the first of the tests that
failed without it. Made by `make mutate TABLE=docs/guards.md`, which fails when no test does, or
when the sources have changed so that it cannot be taken out. `make test` holds that each can be, and does
it for some.

| guard | what it is for | fails without it |
| --- | --- | --- |
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--table", type=Path, help="write the results there, as Markdown")
    parser.add_argument("guards", nargs="*", help="only these; all")
    asked = parser.parse_args(arguments)
    chosen = [guard for guard in GUARDS if not asked.guards or guard.name in asked.guards]
    unknown = {*asked.guards} - {guard.name for guard in chosen}
    if unknown:
        parser.error(f"there is no guard {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="planctl-guards-") as folder:
        return _try_all(Sources(Path(folder)), chosen, asked.table)


def _try_all(sources: Sources, chosen: list[Guard], table: Path | None) -> int:
    whole = sources.say(sorted({test for guard in chosen for test in guard.tests}))
    print(f"with all guards: exit {whole.code}, {whole.seconds:.0f} s", flush=True)
    if not whole.survived:
        print(whole.said)
        return 1
    results = {guard: _try(sources, guard) for guard in chosen}
    noticed = [guard for guard, result in results.items() if result is not None and result.caught]
    print(f"without {len(noticed)} of {len(chosen)} guards a test fails")
    if table is not None:
        table.write_text(_HEAD + "".join(_row(g, r) for g, r in results.items()), encoding="utf-8")
    return 0 if len(noticed) == len(chosen) else 1


def _try(sources: Sources, guard: Guard) -> Result | None:
    try:
        result = sources.without(guard)
    except StalePatchError as error:
        print(f"{guard.name:20} STALE: {error}", flush=True)
        return None
    said = f"fails: {result.by}" if result.caught else f"NOTHING FAILS, exit {result.code}"
    print(f"{guard.name:20} {result.seconds:5.0f} s  {said}", flush=True)
    if not result.caught and not result.survived:
        print(result.said)
    return result


def _row(guard: Guard, result: Result | None) -> str:
    by = f"`{result.by.partition('[')[0]}`" if result is not None and result.caught else "**nothing**"
    return f"| `{guard.name}` | {guard.what} | {by} |\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
