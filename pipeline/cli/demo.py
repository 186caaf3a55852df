"""`mailfold demo`: the whole pipeline on this machine, and the proof that all of it agrees."""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipeline.cli.lookup import as_json, in_words
from pipeline.cli.query import table
from pipeline.cli.words import results, size, to_people
from pipeline.errors import MailfoldError
from pipeline.policy import DEFAULT_POLICY

if TYPE_CHECKING:
    from pipeline.local.demonstration import Report

MOST_EMAILS = 1_000_000
DIGITS_SHOWN = 16  # of a digest, in the table of checks


class DisagreementError(MailfoldError):
    """What arrived is not what was published."""


def demo_command(
    *,
    emails: Annotated[int, typer.Option(min=1, max=MOST_EMAILS, help="E-mails to send.")] = 2_000,
    seed: Annotated[int, typer.Option(help="What chance starts from: the same seed sends the same e-mails.")] = 1,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Repeat, reorder, delay and drop events on their way.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Start a local cloud, send e-mails of mixed fate, show what became of them, and check that every number agrees.

    Example: mailfold demo --emails 20000 --chaos
    """
    from pipeline.local.chaos import Chaos  # noqa: PLC0415 - heavy: moto, pyarrow, duckdb
    from pipeline.local.cloud import LocalCloud  # noqa: PLC0415
    from pipeline.local.demonstration import Demonstration  # noqa: PLC0415
    from pipeline.local.expectation import Expectation  # noqa: PLC0415

    began = time.monotonic()
    expectation = Expectation(policy=DEFAULT_POLICY)
    mischief = Chaos(seed=seed) if chaos else None
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=to_people(), transient=True) as progress:
        task = progress.add_task("starting the local cloud", total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total if done else None)

        with LocalCloud(seed=seed, chaos=mischief, witness=expectation.see) as cloud:
            demonstration = Demonstration(
                cloud, expectation=expectation, policy=DEFAULT_POLICY, chaotic=chaos, progress=show
            )
            report = demonstration.run(emails=emails, seed=seed)
    if json:
        told = msgspec.to_builtins(report) | {"lookups": [as_json(answer) for answer in report.lookups]}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        tell(report, seconds=time.monotonic() - began, to=results())
    if wrong := [check.what for check in report.checks if not check.agrees]:
        raise DisagreementError(f"{len(wrong)} of {len(report.checks)} numbers disagree: {'; '.join(wrong)}")


def tell(report: "Report", *, seconds: float, to: Console) -> None:
    """Print what happened, for people."""
    for line in _in_words(report):
        to.print(line, markup=False)
    to.print(table(report.answer))
    to.print("\nLook-ups, as a sender makes them", style="bold")
    for answer in report.lookups:
        to.print("\n".join(in_words(answer)), markup=False)
    to.print("\nReplay", style="bold")
    for line in _replays_in_words(report):
        to.print(line, markup=False)
    to.print("\nWhat must agree", style="bold")
    to.print(_checks(report))
    agreed = sum(check.agrees for check in report.checks)
    to.print(f"\n{agreed} of {len(report.checks)} numbers agree, after {seconds:.0f} s.")


def _in_words(report: "Report") -> Iterator[str]:
    yield f"{report.emails:,} e-mails sent; SES published {report.records_published:,} records"
    yield "\nThe log: events by type"
    for kind, count in report.events.items():
        yield f"  {kind:<18} {count:>10,}"
    yield f"  in {report.objects:,} Parquet objects of {size(report.object_bytes)}"
    yield f"\nFeedback: {report.feedback_published:,} bounces and complaints, {report.feedback_consumed:,} records consumed"
    yield f"\nThe suppression table: {sum(report.suppressed.values()):,} addresses suppressed"
    for reason, count in sorted(report.suppressed.items(), key=lambda item: -item[1]):
        yield f"  {reason:<18} {count:>10,}"
    yield f"\nAthena\n{report.sql}"


def _replays_in_words(report: "Report") -> Iterator[str]:
    if report.healed:
        yield f"{report.healed.written:,} items of the live table healed: feedback was lost on its way, the log has it"
    yield (
        f"{report.replayed.rows:,} rows of the log, {report.replayed.facts:,} facts, into an empty table: "
        f"{report.replayed.written:,} items"
    )
    yield f"digest {report.digest}"


def _checks(report: "Report") -> Table:
    shown = Table("what", "published", "arrived", "")
    for check in report.checks:
        verdict = "agrees" if check.agrees else "[bold red]DIFFERS[/]"
        shown.add_row(check.what, _short(check.expected), _short(check.found), verdict)
    return shown


def _short(text: str) -> str:
    return text if len(text) <= DIGITS_SHOWN else f"{text[:DIGITS_SHOWN]}…"
