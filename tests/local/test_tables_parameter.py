"""The local cloud has the parameter of a deployment, which names the live table and holds the policy in force."""

import time

from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.aws.stack import SuppressionTables, format_tables, read_tables
from pipeline.local.cloud import TABLES_AGE_SECONDS, LocalCloud
from pipeline.policy import Policy
from tests.support.builders import a_bounce

SETTLED_SECONDS = 300.0


def test_the_projector_follows_the_parameter() -> None:
    """Both tables get new facts, under the published policy."""
    with LocalCloud(buffer_seconds=3_600) as cloud:
        parameter, dynamodb = cloud.environment()["MAILFOLD_TABLES_PARAMETER"], cloud.clients.dynamodb
        assert read_tables(cloud.clients.ssm, parameter=parameter) == SuppressionTables(live=cloud.names.table)
        ensure_table(dynamodb, "suppression-2")
        tables = SuppressionTables(live="suppression-2", shadow_tables=(cloud.names.table,), policy=Policy(version=7))
        cloud.clients.ssm.put_parameter(Name=parameter, Value=format_tables(tables), Type="String", Overwrite=True)
        time.sleep(2 * TABLES_AGE_SECONDS)
        cloud.publish([a_bounce()])
        cloud.settle(SETTLED_SECONDS)

        stores = [DynamoSuppressionStore(dynamodb, table=table) for table in (tables.live, *tables.shadow_tables)]
        assert [[item.policy_version for _, item in store.scan()] for store in stores] == [[7], [7]]
