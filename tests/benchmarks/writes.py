"""The projector's Lambda with DynamoDB, compared with itself if it put every item by a call of its own.

The worst case is feedback with a new address in each record: every record is a write. The peer's store is boto3's
`put_item` with the same condition, once for each item.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.dynamodb_writes import put_request
from pipeline.aws.lambdas.projector import project_event
from pipeline.errors import MailfoldError
from pipeline.local.client import local_client
from pipeline.memory import MemoryQuarantine
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Put, SuppressionStore
from pipeline.projection import BatchProjector
from pipeline.standing import Key
from tests.benchmarks.measure import Ratio, alternate
from tests.benchmarks.record_processor import loaded_addresses, quiet_dynamodb
from tests.benchmarks.sample import small_feedback
from tests.support.lambda_events import a_kinesis_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 1_000
ROUNDS = 5
TABLE = "suppression"
GOAL = 0.2


class SinglePuts(DynamoSuppressionStore):
    """A table whose items are put one by one."""

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        """Put each item by a call of its own."""
        for put in puts:
            self._client.put_item(**put_request(put, TABLE).arguments)
        return {}


def compare() -> list[Ratio]:
    """Return the ratio."""
    event = a_kinesis_event(*small_feedback(BATCH))
    with quiet_dynamodb() as url, quiet_dynamodb() as peer_url:
        ratio = alternate(
            "Lambda's batch of 1,000 new addresses, by put_item for each",
            projecting(event, DynamoSuppressionStore(a_client(url), table=TABLE)),
            projecting(event, SinglePuts(a_client(peer_url), table=TABLE)),
            goal=GOAL,
            rounds=ROUNDS,
        )
        loaded, peer_loaded = loaded_addresses(url), loaded_addresses(peer_url)
    note = f"per record, decoding and reading included; loaded {loaded} of {BATCH} sent, the peer {peer_loaded}"
    return [msgspec.structs.replace(ratio, note=note)]


def a_client(url: str) -> "DynamoDBClient":
    client: DynamoDBClient = local_client("dynamodb", endpoint_url=url, region="us-east-1")
    return client


def projecting(event: Mapping[str, Any], store: SuppressionStore) -> Callable[[], int]:
    """Return a function that projects the event, and returns the number of its records."""

    def work() -> int:
        projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
        response = project_event(dict(event), projector=projector)
        assert response == {"batchItemFailures": []}
        return BATCH

    return work
