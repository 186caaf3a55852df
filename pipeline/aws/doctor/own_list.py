"""SES's own suppression list: what stands there, and the table does not suppress.

Only counts are told, never an address.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

from collections.abc import Iterator

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, warning
from pipeline.aws.own_list_ses import read_own_list
from pipeline.own_list import Stand, compare


def check_own_list(deployment: Deployment) -> Iterator[Finding]:
    """Look for the first page of SES's own list in the live table: one call, a thousand entries at most."""
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    page = next(read_own_list(deployment.client("sesv2")))
    store = DynamoSuppressionStore(deployment.client("dynamodb"), table=deployment.live_table)
    missing = sum(one.stand is Stand.MISSING for one in compare(page.entries, store=store))
    if missing:
        number = len(page.entries)
        looked = f"the {number:,} entries" if page.is_last else f"{number:,} entries, of more,"
        yield warning(
            "own_list_not_imported",
            f"of {looked} of SES's own suppression list, the table does not suppress {missing:,}: "
            "senders who ask it are told to send, and SES then does not",
            mending=deployment.mailfold("import"),
        )
