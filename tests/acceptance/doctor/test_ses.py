"""Tests of the checks of SES, with responses that the emulator cannot give."""

from typing import Any

import msgspec
import pytest

from pipeline.address import Address
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.batch import StreamRecord
from pipeline.memory import MemoryQuarantine
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import BatchProjector
from pipeline.standing import Key
from tests.acceptance.doctor.deployment_fixture import (
    IDENTITY,
    STACK,
    DeploymentFixture,
    checks_named,
    find_names,
    find_problems,
)
from tests.acceptance.doctor.responses import with_responses
from tests.acceptance.emulators.ministack import REGION
from tests.support.builders import OCCURRED_AT, a_bounce

pytestmark = pytest.mark.slow

ADDRESSES = ("ann@example.com", "Bob@example.com")
SES_CHECKS = checks_named("SES account", "identities", "account list")


def test_healthy_account(deployed: DeploymentFixture) -> None:
    """With the responses of a healthy account there is no problem at all."""
    assert find_names(deployed.deployment(with_responses(deployed, {}))) == set()


@pytest.mark.parametrize(
    ("name", "severity", "account"),
    [
        ("account_paused", Severity.ERROR, {"SendingEnabled": False}),
        ("account_paused", Severity.ERROR, {"EnforcementStatus": "SHUTDOWN"}),
        ("account_under_review", Severity.WARNING, {"EnforcementStatus": "PROBATION"}),
        ("account_in_sandbox", Severity.WARNING, {"ProductionAccessEnabled": False}),
        ("account_list_off", Severity.WARNING, {"SuppressionAttributes": {"SuppressedReasons": []}}),
        ("account_list_off", Severity.WARNING, {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE"]}}),
    ],
)
def test_state_of_the_account(
    deployed: DeploymentFixture, name: str, severity: Severity, account: dict[str, Any]
) -> None:
    """Each state of the account that limits sending is the only finding, and has a remedy."""
    healthy = {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}}
    clients = with_responses(deployed, {"sesv2.GetAccount": healthy | account})
    [(check, finding)] = find_problems(deployed.deployment(clients))
    assert (check, finding.name, finding.severity) == ("SES account", name, severity)
    assert finding.remedy


@pytest.mark.parametrize(("default_set", "name"), [(None, "identity_without_set"), ("other", "identity_wrong_set")])
def test_identity_without_events(deployed: DeploymentFixture, default_set: str | None, name: str) -> None:
    """An identity whose default set is missing or another one is a warning, and the remedy sets it."""
    clients = with_responses(deployed, {"sesv2.GetEmailIdentity": {"ConfigurationSetName": default_set}})
    [(check, finding)] = find_problems(deployed.deployment(clients))
    assert (check, finding.name, finding.severity) == ("identities", name, Severity.WARNING)
    assert finding.remedy.startswith(
        f"aws sesv2 put-email-identity-configuration-set-attributes --email-identity {IDENTITY} "
    )


def test_no_verified_identity(deployed: DeploymentFixture) -> None:
    """Without a verified identity nothing can be sent."""
    unverified = {"IdentityName": IDENTITY, "SendingEnabled": False}
    clients = with_responses(deployed, {"sesv2.ListEmailIdentities": {"EmailIdentities": [unverified]}})
    assert find_names(deployed.deployment(clients), SES_CHECKS) == {"identity_none"}


def test_identities_beyond_the_limit_are_reported(deployed: DeploymentFixture) -> None:
    """The number of unchecked identities is reported, with the option that checks them all."""
    identities = [{"IdentityName": IDENTITY, "SendingEnabled": True}] * 33
    clients = with_responses(deployed, {"sesv2.ListEmailIdentities": {"EmailIdentities": identities}})
    [(_, finding)] = find_problems(deployed.deployment(clients), SES_CHECKS)
    assert (finding.name, finding.severity) == ("identities_not_checked", Severity.UNKNOWN)
    assert finding.message.startswith("30 identities were checked, 3 were not")
    assert "--identities 33" in finding.remedy


def test_limit_of_no_identities(deployed: DeploymentFixture) -> None:
    """A limit of 0 checks none, and does not claim that there is none."""
    deployment = msgspec.structs.replace(deployed.deployment(with_responses(deployed, {})), max_identities=0)
    assert find_names(deployment, SES_CHECKS) == {"identities_not_checked"}


def test_account_list_that_was_not_imported(deployed: DeploymentFixture) -> None:
    """Entries that the table does not suppress are counted, not named.

    A bounce that the list itself caused is no evidence. A real bounce is.
    """
    entries = [{"EmailAddress": address, "Reason": "BOUNCE", "LastUpdateTime": OCCURRED_AT} for address in ADDRESSES]
    deployment = deployed.deployment(
        with_responses(deployed, {"sesv2.ListSuppressedDestinations": {"SuppressedDestinationSummaries": entries}})
    )
    [(check, finding)] = find_problems(deployment, SES_CHECKS)
    assert (check, finding.name) == ("account list", "account_list_not_imported")
    assert "of the 2 entries" in finding.message
    assert "does not suppress 2" in finding.message
    assert finding.remedy == f"mailfold import --stack {STACK} --region {REGION}"
    assert "@" not in finding.message + finding.remedy

    dynamodb, table = deployed.client("dynamodb"), deployed["SuppressionTable"]
    store = DynamoSuppressionStore(dynamodb, table=table)
    keys = [Key(Address(address.lower())) for address in ADDRESSES]

    def put(payload: bytes) -> None:
        records = [StreamRecord(payload=payload, position="")]
        projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
        assert projector.project(records).cause is None

    try:
        put(a_bounce(recipients=ADDRESSES, sub_type="OnAccountSuppressionList"))
        assert find_names(deployment, SES_CHECKS) == {"account_list_not_imported"}
        put(a_bounce(recipients=ADDRESSES))
        assert find_names(deployment, SES_CHECKS) == set()
    finally:
        for key in keys:
            dynamodb.delete_item(TableName=table, Key={"address": {"S": key.address}, "scope": {"S": key.scope}})
