"""`mailfold demo`: the whole pipeline on this machine, with a check that all its results agree."""

import time
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pipeline.cli.lookup import lookup_json, lookup_lines
from pipeline.cli.output import counted, progress, results, say, size, write_json
from pipeline.cli.stop_request import StopRequest, stop_requested_by_signal
from pipeline.cli.table import write_table
from pipeline.errors import MailfoldError
from pipeline.local.cloud import LocalCloud
from pipeline.local.demo import Demo, DemoReport
from pipeline.local.oracle import Oracle
from pipeline.local.resources import fresh_names
from pipeline.local.traffic.chaos import Chaos
from pipeline.policy import DEFAULT_POLICY

MAX_EMAILS = 1_000_000
DIGITS_SHOWN = 8  # of a digest, in the table of checks, so that it fits into 80 columns


class DisagreementError(MailfoldError):
    """What arrived differs from what was published."""


def demo_command(
    *,
    emails: Annotated[int, typer.Option(min=1, max=MAX_EMAILS, help="Number of e-mails to send.")] = 2_000,
    seed: Annotated[
        int,
        typer.Option(
            help="Seed of the simulation. The last five e-mails get new ids from SES, and so the digest differs."
        ),
    ] = 1,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Repeat, reorder, delay and drop events on their way.")
    ] = False,
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Endpoint of another emulator, to use in place of moto. Its new resources stay, under unique names.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Start a local cloud, send e-mails with various outcomes, show the results, and check that all numbers agree.

    Example: mailfold demo --emails 500 --chaos
    """
    started_s = time.monotonic()
    report = _run(emails=emails, seed=seed, chaos=Chaos(seed=seed) if chaos else None, endpoint_url=endpoint_url)
    if json:
        write_json(msgspec.to_builtins(report) | {"lookups": [lookup_json(result) for result in report.lookups]})
    else:
        print_report(report, seconds=time.monotonic() - started_s, to=results())
    if different := [check.name for check in report.checks if not check.agrees]:
        raise DisagreementError(f"{len(different)} of {len(report.checks)} numbers disagree: {'; '.join(different)}")


def print_report(report: DemoReport, *, seconds: float, to: Console) -> None:
    """Print a report as text."""
    say([f"{report.emails:,} e-mails sent; SES published {report.records_published:,} records"], to=to)
    _print_section("The log: events by type", _log_lines(report), to=to)
    _print_section("The feedback", _feedback_lines(report), to=to)
    _print_section("Athena", report.sql.splitlines(), to=to)
    write_table(report.answer, to=to)
    lookups = (line for result in report.lookups for line in lookup_lines(result))
    _print_section("Look-ups, as a sender makes them", lookups, to=to)
    _print_section("Replay", _replay_lines(report), to=to)
    _print_section("What must agree", (), to=to)
    to.print(_check_table(report))
    agreed = sum(check.agrees for check in report.checks)
    say(["", f"{agreed} of {len(report.checks)} numbers agree, after {seconds:.0f} s."], to=to)


def _run(*, emails: int, seed: int, chaos: Chaos | None, endpoint_url: str | None) -> DemoReport:
    """Run the demo in a new local cloud.

    Raises:
        KeyboardInterrupt: A signal arrived. The cloud is stopped in any case.
    """
    oracle = Oracle(policy=DEFAULT_POLICY)
    with stop_requested_by_signal() as stop, progress("{task.description}", BarColumn(), TimeElapsedColumn()) as bar:
        show = _Steps(bar, stop)
        show("starting the local cloud", 0, 1)
        with LocalCloud(
            endpoint_url=endpoint_url, seed=seed, chaos=chaos, observer=oracle.observe, names=fresh_names()
        ) as cloud:
            demo = Demo(cloud, oracle=oracle, policy=DEFAULT_POLICY, chaotic=chaos is not None, progress=show)
            return demo.run(emails=emails, seed=seed)


class _Steps:
    """Shows the step that runs, and interrupts the demo between steps if a stop was requested."""

    def __init__(self, bar: Progress, stop: StopRequest) -> None:
        self._bar, self._stop = bar, stop
        self._task = bar.add_task("", total=None)
        self._step = ""

    def __call__(self, step: str, completed: int, total: int) -> None:
        if self._stop.is_made():
            raise KeyboardInterrupt
        if step != self._step:
            self._bar.remove_task(self._task)
            self._step, self._task = step, self._bar.add_task(step, total=total if completed else None)
        self._bar.update(self._task, completed=completed)


def _print_section(title: str, lines: Iterable[str], *, to: Console) -> None:
    to.print(f"\n{title}", style="bold")
    say(lines, to=to)


def _log_lines(report: DemoReport) -> Iterator[str]:
    for kind, count in report.events.items():
        yield f"  {kind:<18} {count:>10,}"
    yield f"in {counted(report.objects, 'Parquet object')} of {size(report.object_bytes)}"


def _feedback_lines(report: DemoReport) -> Iterator[str]:
    consumed = f"{report.feedback_consumed:,} records consumed"
    yield f"{report.feedback_published:,} bounces and complaints published, {consumed}"
    yield f"{counted(sum(report.suppressed.values()), 'address', 'addresses')} suppressed in the table"
    for reason, count in sorted(report.suppressed.items(), key=lambda item: -item[1]):
        yield f"  {reason:<18} {count:>10,}"


def _replay_lines(report: DemoReport) -> Iterator[str]:
    if report.healed:
        healed = counted(report.healed.written, "item")
        yield f"{healed} of the live table healed: feedback was lost in transit, the log has it"
    rows, facts = counted(report.replayed.rows, "row"), counted(report.replayed.facts, "fact")
    yield f"{rows} of the log, {facts}, into an empty table: {counted(report.replayed.written, 'item')}"
    yield f"digest {report.digest}"


def _check_table(report: DemoReport) -> Table:
    table = Table("check")
    table.add_column("published", justify="right")
    table.add_column("arrived", justify="right")
    table.add_column()
    for check in report.checks:
        verdict = Text("agrees") if check.agrees else Text("DIFFERS", style="bold red")
        table.add_row(check.name, _shorten(check.expected), _shorten(check.actual), verdict)
    return table


def _shorten(text: str) -> str:
    return text if len(text) <= DIGITS_SHOWN else f"{text[:DIGITS_SHOWN]}…"
