"""SES's own suppression list: what stands there, and the table does not suppress.

Only counts are told, never an address.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html

SES's identities: mail of one without a configuration set gives no events, unless its sender names a set.

docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html#default-config-sets

SES's account in this region: whether it may send, and whether SES's own list is on.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html

The configuration sets themselves: whether they send, count and keep to SES's own list.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetConfigurationSet.html

Where the configuration sets publish: every type to Firehose, bounces and complaints to EventBridge too.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestination.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from shlex import quote
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.account_list import ListStatus, compare_list
from pipeline.aws.deployment.destinations import EventDestination, event_destinations
from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error, unknown, warning
from pipeline.aws.ses import read_account_list

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef

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


REASONS = frozenset({"BOUNCE", "COMPLAINT"})  # for which SES puts an address onto its own list


def check_account(deployment: Deployment) -> Iterator[Finding]:
    """Look at SES's account."""
    ses: SESV2Client = deployment.client("sesv2")
    account = ses.get_account()
    state = account.get("EnforcementStatus")
    if state == "SHUTDOWN" or not account.get("SendingEnabled"):
        yield error(
            "account_paused",
            "SES has paused sending in this region",
            mending="read AWS's case about it in the SES console (Account dashboard), mend the cause and answer it",
        )
    elif state == "PROBATION":
        yield warning(
            "account_under_review",
            "AWS has put this account's sending under review for its bounces or complaints",
            mending="find the senders with mailfold query (view daily_rates), and answer AWS's case",
        )
    if not account.get("ProductionAccessEnabled"):
        yield warning(
            "account_in_sandbox",
            "SES is in its sandbox: it sends to verified addresses and to the simulator alone",
            mending="ask for production access in the SES console",
        )
    missing = REASONS - {*account.get("SuppressionAttributes", {}).get("SuppressedReasons", [])}
    if missing:
        yield warning(
            "account_list_off",
            f"SES's own suppression list, the safety net below this one, takes no {_words(missing)}",
            mending=deployment.aws("sesv2 put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT"),
        )


def _words(reasons: frozenset[str]) -> str:
    return " and no ".join(f"{reason.lower()}s" for reason in sorted(reasons))


def check_sets(deployment: Deployment) -> Iterator[Finding]:
    """Look at each configuration set itself."""
    ses: SESV2Client = deployment.client("sesv2")
    for name in deployment.sets:
        found = unless_missing(ses.get_configuration_set, ConfigurationSetName=name)
        if found is None:
            yield error(
                "set_missing",
                f"there is no configuration set {name}: mail that names it is refused",
                mending=deployment.aws(f"sesv2 create-configuration-set --configuration-set-name {name}"),
            )
            continue
        yield from _settings(deployment, name, found)


def _settings(deployment: Deployment, name: str, found: Mapping[str, Any]) -> Iterator[Finding]:
    if not found.get("SendingOptions", {}).get("SendingEnabled", True):
        yield error(
            "set_paused",
            f"sending with the configuration set {name} is switched off",
            mending=deployment.aws(
                f"sesv2 put-configuration-set-sending-options --configuration-set-name {name} --sending-enabled"
            ),
        )
    if not found.get("ReputationOptions", {}).get("ReputationMetricsEnabled"):
        yield warning(
            "set_without_rates",
            f"SES does not count the bounce and complaint rates of the configuration set {name}",
            mending=deployment.aws(
                "sesv2 put-configuration-set-reputation-options "
                f"--configuration-set-name {name} --reputation-metrics-enabled"
            ),
        )
    options = found.get("SuppressionOptions")  # without any, those of the account hold
    if options is not None and REASONS - {*options.get("SuppressedReasons", [])}:
        yield warning(
            "set_list_off",
            f"for the configuration set {name}, SES's own suppression list does not stop both bounces and complaints",
            mending=deployment.aws(
                f"sesv2 put-configuration-set-suppression-options --configuration-set-name {name} "
                "--suppressed-reasons BOUNCE COMPLAINT"
            ),
        )


LOSES = {"archive": "the log", "feedback": "the suppression table"}


def check_destinations(deployment: Deployment) -> Iterator[Finding]:
    """Look at where each configuration set publishes; one that is not there is told of elsewhere."""
    ses: SESV2Client = deployment.client("sesv2")
    for name in deployment.sets:
        answer = unless_missing(ses.get_configuration_set_event_destinations, ConfigurationSetName=name)
        if answer is not None:
            for wanted in event_destinations(deployment.stack, tracks=_tracks(deployment, name)):
                yield from _check(deployment, name, wanted, answer.get("EventDestinations", []))


def _tracks(deployment: Deployment, name: str) -> bool:
    """Tell whether opens and clicks have to be events: SES alters the mail for them, so not everybody wants them."""
    is_own = name == deployment.output("ConfigurationSet")
    return is_own and deployment.stack.parameters.get("TrackEngagement") != "false"


def _check(
    deployment: Deployment, name: str, wanted: EventDestination, there: Sequence[EventDestinationTypeDef]
) -> Iterator[Finding]:
    loses = LOSES[wanted.name]
    leading = [one for one in there if wanted.leads_there(one)]
    enabled = [one for one in leading if one.get("Enabled")]
    missing = sorted(wanted.types - {type_ for one in enabled for type_ in one.get("MatchingEventTypes", [])})
    if not leading:
        words = f"the configuration set {name} publishes nothing to {loses}: it has no destination that leads there"
        yield error("destination_missing", words, mending=_mending(deployment, name, wanted, None))
        return
    mending = _mending(deployment, name, wanted, leading[0]["Name"])
    if not enabled:
        words = f"the destination {leading[0]['Name']} of the configuration set {name}, to {loses}, is disabled"
        yield error("destination_disabled", words, mending=mending)
    elif missing:
        words = f"the configuration set {name} does not publish {', '.join(missing)} to {loses}"
        yield error("destination_incomplete", words, mending=mending)
    used = {one.get("KinesisFirehoseDestination", {}).get("IamRoleArn") for one in enabled}
    if used - {wanted.target.get("IamRoleArn")}:
        words = f"a destination of the configuration set {name}, to {loses}, uses a role that is not the stack's"
        yield warning("destination_of_other_role", words, mending=mending)


def _mending(deployment: Deployment, name: str, wanted: EventDestination, there: str | None) -> str:
    """Return the command that makes a destination, or changes the one that is there, as it has to be."""
    verb = "update" if there else "create"
    body: Any = {"Enabled": True, "MatchingEventTypes": sorted(wanted.types), wanted.kind: wanted.target}
    return deployment.aws(
        f"sesv2 {verb}-configuration-set-event-destination --configuration-set-name {name} "
        f"--event-destination-name {there or wanted.name} --event-destination '{msgspec.json.encode(body).decode()}'"
    )


def check_account_list(deployment: Deployment) -> Iterator[Finding]:
    """Look for the first page of SES's own list in the live table: one call, a thousand entries at most."""
    from pipeline.aws.dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    page = next(read_account_list(deployment.client("sesv2")))
    store = DynamoSuppressionStore(deployment.client("dynamodb"), table=deployment.live_table)
    missing = sum(one.status is ListStatus.MISSING for one in compare_list(page.entries, store=store))
    if missing:
        number = len(page.entries)
        looked = f"the {number:,} entries" if page.is_last else f"{number:,} entries, of more,"
        yield warning(
            "own_list_not_imported",
            f"of {looked} of SES's own suppression list, the table does not suppress {missing:,}: "
            "senders who ask it are told to send, and SES then does not",
            mending=deployment.mailfold("import"),
        )
