"""`mailfold reconcile`: compare the newest days of the event log with the suppression table, and heal the table."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.adoption import evidence_records
from pipeline.aws.archive.firehose import RECORDS_PER_CALL, FirehoseLog
from pipeline.aws.archive.proof import read_proof
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.quarantine import S3Quarantine
from pipeline.aws.reconciliation import put_metrics, reconcile_metrics, surges_since
from pipeline.aws.settings import DELIVERY_STREAM
from pipeline.batch import StreamRecord
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
    fact_lines,
    facts_object,
    open_log,
    service,
    skipped_lines,
)
from pipeline.cli.drill import run_drill
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, progress, results, say, saying_on_stop, to_people, write_json
from pipeline.cli.reconcile_result import Reconciled, reconcile_lines, reconcile_object
from pipeline.cli.ses_lists import compare_lists
from pipeline.cli.target import Target, target
from pipeline.difference import Difference
from pipeline.drill import SettledDifference
from pipeline.errors import AccessDenied, NotFound, QueryFailed, UsageError
from pipeline.list_difference import ListDifference
from pipeline.reconcile import SLICE, ReconcileResult, reconcile, settled_until
from pipeline.surge import DEFAULT_BOUNCES, DEFAULT_SHARE, Surge, SurgeRule

HOUR = timedelta(hours=1)


def reconcile_command(
    *,
    since: Annotated[
        str | None, typer.Option(help="The first hour of the log to compare, UTC. By default two days ago.")
    ] = None,
    heal: Annotated[bool, typer.Option("--heal", help="Join what the table lacks into it.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Read the whole log, and write into it the facts that only the table has.")
    ] = False,
    with_ses: Annotated[
        bool, typer.Option("--with-ses", help="Compare SES's own suppression lists too, in both directions.")
    ] = False,
    addresses: AddressesOption = False,
    grace: GraceOption = DEFAULT_GRACE,
    log_delay: LogDelayOption = DEFAULT_LOG_DELAY,
    surge_share: Annotated[
        float, typer.Option(min=0, max=1, help="Warn of an hour in which more of a domain's mail bounced than this.")
    ] = DEFAULT_SHARE,
    surge_bounces: Annotated[
        int, typer.Option(min=1, help="The least number of permanent bounces of such an hour.")
    ] = DEFAULT_BOUNCES,
    publish: PublishOption = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Compare the newest days of the event log with the suppression table, and heal what the table lacks.

    An address without an item is missing, an item that lacks facts of the log is stale. Healing joins the same facts
    as live traffic does, so it is safe beside it, and can be stopped and repeated. Facts that arrived in the last
    minutes are not compared; see --grace.

    An hour in which a provider bounced an unusual share of the mail is named, with the command that reverts it.

    --adopt is for facts that only the table has, because the log lost them or is younger. It reads the whole log and
    writes for ever, so no schedule does it. A fact younger than --log-delay is left for a later run.

    Example: mailfold reconcile --heal --since 2026-03-01
    """
    cloud, now = target(stack, region), datetime.now(UTC)
    begin = (parse_moment(since) or now - SLICE).replace(minute=0, second=0, microsecond=0)
    until = settled_until(now, timedelta(minutes=grace))
    if until and begin >= until + HOUR:
        raise UsageError("--since is later than the last hour that is compared: name an earlier one, or lower --grace")
    log = _delivery_stream(cloud) if adopt else None
    shown = _Shown(addresses=addresses, json=json)
    folding, result = _reconcile(cloud, begin, until, heal=heal, shown=shown)
    done = Reconciled(since=begin, until=until + HOUR if until else None, result=result)
    done.surges = _surges(cloud, begin, SurgeRule(share=surge_share, bounces=surge_bounces))
    if log:
        done.adopted = _adopt(cloud, log, now=now, grace=grace, log_delay=log_delay)
    if with_ses:
        done.ses = compare_lists(cloud, now=now, grace=timedelta(minutes=grace), show=shown.list_difference)
    if publish:
        proof = read_proof(cloud.clients.s3, bucket=cloud.settings.bucket)
        surges = None if done.surges is None else len(done.surges)
        values = reconcile_metrics(result, surges=surges, proof=proof, now=now)
        put_metrics(cloud.clients.cloudwatch, service(cloud), values)
    if json:
        skipped = msgspec.to_builtins(list(dict.fromkeys(folding.archive.skipped)))
        write_json(reconcile_object(done, cloud) | {"rows": folding.rows, "skipped": skipped})
    else:
        say((*skipped_lines(folding), *reconcile_lines(done, cloud, is_healed=heal)), to=results())
    if result.rejected or (not heal and (result.missing or result.stale)):
        raise TableDiffers(_remedy(result, heal=heal))


