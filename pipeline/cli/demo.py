"""`mailfold demo`: the whole pipeline on this machine, and the proof that all of it agrees."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pipeline.cli.lookup import lookup_json, lookup_lines
from pipeline.cli.output import progress, results, say, size, write_json
from pipeline.cli.table import write_table
from pipeline.errors import MailfoldError
from pipeline.policy import DEFAULT_POLICY

if TYPE_CHECKING:
    from pipeline.local.demo import DemoReport

MOST_EMAILS = 1_000_000
DIGITS_SHOWN = 8  # of a digest, in the table of checks, so that it fits into 80 columns


class DisagreementError(MailfoldError):
    """What arrived is not what was published."""


def demo_command(
    *,
    emails: Annotated[int, typer.Option(min=1, max=MOST_EMAILS, help="E-mails to send.")] = 2_000,
    seed: Annotated[int, typer.Option(help="What chance starts from: the same seed sends the same e-mails.")] = 1,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Repeat, reorder, delay and drop events on their way.")
    ] = False,
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Another emulator to stand in moto's place. What is made there stays, under names of its own.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Start a local cloud, send e-mails of mixed fate, show what became of them, and check that every number agrees.

    Example: mailfold demo --emails 500 --chaos
    """
    from pipeline.local.cloud import LocalCloud  # noqa: PLC0415 - heavy: moto, pyarrow, duckdb
    from pipeline.local.demo import Demo, Oracle  # noqa: PLC0415 - heavy: moto, pyarrow, duckdb
    from pipeline.local.resources import fresh_names  # noqa: PLC0415 - heavy: moto, pyarrow, duckdb
    from pipeline.local.traffic.chaos import Chaos  # noqa: PLC0415 - heavy: moto, pyarrow, duckdb

    began = time.monotonic()
    expectation = Oracle(policy=DEFAULT_POLICY)
    mischief = Chaos(seed=seed) if chaos else None
    with progress("{task.description}", BarColumn(), TimeElapsedColumn()) as shown:
        shown.add_task("starting the local cloud", total=None)

        def show(what: str, done: int, total: int) -> None:
            [task] = shown.tasks
            if task.description != what:
                shown.remove_task(task.id)
                shown.add_task(what, total=total if done else None)
            shown.update(shown.task_ids[0], completed=done)

        with LocalCloud(
            endpoint_url=endpoint_url, seed=seed, chaos=mischief, witness=expectation.see, names=fresh_names()
        ) as cloud:
            demonstration = Demo(cloud, expectation=expectation, policy=DEFAULT_POLICY, chaotic=chaos, progress=show)
            report = demonstration.run(emails=emails, seed=seed)
    if json:
        write_json(msgspec.to_builtins(report) | {"lookups": [lookup_json(answer) for answer in report.lookups]})
    else:
        print_report(report, seconds=time.monotonic() - began, to=results())
    if wrong := [check.what for check in report.checks if not check.agrees]:
        raise DisagreementError(f"{len(wrong)} of {len(report.checks)} numbers disagree: {'; '.join(wrong)}")


def print_report(report: "DemoReport", *, seconds: float, to: Console) -> None:
    """Print what happened, for people."""
    say([f"{report.emails:,} e-mails sent; SES published {report.records_published:,} records"], to=to)
    _section("The log: events by type", _log_in_words(report), to=to)
    _section("The feedback", _feedback_in_words(report), to=to)
    _section("Athena", report.sql.splitlines(), to=to)
    write_table(report.answer, to=to)
    _section("Look-ups, as a sender makes them", (line for one in report.lookups for line in lookup_lines(one)), to=to)
    _section("Replay", _replays_in_words(report), to=to)
    _section("What must agree", (), to=to)
    to.print(_checks(report))
    agreed = sum(check.agrees for check in report.checks)
    say(["", f"{agreed} of {len(report.checks)} numbers agree, after {seconds:.0f} s."], to=to)


def _section(title: str, lines: Iterable[str], *, to: Console) -> None:
    to.print(f"\n{title}", style="bold")
    say(lines, to=to)


def _log_in_words(report: "DemoReport") -> Iterator[str]:
    for kind, count in report.events.items():
        yield f"  {kind:<18} {count:>10,}"
    yield f"in {report.objects:,} Parquet objects of {size(report.object_bytes)}"


def _feedback_in_words(report: "DemoReport") -> Iterator[str]:
    consumed = f"{report.feedback_consumed:,} records consumed"
    yield f"{report.feedback_published:,} bounces and complaints published, {consumed}"
    yield f"{sum(report.suppressed.values()):,} addresses suppressed in the table"
    for reason, count in sorted(report.suppressed.items(), key=lambda item: -item[1]):
        yield f"  {reason:<18} {count:>10,}"


def _replays_in_words(report: "DemoReport") -> Iterator[str]:
    if report.healed:
        yield f"{report.healed.written:,} items of the live table healed: feedback was lost on its way, the log has it"
    yield (
        f"{report.replayed.rows:,} rows of the log, {report.replayed.facts:,} facts, into an empty table: "
        f"{report.replayed.written:,} items"
    )
    yield f"digest {report.digest}"


def _checks(report: "DemoReport") -> Table:
    shown = Table("what")
    shown.add_column("published", justify="right")
    shown.add_column("arrived", justify="right")
    shown.add_column()
    for check in report.checks:
        verdict = Text("agrees") if check.agrees else Text("DIFFERS", style="bold red")
        shown.add_row(check.what, _short(check.expected), _short(check.found), verdict)
    return shown


def _short(text: str) -> str:
    return text if len(text) <= DIGITS_SHOWN else f"{text[:DIGITS_SHOWN]}…"
