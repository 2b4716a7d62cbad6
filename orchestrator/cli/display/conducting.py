"""Conduct a run for the command line: show it, end it in order on a signal, say how to go on."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.cli.display.feed import Feed
from orchestrator.cli.exits import DONE, NO
from orchestrator.cli.output import Colour
from orchestrator.scheduling.leaks import why
from orchestrator.scheduling.reasons import sentence
from orchestrator.services.resuming import take_over, with_options
from orchestrator.services.run import Conductor
from orchestrator.submitting.published import outputs_of
from plans.drawing.escape import one_line
from plans.errors import PlanctlError
from plans.ids import PlanId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from orchestrator.cli.display.interrupts import Interrupts
    from orchestrator.cli.display.table import LiveTable
    from orchestrator.cli.output import Output
    from orchestrator.scheduling.leaks import Leak
    from orchestrator.services.begin import Outlook
    from orchestrator.services.summary import Line, Summary
    from orchestrator.sessions.registry import SessionHandle
    from orchestrator.store.records import RunRecord
    from orchestrator.workbench import Workbench


_FEW: Final = 5
"""Files in the main checkout that point to nobody are named up to here."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a run is conducted from."""

    output: Output
    bench: Workbench
    session: SessionHandle
    interrupts: Interrupts


def conduct(stand: Stand, run: RunRecord, outlook: Outlook, seen: int = 0) -> int:
    """Bring ``run`` to its end and return the exit code; events up to ``seen`` are not shown.

    Raises InterruptedRunError after a signal has ended it in order.
    """
    output, bench, interrupts = stand.output, stand.bench, stand.interrupts
    conductor = Conductor(bench, stand.session, run, outlook, interrupts.signals)
    with _table(output, bench) as table:
        feed = Feed(output, bench.store, run.id, table)
        feed.skip_to(seen)
        try:
            summary = conductor.conduct(feed.show)
        except BaseException:
            with contextlib.suppress(PlanctlError):  # the first failure is the one to report
                feed.show()
            raise
        feed.show()
    interrupts.check_run(run.id)
    if not output.as_json:
        _say_summary(output, summary)
    return DONE if summary.succeeded else NO


@contextlib.contextmanager
def _table(output: Output, bench: Workbench) -> Iterator[LiveTable | None]:
    stream = output.live_stream()
    if stream is None or not output.has_colour():  # who wants no colour gets lines that scroll, too
        yield None
        return
    from orchestrator.cli.display.table import LiveTable  # noqa: PLC0415 - rich, for terminals only

    def log_of(plan: str) -> Path:
        return outputs_of(bench, PlanId(plan)).log

    with LiveTable(stream, bench.clock, log_of) as table:
        yield table


def _say_summary(output: Output, summary: Summary) -> None:
    """What became of each plan, what lets it go on, and how to do the failed ones again (S1.10)."""
    lists = {
        "landed": summary.landed,
        "finished": summary.finished,
        "failed": summary.failed,
        "skipped": summary.skipped,
    }
    output.text("")
    for line in summary.lines:
        if line.plan in summary.failed or line.plan in summary.skipped:
            output.text((f"  {line.plan}", Colour.BOLD), f" {line.state}: {_why(line)}")
            if line.cure:
                output.text(("    hint: ", Colour.DIM), line.cure)
    _say_leaks(output, summary.leaks)
    output.text(", ".join(f"{len(plans)} {name}" for name, plans in lists.items() if plans))
    if summary.failed:
        output.note(f"planctl retry {' '.join(summary.failed)}   does these again")


def _say_leaks(output: Output, leaks: Sequence[Leak]) -> None:
    """Files in the main checkout: those that point to a plan in full, of the others the first few."""
    for leak in leaks:
        if leak.plan:
            said = one_line(f"{leak.path} in the main checkout: {why(leak)}")
            output.text(("  note: ", Colour.YELLOW), said)
    others = [leak for leak in leaks if not leak.plan]
    if others:
        more = ", …" if len(others) > _FEW else ""
        which = one_line(", ".join(leak.path for leak in others[:_FEW]) + more)
        output.text(("  note: ", Colour.DIM), f"in the main checkout, yours if you wrote them: {which}")


def _why(line: Line) -> str:
    return sentence(line.why) or "no reason was stored"


def resume_run(stand: Stand, run: RunRecord, also: Callable[[], None] = lambda: None) -> int:
    """Take ``run`` over and bring it to its end; shows what happens from now on.

    ``also`` is done when it is taken over, in the same transaction.
    """
    stand.interrupts.check()
    before = stand.bench.store.events_after(0, run=run.id, limit=1_000_000)
    bench = with_options(stand.bench, run)
    run, outlook = take_over(bench, run, also)
    return conduct(replace(stand, bench=bench), run, outlook, before[-1].sequence if before else 0)
