"""Checks of SES: account, identities, configuration sets, event destinations and account-level suppression list.

SES answers one call a second, so `connect_deployment` limits the client's rate. Entries of the list are only counted.
docs.aws.amazon.com/ses/latest/APIReference-V2/Welcome.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from shlex import quote
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.account_list import ListStatus, compare_list
from pipeline.aws.deployment.destinations import EventDestination, event_destinations, existing_destinations
from pipeline.aws.deployment.identities import email_identities
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, unknown, warning
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.errors import missing_ok
from pipeline.aws.ses import read_account_list

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import EventDestinationTypeDef, GetAccountResponseTypeDef

SUPPRESSED_REASONS = frozenset({"BOUNCE", "COMPLAINT"})  # for which SES adds an address to its suppression list
PURPOSES = {"archive": "the log", "feedback": "the suppression table"}  # by the name of a destination


def check_account(deployment: Deployment) -> Iterator[Finding]:
    """Check whether the account can send, and whether its suppression list is on.

    docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
    """
    account = deployment.clients.sesv2.get_account()
    yield from _check_sending(account)
    missing = SUPPRESSED_REASONS - {*account.get("SuppressionAttributes", {}).get("SuppressedReasons", [])}
    change = "put-account-suppression-attributes --suppressed-reasons BOUNCE COMPLAINT"
    remedy = deployment.aws_command(f"sesv2 {change}")
    if missing == SUPPRESSED_REASONS:
        message = "the account has no suppressed reasons: SES stops no mail, whatever is on its suppression list"
        yield warning("account_list_off", message, remedy=remedy)
    elif missing:
        reasons = " and ".join(f"{reason.lower()}s" for reason in sorted(missing))
        message = f"SES does not add {reasons} to its account-level suppression list, so it keeps delivering to them"
        yield warning("account_list_off", message, remedy=remedy)


def _check_sending(account: GetAccountResponseTypeDef) -> Iterator[Finding]:
    status = account.get("EnforcementStatus")
    if status == "SHUTDOWN" or not account.get("SendingEnabled"):
        yield error(
            "account_paused",
            "AWS has paused sending in this region: mail is rejected",
            remedy="read AWS's case in the SES console (Account dashboard), correct the cause and answer the case",
        )
    elif status == "PROBATION":
        yield warning(
            "account_under_review",
            "AWS has put this account under review for its bounces or complaints, and may pause sending",
            remedy="find the senders with mailfold query (view daily_rates), and answer AWS's case",
        )
    if not account.get("ProductionAccessEnabled"):
        yield warning(
            "account_in_sandbox",
            "the account is in the SES sandbox: it can send only to verified addresses and the mailbox simulator",
            remedy="request production access in the SES console",
        )


def check_identities(deployment: Deployment) -> Iterator[Finding]:
    """Check the default configuration set of each identity, up to `max_identities`.

    docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html#default-config-sets
    """
    ses = deployment.clients.sesv2
    identities = sending_identities(ses)
    names = [identity["IdentityName"] for identity in islice(identities, deployment.max_identities)]
    for name in names:
        default_set = ses.get_email_identity(EmailIdentity=name).get("ConfigurationSetName")
        yield from _check_default_set(deployment, name, default_set)
    unchecked = sum(1 for _ in identities)
    if unchecked:
        yield unknown(
            "identities_not_checked",
            f"{len(names):,} identities were checked, {unchecked:,} were not: SES answers one call a second",
            remedy=deployment.mailfold_command(f"doctor --identities {len(names) + unchecked}"),
        )
    elif not names:
        yield warning(
            "identity_none",
            "SES has no verified identity in this region, so nothing can be sent",
            remedy=deployment.aws_command("sesv2 create-email-identity --email-identity YOUR-DOMAIN"),
        )


def sending_identities(ses: SESV2Client) -> Iterator[Mapping[str, Any]]:
    """Return the identities that can send mail. A page is read when it is needed."""
    return (identity for identity in email_identities(ses) if identity.get("SendingEnabled"))


def _check_default_set(deployment: Deployment, identity: str, default_set: str | None) -> Iterator[Finding]:
    if default_set in deployment.configuration_sets:
        return
    remedy = deployment.aws_command(
        f"sesv2 put-email-identity-configuration-set-attributes --email-identity {quote(identity)} "
        f"--configuration-set-name {deployment.output('ConfigurationSet')}"
    )
    if default_set is None:
        message = f"the identity {identity} has no default configuration set: mail that names no set causes no events"
        yield warning("identity_without_set", message, remedy=remedy)
    else:
        message = (
            f"the identity {identity} sends with the configuration set {default_set}, which is not part of this "
            "deployment: its events are not kept"
        )
        yield warning("identity_wrong_set", message, remedy=remedy)


def check_configuration_sets(deployment: Deployment) -> Iterator[Finding]:
    """Check the options of each configuration set.

    docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetConfigurationSet.html
    """
    for name in deployment.configuration_sets:
        yield from _check_configuration_set(deployment, name)


def _check_configuration_set(deployment: Deployment, name: str) -> Iterator[Finding]:
    options: Mapping[str, Any] | None = missing_ok(
        lambda: deployment.clients.sesv2.get_configuration_set(ConfigurationSetName=name)
    )
    if options is None:
        remedy = deployment.aws_command(f"sesv2 create-configuration-set --configuration-set-name {name}")
        message = f"the configuration set {name} does not exist: SES rejects mail that names it"
        yield error("set_missing", message, remedy=remedy)
        return

    def put(kind: str, values: str) -> str:
        return deployment.aws_command(
            f"sesv2 put-configuration-set-{kind}-options --configuration-set-name {name} {values}"
        )

    if not options.get("SendingOptions", {}).get("SendingEnabled", True):
        message = f"sending with the configuration set {name} is disabled"
        yield error("set_paused", message, remedy=put("sending", "--sending-enabled"))
    suppression = options.get("SuppressionOptions")  # without it, the account's options apply
    if suppression is None:
        return
    # A scope that the command leaves out would be reset.
    scope = f" --suppression-scope {suppression['SuppressionScope']}" if suppression.get("SuppressionScope") else ""
    remedy = put("suppression", f"--suppressed-reasons BOUNCE COMPLAINT{scope}")
    if not suppression.get("SuppressedReasons"):
        message = f"the configuration set {name} has no suppressed reasons: SES stops none of its mail"
        yield error("set_suppression_off", message, remedy=remedy)
    elif SUPPRESSED_REASONS - {*suppression["SuppressedReasons"]}:
        message = f"the configuration set {name} does not apply SES's suppression list to both bounces and complaints"
        yield warning("set_suppression_off", message, remedy=remedy)


def check_destinations(deployment: Deployment) -> Iterator[Finding]:
    """Check where each configuration set publishes. `check_configuration_sets` reports a missing set.

    docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestination.html
    """
    for name in deployment.configuration_sets:
        existing = existing_destinations(deployment.clients.sesv2, name)
        if existing is not None:
            for required in event_destinations(deployment.stack, tracks=_tracks_engagement(deployment, name)):
                yield from _check_destination(deployment, name, required, existing)


def _tracks_engagement(deployment: Deployment, name: str) -> bool:
    """Return True if opens and clicks must be published. SES alters the mail for them, so other sets may omit them."""
    is_stacks_own = name == deployment.output("ConfigurationSet")
    return is_stacks_own and deployment.stack.parameters.get("TrackEngagement") != "false"


def _check_destination(
    deployment: Deployment, name: str, required: EventDestination, existing: Sequence[EventDestinationTypeDef]
) -> Iterator[Finding]:
    purpose = PURPOSES[required.name]
    matching = [destination for destination in existing if required.has_same_target(destination)]
    if not matching:
        message = f"the configuration set {name} has no destination that leads to {purpose}: nothing is published there"
        yield error("destination_missing", message, remedy=_put_destination(deployment, name, required, None))
        return
    remedy = _put_destination(deployment, name, required, matching[0]["Name"])
    enabled = [destination for destination in matching if destination.get("Enabled")]
    published = {type_ for destination in enabled for type_ in destination.get("MatchingEventTypes", [])}
    if not enabled:
        message = f"the destination {matching[0]['Name']} of the configuration set {name}, to {purpose}, is disabled"
        yield error("destination_disabled", message, remedy=remedy)
    elif missing := sorted(required.types - published):
        message = f"the configuration set {name} does not publish {', '.join(missing)} to {purpose}"
        yield error("destination_incomplete", message, remedy=remedy)
    roles = {destination.get("KinesisFirehoseDestination", {}).get("IamRoleArn") for destination in enabled}
    if roles - {required.target.get("IamRoleArn")}:
        message = f"a destination of the configuration set {name}, to {purpose}, uses a role that is not the stack's"
        yield warning("destination_wrong_role", message, remedy=remedy)


def _put_destination(deployment: Deployment, name: str, required: EventDestination, existing: str | None) -> str:
    """Return the command that creates a destination, or updates the existing one of that name."""
    verb = "update" if existing else "create"
    body: Any = {"Enabled": True, "MatchingEventTypes": sorted(required.types), required.kind: required.target}
    return deployment.aws_command(
        f"sesv2 {verb}-configuration-set-event-destination --configuration-set-name {name} "
        f"--event-destination-name {existing or required.name} "
        f"--event-destination '{msgspec.json.encode(body).decode()}'"
    )


def check_account_list(deployment: Deployment) -> Iterator[Finding]:
    """Look up the first page of the account-level suppression list, at most 1,000 entries, in the live table."""
    page = next(read_account_list(deployment.clients.sesv2))
    store = DynamoSuppressionStore(deployment.clients.dynamodb, table=deployment.live_table())
    missing = sum(entry.status is ListStatus.MISSING for entry in compare_list(page.entries, store=store))
    if missing:
        number = len(page.entries)
        scope = f"the {number:,} entries" if page.is_last else f"the first {number:,} entries"
        yield warning(
            "account_list_not_imported",
            f"of {scope} of SES's account-level suppression list, the table does not suppress {missing:,}: "
            "senders that query the table send to them, and SES then drops the mail",
            remedy=deployment.mailfold_command("import"),
        )
