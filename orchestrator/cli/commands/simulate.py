"""``planctl simulate``: the queue's policies side by side, on a virtual clock."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from orchestrator.cli.context import Command, Invocation, pass_invocation
from plans.effects import step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.simulation.report import Row
    from orchestrator.simulation.workload import Recipe

_POLICIES: Final = ("serial", "batch", "prefix", "lanes", "ranked", "auto")
_NOT_SHOWN: Final = frozenset({"curve", "calibration"})
_SHARE: Final = click.FloatRange(0, 1)
_HEAD: Final = (
    "policy",
    "p50",
    "p95",
    "p99",
    "checks each",
    "stopped",
    "per landed",
    "minutes each",
    "wrong",
)


@click.command("simulate", cls=Command)
@click.option(
    "--policy", "policies", type=click.Choice(_POLICIES), multiple=True, help="Only these policies."
)
@click.option("--changes", type=click.IntRange(1), default=100, help="How many changes come to the queue.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Changes in an hour; all at once without."
)
@click.option("--slots", type=click.IntRange(1), default=1, help="Checks that can run at once.")
@click.option("--failure", type=_SHARE, default=0.05, help="Share of changes that fail by themselves.")
@click.option("--flake", type=_SHARE, default=0.0, help="Share of checks that are red by accident.")
@click.option(
    "--tries", type=click.IntRange(1), default=2, help="Red checks by itself by which a change is rejected."
)
@click.option(
    "--meets", type=_SHARE, default=1.0, help="Share of earlier changes that a change overlaps with."
)
@click.option("--breaks", type=_SHARE, default=0.0, help="Share of those that it truly breaks together with.")
@click.option(
    "--told", type=_SHARE, help="How often an outcome is estimated right; without, by --failure alone."
)
@click.option(
    "--files",
    type=click.IntRange(0),
    default=0,
    help="Changes are of a repository with so many files: these say what fails, and what overlaps.",
)
@click.option("--seeds", type=click.IntRange(1), default=5, help="How many times, each drawn anew.")
@click.option(
    "--priority", "priorities", type=int, multiple=True, help="Changes have one of these, each as often."
)
@click.option(
    "--arrivals",
    type=click.File(encoding="utf-8"),
    help="Changes that truly came, as CSV, in place of --changes and --rate.",
)
@click.option(
    "--plot", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Draw this SVG as well."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV, times in seconds.")
@pass_invocation
def command(
    invocation: Invocation, /, policies: tuple[str, ...], plot: Path | None, *, as_csv: bool, **options: Any
) -> None:
    """Compare policies of the queue: how long a change waits, and how many checks it costs.

    The planner decides about made-up or recorded changes on a virtual clock. Without accidents each
    simulation is held against what would land serially. The oracle knows every outcome beforehand. No
    repository is needed.
    """
    from orchestrator.cli.display.calibration import calibration_lines  # noqa: PLC0415 - as below
    from orchestrator.planning.policy import Policy  # noqa: PLC0415 - `--help` does without
    from orchestrator.simulation.report import Setting, compare  # noqa: PLC0415 - as above

    draw = _drawing() if plot else None
    slots, flake, seeds, tries = (options.pop(name) for name in ("slots", "flake", "seeds", "tries"))
    setting = Setting(_recipe(**options), slots, flake, range(seeds), tries)
    rows = list(compare(setting, [Policy(name) for name in policies or _POLICIES]))
    if plot and draw:
        with step("simulate.plot"):
            write_atomic(plot, draw(rows).encode(), durable=False)
    if invocation.as_json:
        found = {"rows": [_fields(row) for row in rows]}
        learned = [{"policy": row.policy, **asdict(row.calibration)} for row in rows if row.calibration]
        invocation.output.document({**found, **({"estimates": learned} if learned else {})})
    elif as_csv:
        invocation.output.text(_csv(rows))
    else:
        invocation.output.text(_table(rows))
        for row in rows:
            if row.calibration:
                for line in calibration_lines(f"estimates of {row.policy}", row.calibration):
                    invocation.output.text(*line)


def _recipe(*, arrivals: TextIO | None, priorities: tuple[int, ...], **options: Any) -> Recipe:
    from orchestrator.simulation.recorded import (  # noqa: PLC0415 - as above
        RecordedError,
        read_recorded,
        share_failed,
    )
    from orchestrator.simulation.workload import Recipe  # noqa: PLC0415 - as above

    recipe = Recipe(**{**options, "rate": options["rate"] or inf, "priorities": priorities or (50,)})
    if arrivals is None:
        return recipe
    try:
        recorded = read_recorded(arrivals)
    except (RecordedError, UnicodeDecodeError) as error:
        raise click.BadParameter(str(error), param_hint="--arrivals") from error
    failed = share_failed(recorded)
    return replace(recipe, recorded=recorded, failure=recipe.failure if failed is None else failed)


def _drawing() -> Callable[[Sequence[Row]], str]:
    """What draws, looked for before anything is simulated."""
    try:
        from orchestrator.simulation.plot import svg  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise click.UsageError("--plot needs leather: pip install 'planctl[plot]'") from error
    return svg


def _fields(row: Row) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in _NOT_SHOWN}


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_fields(rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_fields, rows))
    return text.getvalue().rstrip("\n")


def _table(rows: list[Row]) -> str:
    """Turnarounds as multiples of the oracle's, whose own are in minutes."""
    oracle, *others = rows
    waits = [f"{getattr(oracle, name) / 60:.0f} min" for name in ("p50", "p95", "p99")]
    lines = [_HEAD, (oracle.policy, *waits, *_costs(oracle))]
    for row in others:
        ratios = [f"{getattr(row, name) / getattr(oracle, name):.2f} x" for name in ("p50", "p95", "p99")]
        lines.append((row.policy, *ratios, *_costs(row)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )


def _costs(row: Row) -> tuple[str, ...]:
    return (
        f"{row.checks:.2f}",
        f"{row.stopped:.2f}",
        f"{row.per_landed:.2f}",
        f"{row.seconds / 60:.1f}",
        f"{row.wrong:.2%}",
    )
