"""`mailfold drill`: prove that the suppression table equals the event log."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.aws.archive.comparison import drill_table
from pipeline.aws.archive.proof import Proof, read_proof, save_proof
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.reconciliation import drill_metrics, put_metrics
from pipeline.cli.comparison import (
    DEFAULT_GRACE,
    DEFAULT_LOG_DELAY,
    AddressesOption,
    GraceOption,
    LogDelayOption,
    LogFolding,
    PublishOption,
    TableDiffers,
    address_text,
    addresses_text,
    counted_kinds,
    fact_lines,
    facts_object,
    open_log,
    service,
    skipped_lines,
)
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, progress, results, say, write_json
from pipeline.cli.target import Target, target
from pipeline.drill import DrillResult, SettledDifference
from pipeline.timestamp import format_time


def drill_command(
    *,
    addresses: AddressesOption = False,
    grace: GraceOption = DEFAULT_GRACE,
    log_delay: LogDelayOption = DEFAULT_LOG_DELAY,
    publish: PublishOption = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Prove that the suppression table equals the event log, and show what differs.

    The whole log is folded and compared with the whole table. Neither is written. Mail may go on: what differs is
    looked at again, and what is on its way to the table or to the log is no difference. With --addresses, each address
    that differs is shown with the facts that only one side has; the exit code is then 1.

    The result, without addresses, is kept beside the log as proofs/drill.json, with the time of the last proof.

    Example: mailfold drill --addresses
    """
    cloud, now = target(stack, region), datetime.now(UTC)

    def show(difference: SettledDifference) -> None:
        if addresses and json:
            write_json(_difference_object(difference))
        elif addresses:
            say(_difference_lines(difference), to=results())

    last = read_proof(cloud.clients.s3, bucket=cloud.settings.bucket)
    folding, result = run_drill(cloud, now=now, grace=grace, log_delay=log_delay, show=show)
    proof = save_proof(
        cloud.clients.s3,
        bucket=cloud.settings.bucket,
        table=cloud.settings.table,
        result=result,
        drilled_at=now,
        last=last,
    )
    if publish:
        put_metrics(cloud.clients.cloudwatch, service(cloud), drill_metrics(proof, now))
    if json:
        skipped = msgspec.to_builtins(list(dict.fromkeys(folding.archive.skipped)))
        write_json(_proof_object(proof, now) | {"rows": folding.rows, "skipped": skipped})
    else:
        say((*skipped_lines(folding), *drill_lines(proof, now)), to=results())
    if not result.is_proved:
        raise TableDiffers(_remedy(result))


def run_drill(
    cloud: Target, *, now: datetime, grace: int, log_delay: int, show: Callable[[SettledDifference], None]
) -> tuple[LogFolding, DrillResult]:
    """Compare a cloud's log with its live table, and show the progress.

    Args:
        cloud: The cloud.
        now: The time at which it begins, aware.
        grace: Minutes; see the option.
        log_delay: Hours; see the option.
        show: Called with each difference.
    """
    store = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading the log")
        folding = open_log(cloud, show=lambda line: display.update(task, description=line))
        items = 0

        def on_item() -> None:
            nonlocal items
            items += 1
            display.update(task, description=f"{counted(items, 'item')} of the table")

        result = drill_table(
            folding.fold,
            store,
            now=now,
            grace=timedelta(minutes=grace),
            log_delay=timedelta(hours=log_delay),
            show=show,
            on_item=on_item,
            progress=lambda so_far: display.update(task, description=f"{addresses_text(so_far.compared)} compared"),
        )
    return folding, result


def drill_lines(proof: Proof, now: datetime) -> Iterator[str]:
    """Yield the result as lines for people."""
    result, days = proof.result, proof.days_since_proved(now)
    yield f"{addresses_text(result.compared)} of the log and the table {proof.table} compared"
    yield f"digest of the log   {result.log_digest}"
    yield f"digest of the table {result.table_digest}"
    if result.in_flight:
        yield f"{addresses_text(result.in_flight)} with facts on their way, which are no difference"
    if result.missing_facts:
        kinds = counted_kinds(result.missing_facts.items())
        yield f"only in the log: {kinds}; {result.missing:,} without an item, {result.stale:,} whose item lacks facts"
    if result.extra_facts:
        yield f"only in the table: {counted_kinds(result.extra_facts.items())}, of {result.extra:,} addresses"
    if proof.proved_at is None:
        yield "log and table were never proved equal"
    elif days:
        yield f"last proved equal {days:.1f} days ago, at {format_time(proof.proved_at)}"
    else:
        yield "log and table are equal"


def _difference_lines(difference: SettledDifference) -> Iterator[str]:
    yield address_text(difference.key)
    yield from fact_lines("only in the log", difference.missing)
    yield from fact_lines("only in the table", difference.extra)


def _difference_object(difference: SettledDifference) -> dict[str, object]:
    return {
        "address": difference.key.address,
        "scope": difference.key.scope,
        "has_item": difference.has_item,
        "only_in_log": facts_object(difference.missing),
        "only_in_table": facts_object(difference.extra),
    }


def _proof_object(proof: Proof, now: datetime) -> dict[str, object]:
    days = {"is_proved": proof.result.is_proved, "days_since_proved": proof.days_since_proved(now)}
    times = {name: msgspec.to_builtins(getattr(proof, name)) for name in ("table", "drilled_at", "proved_at")}
    counts: dict[str, object] = msgspec.to_builtins(proof.result)
    return days | times | counts


def _remedy(result: DrillResult) -> str:
    remedies = []
    if result.missing or result.stale:
        remedies.append("heal the table with `mailfold reconcile --heal --since 1970-01-01`")
    if result.extra:
        remedies.append("write what only the table has into the log with `mailfold reconcile --adopt`")
    facts = counted(sum(result.missing_facts.values()) + sum(result.extra_facts.values()), "fact")
    return f"log and table differ by {facts}: {', and '.join(remedies)}"
