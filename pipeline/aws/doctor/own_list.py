"""SES's own suppression list: what stands there, and the table does not know.

Only counts are told, never an address.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.address import canonical
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, warning
from pipeline.ports import NO_ITEM
from pipeline.standing import Key

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

SAMPLED_ENTRIES = 1_000  # one page at most, one call


def check_own_list(deployment: Deployment) -> Iterator[Finding]:
    """Look for the newest entries of SES's own list in the live table."""
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    ses: SESV2Client = deployment.client("sesv2")
    page = ses.list_suppressed_destinations(PageSize=SAMPLED_ENTRIES)
    entries = [one["EmailAddress"] for one in page.get("SuppressedDestinationSummaries", [])]
    if not entries:
        return
    keys = [Key(address) for entry in entries if (address := canonical(entry))]
    store = DynamoSuppressionStore(deployment.client("dynamodb"), table=deployment.live_table)
    missing = sum(item == NO_ITEM for item in store.load(keys).values())
    if missing:
        looked = f"the {len(entries):,} entries" if not page.get("NextToken") else f"{len(entries):,} entries, of more,"
        yield warning(
            "own_list_not_imported",
            f"of {looked} of SES's own suppression list, the table does not know {missing:,}: "
            "senders who ask it are told to send, and SES then does not",
            mending="no command imports it; write a decision for each, one on each line, as in "
            f"schemas/wire/examples/v1.decision-suppress.pass.json, then {deployment.mailfold('ingest FILE')}",
        )
