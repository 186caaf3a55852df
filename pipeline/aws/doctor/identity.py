"""SES's identities: mail of one without a configuration set gives no events, unless its sender names a set.

docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html#default-config-sets
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from shlex import quote
from typing import TYPE_CHECKING, Any

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, unknown, warning

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

IDENTITIES_PER_PAGE = 1_000  # ListEmailIdentities' limit


def check_identities(deployment: Deployment) -> Iterator[Finding]:
    """Look at the default configuration set of each identity, of as many as are to be looked at."""
    ses: SESV2Client = deployment.client("sesv2")
    sending = sending_identities(ses)
    names = [identity["IdentityName"] for identity in islice(sending, deployment.identities)]
    if not names:
        yield warning(
            "identity_none",
            "SES has no verified identity in this region, so that nothing can be sent",
            mending=deployment.aws("sesv2 create-email-identity --email-identity YOUR-DOMAIN"),
        )
    for name in names:
        yield from _defaults(deployment, name, ses.get_email_identity(EmailIdentity=name).get("ConfigurationSetName"))
    if left := sum(1 for _ in sending):
        yield unknown(
            "identity_not_looked_at",
            f"{len(names):,} identities were looked at, {left:,} were not: SES answers one call a second",
            mending=deployment.mailfold(f"doctor --identities {len(names) + left}"),
        )


def sending_identities(ses: SESV2Client) -> Iterator[Mapping[str, Any]]:
    """Give the identities that mail can be sent from; SES is asked for no more pages than are read."""
    page = ses.list_email_identities(PageSize=IDENTITIES_PER_PAGE)
    while True:
        yield from (identity for identity in page.get("EmailIdentities", []) if identity.get("SendingEnabled"))
        if not (token := page.get("NextToken")):
            return
        page = ses.list_email_identities(PageSize=IDENTITIES_PER_PAGE, NextToken=token)


def _defaults(deployment: Deployment, name: str, default: str | None) -> Iterator[Finding]:
    if default in deployment.sets:
        return
    mending = deployment.aws(
        f"sesv2 put-email-identity-configuration-set-attributes --email-identity {quote(name)} "
        f"--configuration-set-name {deployment.output('ConfigurationSet')}"
    )
    if default is None:
        yield warning(
            "identity_without_set",
            f"the identity {name} has no default configuration set: its mail gives no events if its sender names none",
            mending=mending,
        )
    else:
        yield warning(
            "identity_of_other_set",
            f"the identity {name} sends with the configuration set {default}, which is none of this deployment's",
            mending=mending,
        )
