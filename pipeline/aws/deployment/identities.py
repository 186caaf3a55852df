"""SES identities whose default configuration set a stack's deletion would delete.

SES then rejects every mail of such an identity that names no other set.
docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html#default-config-sets
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.aws.clients import limit_rate
from pipeline.aws.errors import missing_ok, translated

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

IDENTITIES_PER_PAGE = 1_000  # limit of ListEmailIdentities
BURST = 5  # calls that boto3's retries bring through without a limited rate


def email_identities(sesv2: SESV2Client) -> Iterator[Mapping[str, Any]]:
    """Yield SES's identities, as ListEmailIdentities describes them. A page is read when it is needed.

    Raises what boto3 raises.
    """
    page = sesv2.list_email_identities(PageSize=IDENTITIES_PER_PAGE)
    while True:
        yield from page.get("EmailIdentities", [])
        if not (token := page.get("NextToken")):
            return
        page = sesv2.list_email_identities(PageSize=IDENTITIES_PER_PAGE, NextToken=token)


def identities_with_default_set(
    sesv2: SESV2Client, configuration_set: str, *, progress: Callable[[int], None] = lambda _: None
) -> tuple[str, ...]:
    """Return the identities whose default configuration set this is, in SES's order.

    SES tells the default set of one identity at a time, and answers one call a second.

    Args:
        sesv2: Client of the stack's region.
        configuration_set: Name of the set.
        progress: Called with the number of identities read so far.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    found = []
    with translated("reading the default configuration sets of SES's identities"):
        names = [identity["IdentityName"] for identity in email_identities(sesv2)]
        if len(names) > BURST:
            limit_rate(sesv2)
        for number, name in enumerate(names, 1):
            description = missing_ok(partial(sesv2.get_email_identity, EmailIdentity=name))
            if description and description.get("ConfigurationSetName") == configuration_set:
                found.append(name)
            progress(number)
    return tuple(found)


def clear_default_set(sesv2: SESV2Client, identity: str) -> None:
    """Leave an identity without a default configuration set. Its mail then causes no events. Safe to repeat.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated("clearing the default configuration set of an identity"):
        missing_ok(lambda: sesv2.put_email_identity_configuration_set_attributes(EmailIdentity=identity))
