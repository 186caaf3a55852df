"""A deployment in moto whose log and tables have three people, for the commands of `mailfold policy`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.aws.stack import SuppressionTables, create_tables, format_tables, read_tables
from pipeline.lookup import lookup
from pipeline.policy import Policy
from tests.support.builders import a_bounce, a_complaint, a_soft_bounce
from tests.support.deployed import NAME, PARAMETER, TABLE, bucket, deployed
from tests.support.rows import rows_of
from tests.support.scenario import a_batch, project

STACK = ("--stack", NAME)
SHADOW = f"{NAME}-suppression-2"
PEOPLE = ["ada@one.example", "bob@two.example", "cyd@two.example"]
EVENTS = (
    a_bounce(recipients=PEOPLE[:1], feedback_id="1"),
    a_complaint(recipients=PEOPLE[1:2], destination=PEOPLE[1:2], feedback_id="2"),
    a_soft_bounce(recipients=PEOPLE[2:], feedback_id="3"),
)
NEW: dict[str, Any] = {
    "version": 2,
    "hard": {"expiry_seconds": 100 * 366 * 86_400},
    "complaint": None,
    "soft": {"mails": 1, "window_seconds": 86_400, "expiry_seconds": 100 * 366 * 86_400},
}
TABLES = SuppressionTables(live=TABLE, shadow_tables=(SHADOW,))


@contextmanager
def deployed_with_people(environment: pytest.MonkeyPatch) -> Iterator[None]:
    """Run moto with the deployment, and let commands use it."""
    with deployed(environment):
        ensure_table(create_client("dynamodb"), SHADOW)
        create_tables(create_client("ssm"), parameter=PARAMETER, tables=TABLES)
        for table in (TABLE, SHADOW):
            assert project(a_batch(*EVENTS), store=store(table)).cause is None
        S3Archive(create_client("s3"), bucket=bucket()).append(rows_of(*EVENTS))
        yield


def write_policy(folder: Path, **policy: Any) -> str:
    """Write a policy to a file, and return the file's name."""
    file = folder / "policy.json"
    file.write_text(json.dumps(policy), encoding="utf-8")
    return str(file)


def store(table: str = TABLE) -> DynamoSuppressionStore:
    """Return a table of the deployment."""
    return DynamoSuppressionStore(create_client("dynamodb"), table=table)


def publish(policy: Policy) -> None:
    """Publish a policy, as an earlier command did."""
    value = format_tables(SuppressionTables(live=TABLE, shadow_tables=(SHADOW,), policy=policy))
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=value, Type="String", Overwrite=True)


def published() -> Policy | None:
    """Return the published policy. The tables beside it are unchanged."""
    tables = read_tables(create_client("ssm"), parameter=PARAMETER)
    assert tables
    assert (tables.live, tables.shadow_tables) == (TABLE, (SHADOW,))
    return tables.policy


def versions(table: str = TABLE) -> set[int]:
    """Return the policy versions of the items of a table."""
    return {item.policy_version for _, item in store(table).scan()}


def reasons() -> list[str | None]:
    """Return what suppresses each of the people."""
    return [result.verdict.reason for result in lookup(PEOPLE, store=store(), now=datetime.now(UTC))]
