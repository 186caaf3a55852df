"""The scheduled function heals what the table lacks, proves it equal to the log, and publishes both."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.aws.archive.athena import RESULTS_PREFIX
from pipeline.aws.archive.proof import read_proof
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import Service, create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.aws.lambdas import reconciler
from pipeline.aws.lambdas.reconciler import Action, Task, perform
from pipeline.aws.settings import Settings
from pipeline.aws.stack import SuppressionTables, create_tables
from pipeline.decode import DECODER_VERSION
from pipeline.errors import UsageError
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Server
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import replay, store_digest
from pipeline.standing import NOTHING_KNOWN
from tests.support.athena_api import serve
from tests.support.builders import OCCURRED_AT, a_bounce, a_complaint
from tests.support.items import all_items
from tests.support.lambda_events import Context
from tests.support.log_in_s3 import a_bucket
from tests.support.rows import a_row, rows_of

NOW = OCCURRED_AT + timedelta(hours=12)
LIVE, SHADOW, PARAMETER = "mail-suppression-1", "mail-suppression-2", "/mailfold/mail/tables"


class Deployment:
    """A log and tables in one moto, with the local Athena over the log."""

    def __init__(self, clients: Any, bucket: str) -> None:
        self.clients, self.bucket = clients, bucket
        self.log = S3Archive(clients.s3, bucket=bucket)

    def store(self, table: str = LIVE) -> DynamoSuppressionStore:
        return DynamoSuppressionStore(self.clients.dynamodb, table=table)

    def perform(self, action: Action, *, now: datetime = NOW) -> dict[str, float]:
        """Call the function with a task."""
        location = f"s3://{self.bucket}/{RESULTS_PREFIX}"
        task = Task(action=action, database="mailfold", workgroup="primary", output_location=location)
        settings = Settings(table=LIVE, bucket=self.bucket, tables_parameter=PARAMETER)
        return perform(task, settings=settings, clients=self.clients, now=now)


@pytest.fixture
def deployed() -> Iterator[Deployment]:
    moto = Moto()
    with Server(moto) as backend:
        options = {"endpoint_url": backend.url, "region": "us-east-1"}
        services: list[Service] = ["s3", "dynamodb", "ssm"]
        clients = SimpleNamespace(**{name: create_client(name, **options) for name in services})
        bucket = a_bucket(clients.s3)
        with serve(clients.s3, bucket) as (athena, _):
            clients.athena = athena
            for table in (LIVE, SHADOW):
                clients.dynamodb.create_table(**table_definition(table))
            create_tables(
                clients.ssm, parameter=PARAMETER, tables=SuppressionTables(live=LIVE, shadow_tables=(SHADOW,))
            )
            yield Deployment(clients, bucket)
    moto.close()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_a_reconciliation_heals_every_table(deployed: Deployment) -> None:
    """Both have the digest of a replay afterwards, and the next run finds nothing."""
    deployed.log.append(rows_of(a_bounce(), a_complaint(feedback_id="2")))
    expected = MemoryStore()
    replay(deployed.log, store=expected, policy=DEFAULT_POLICY)

    values = deployed.perform(Action.RECONCILE)

    assert (values["LackingItems"], values["MissingItems"], values["HealedItems"]) == (1, 1, 2)
    assert store_digest(deployed.store()) == store_digest(deployed.store(SHADOW)) == store_digest(expected)
    assert deployed.perform(Action.RECONCILE)["LackingItems"] == 0


def test_a_drill_proves_the_table_and_writes_nothing_else(deployed: Deployment) -> None:
    """First the table lacks what the log has; after the reconciliation it is proved."""
    deployed.log.append(rows_of(a_bounce()))

    before = deployed.perform(Action.DRILL)

    assert before["DrillMissingItems"] == 1
    assert before["DaysSinceProved"] > 9_000
    assert all_items(deployed.store()) == {}
    deployed.perform(Action.RECONCILE)
    after = deployed.perform(Action.DRILL)
    assert (after["DrillMissingItems"], after["DaysSinceProved"]) == (0, 0)
    proof = read_proof(deployed.clients.s3, bucket=deployed.bucket)
    assert proof
    assert (proof.table, proof.proved_at) == (LIVE, NOW)
    assert deployed.perform(Action.RECONCILE, now=NOW + timedelta(days=1))["DaysSinceProved"] == 1


def test_rows_of_another_decoder_are_counted_and_not_folded(deployed: Deployment) -> None:
    """SQL cannot decode them again, and their facts may be wrong."""
    deployed.log.append([a_row(a_bounce(), decoder_version=DECODER_VERSION + 1)])

    values = deployed.perform(Action.RECONCILE)

    assert (values["OtherDecoderRows"], values["ComparedItems"]) == (1, 0)
    assert not any(item.standing != NOTHING_KNOWN for item in all_items(deployed.store()).values())


@pytest.mark.parametrize("event", [{}, {"action": "drop", "database": "mail", "workgroup": "mail"}])
def test_an_input_that_is_no_task_is_an_error(event: dict[str, Any]) -> None:
    """A rule that was changed by hand is heard of."""
    with pytest.warns(UserWarning, match="No application metrics"), pytest.raises(UsageError, match="no task"):
        reconciler.handler(event, Context())