class _Shown:
    """Prints differences as they are found, if addresses are to be shown."""

    def __init__(self, *, addresses: bool, json: bool) -> None:
        self._addresses, self._json = addresses, json

    def difference(self, difference: Difference) -> None:
        key = difference.key
        if self._addresses and self._json:
            missing = facts_object(difference.missing)
            write_json({"address": key.address, "scope": key.scope, "only_in_log": missing})
        elif self._addresses:
            say((address_text(key), *fact_lines("only in the log", difference.missing)), to=results())

    def list_difference(self, difference: ListDifference) -> None:
        if self._addresses and self._json:
            write_json(msgspec.structs.asdict(difference) | difference.key._asdict() | {"key": None})
        elif self._addresses:
            where = "on SES's list only" if difference.is_listed else "suppressed here only"
            say([f"{address_text(difference.key)}: {where} ({difference.reason}), {difference.cause}"], to=results())


def _reconcile(
    cloud: Target, begin: datetime, until: datetime | None, *, heal: bool, shown: _Shown
) -> tuple[LogFolding, ReconcileResult]:
    """Reconcile the slice with all tables, and show the progress."""
    dynamodb, result = cloud.clients.dynamodb, ReconcileResult()
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading the log")
        folding = open_log(cloud, show=lambda line: display.update(task, description=line))

        def show(so_far: ReconcileResult) -> None:
            nonlocal result
            result = so_far
            display.update(task, description=f"{addresses_text(result.compared)} compared, {result.healed:,} healed")

        with saying_on_stop(
            lambda: f"stopped after {addresses_text(result.compared)}, {result.healed:,} healed: it can be repeated",
            is_begun=lambda: result.compared > 0,
        ):
            result = reconcile(
                folding.fold,
                store=DynamoSuppressionStore(dynamodb, table=cloud.settings.table),
                shadow_stores=[DynamoSuppressionStore(dynamodb, table=table) for table in cloud.shadow_tables],
                policy=cloud.settings.policy,
                heal=heal,
                since=begin,
                until=until,
                show=shown.difference,
                progress=show,
            )
    return folding, result


def _surges(cloud: Target, since: datetime, rule: SurgeRule) -> list[Surge] | None:
    """Return the surges; None, and say why, if Athena cannot be asked."""
    try:
        return surges_since(
            cloud.clients,
            since,
            rule=rule,
            database=cloud.database,
            workgroup=cloud.workgroup,
            output_location=cloud.output_location,
        )
    except (AccessDenied, NotFound, QueryFailed) as error:
        say([f"surges of bounces were not searched for: {error}"], to=to_people())
        return None


def _delivery_stream(cloud: Target) -> FirehoseLog:
    """Return the delivery stream of the log.

    Raises:
        UsageError: Its name is unknown.
    """
    name = cloud.settings.delivery_stream
    if name is None:
        raise UsageError(f"the delivery stream of the log is unknown: name it in {DELIVERY_STREAM}, or use --stack")
    quarantine = S3Quarantine(cloud.clients.s3, bucket=cloud.settings.bucket)
    return FirehoseLog(cloud.clients.firehose, delivery_stream=name, quarantine=quarantine)


def _adopt(cloud: Target, log: FirehoseLog, *, now: datetime, grace: int, log_delay: int) -> int:
    """Write the facts that only the table has into the log, and return their number."""
    held: list[StreamRecord] = []
    adopted = 0

    def flush() -> None:
        nonlocal adopted
        log.put(held)
        adopted += len(held)
        held.clear()

    def add(difference: SettledDifference) -> None:
        held.extend(evidence_records(difference.key, difference.extra))
        if len(held) >= RECORDS_PER_CALL:
            flush()

    with saying_on_stop(lambda: f"stopped after {counted(adopted, 'fact')} was written into the log: run it again"):
        run_drill(cloud, now=now, grace=grace, log_delay=log_delay, show=add)
        flush()
    return adopted


def _remedy(result: ReconcileResult, *, heal: bool) -> str:
    if heal:
        return f"the table rejects {counted(result.rejected, 'item')}: they are not healed"
    return f"the table lacks facts of {addresses_text(result.missing + result.stale)}: add --heal"
