"""The Lambda that compares log and table on a schedule: a reconciliation every day, a drill every week, by default.

A rule calls it with a task. The reconciliation folds the newest hours of the log in Athena, heals what the tables lack
of them, and searches for surges of bounces. The drill folds the whole log, compares it with the whole table, and writes
only its result. Both publish metrics, on which alarms are set. A call that fails is repeated twice by Lambda, which is
safe: a join changes nothing twice. docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from pipeline.aws.archive.athena_fold import AthenaFold
from pipeline.aws.archive.comparison import drill_table
from pipeline.aws.archive.proof import read_proof, save_proof
from pipeline.aws.clients import Clients
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.metrics import count
from pipeline.aws.reconciliation import drill_metrics, reconcile_metrics, surges_since
from pipeline.aws.settings import NAMESPACE, Settings, read_settings, service_name
from pipeline.aws.stack import SuppressionTables, read_tables
from pipeline.errors import UsageError
from pipeline.reconcile import SLICE, reconcile, settled_until
from pipeline.surge import SurgeRule

logger = Logger(service=service_name("reconciler"))
metrics = Metrics(namespace=NAMESPACE, service=service_name("reconciler"))


class Action(StrEnum):
    """What a rule asks for."""

    RECONCILE = "reconcile"
    DRILL = "drill"


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of a call, which the rule's target states.

    Attributes:
        action: What to do.
        database: The Glue database of the log.
        workgroup: Athena's workgroup.
        output_location: Where Athena puts results; None if the workgroup decides it.
    """

    action: Action
    database: str
    workgroup: str
    output_location: str | None = None


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, float]:  # noqa: ARG001 - Lambda's signature
    """Do a task, publish its metrics, and return them.

    Raises:
        UsageError: The settings are invalid, or the input is no task.
        QueryFailed: Athena rejected or stopped the query, as at the scan limit of the workgroup.
        Unavailable, AccessDenied, NotFound: Log, table or proof cannot be read or written.
    """
    values = perform(_task(event), settings=read_settings(), clients=_clients(), now=datetime.now(UTC))
    count(metrics, values)
    return values


def perform(task: Task, *, settings: Settings, clients: Clients, now: datetime) -> dict[str, float]:
    """Do a task, and return its metrics. Raises as `handler`."""
    fold = AthenaFold(clients, database=task.database, workgroup=task.workgroup, output_location=task.output_location)
    tables = _tables(settings, clients)
    since = None if task.action is Action.DRILL else now - SLICE
    # Rows of another decoder version are not folded. The commands fold them: they can decode them again.
    others = {"OtherDecoderRows": float(fold.other_rows(since=since))}
    if since is None:
        return others | _drill(fold, tables.live, settings=settings, clients=clients, now=now)
    policy = tables.newest_policy(settings.policy)
    result = reconcile(
        fold,
        store=_store(clients, tables.live),
        shadow_stores=[_store(clients, table) for table in tables.shadow_tables],
        policy=policy,
        heal=True,
        since=since,
        until=settled_until(now),
    )
    if result.missing or result.stale:
        logger.warning("the table lacked facts of the log, and was healed", missing=result.missing, stale=result.stale)
    proof = read_proof(clients.s3, bucket=settings.bucket)
    return others | reconcile_metrics(result, surges=_surges(task, clients, since), proof=proof, now=now)


def _surges(task: Task, clients: Clients, since: datetime) -> int:
    """Return the number of surges of bounces."""
    surges = surges_since(
        clients,
        since,
        rule=SurgeRule(),
        database=task.database,
        workgroup=task.workgroup,
        output_location=task.output_location,
    )
    for surge in surges:
        logger.warning("a provider bounced an unusual share of the mail", domain=surge.domain, hour=str(surge.hour))
    return len(surges)


def _drill(fold: AthenaFold, table: str, *, settings: Settings, clients: Clients, now: datetime) -> dict[str, float]:
    """Compare the whole log with the whole table, and store the result."""
    last = read_proof(clients.s3, bucket=settings.bucket)
    result = drill_table(fold, _store(clients, table), now=now)
    if not result.is_proved:
        logger.warning("log and table differ", missing=result.missing, stale=result.stale, only_in_table=result.extra)
    proof = save_proof(clients.s3, bucket=settings.bucket, table=table, result=result, drilled_at=now, last=last)
    return drill_metrics(proof, now)


def _tables(settings: Settings, clients: Clients) -> SuppressionTables:
    """Return the tables at this moment. Without the parameter, the stack's own table is the live one."""
    parameter = settings.tables_parameter
    tables = read_tables(clients.ssm, parameter=parameter) if parameter else None
    return tables or SuppressionTables(live=settings.table)


def _store(clients: Clients, table: str) -> DynamoSuppressionStore:
    return DynamoSuppressionStore(clients.dynamodb, table=table)


def _task(event: dict[str, Any]) -> Task:
    try:
        return msgspec.convert(event, Task)
    except msgspec.ValidationError as error:
        raise UsageError(f"the input is no task of the reconciler: {error}") from None


@cache
def _clients() -> Clients:
    return Clients()
