"""What the emulator cannot say of SES's account, put in its mouth: each fault there is found by its name."""

from typing import Any

import pytest

from pipeline.address import Address
from pipeline.aws.doctor.checks import LINKS
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.batch import StreamRecord
from pipeline.memory import MemoryQuarantine
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import BatchProjector
from pipeline.standing import Key
from tests.acceptance.doctor.answer import answering
from tests.acceptance.doctor.deployment_fixture import IDENTITY, STACK, Patient, found, names
from tests.acceptance.emulators.ministack import REGION
from tests.support.builders import OCCURRED_AT, a_bounce

pytestmark = pytest.mark.slow

ADDRESSES = ("ann@example.com", "Bob@example.com")
SES_LINKS = tuple(link for link in LINKS if link.name in {"SES account", "identities", "SES's own list"})


def test_where_ses_answers_well_all_is_well(patient: Patient) -> None:
    assert names(patient.deployment(answering(patient, {}))) == set()


@pytest.mark.parametrize(
    ("name", "severity", "answer"),
    [
        ("account_paused", Severity.FAULT, {"SendingEnabled": False}),
        ("account_paused", Severity.FAULT, {"EnforcementStatus": "SHUTDOWN"}),
        ("account_under_review", Severity.WARNING, {"EnforcementStatus": "PROBATION"}),
        ("account_in_sandbox", Severity.WARNING, {"ProductionAccessEnabled": False}),
        ("account_list_off", Severity.WARNING, {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE"]}}),
    ],
)
def test_the_account(patient: Patient, name: str, severity: Severity, answer: dict[str, Any]) -> None:
    answers = {"sesv2.GetAccount": {"SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}} | answer}
    [(link, finding)] = found(patient.deployment(answering(patient, answers)))
    assert (link, finding.name, finding.severity) == ("SES account", name, severity)
    assert finding.mending


@pytest.mark.parametrize(("default", "name"), [(None, "identity_without_set"), ("other", "identity_of_other_set")])
def test_an_identity_whose_mail_gives_no_events(patient: Patient, default: str | None, name: str) -> None:
    answers = {"sesv2.GetEmailIdentity": {"ConfigurationSetName": default}}
    [(link, finding)] = found(patient.deployment(answering(patient, answers)))
    assert (link, finding.name, finding.severity) == ("identities", name, Severity.WARNING)
    assert finding.mending.startswith(
        f"aws sesv2 put-email-identity-configuration-set-attributes --email-identity {IDENTITY} "
    )


def test_without_an_identity_nothing_can_be_sent(patient: Patient) -> None:
    unverified = {"IdentityName": IDENTITY, "SendingEnabled": False}
    answers = {"sesv2.ListEmailIdentities": {"EmailIdentities": [unverified]}}
    assert names(patient.deployment(answering(patient, answers)), SES_LINKS) == {"identity_none"}


def test_identities_that_are_too_many_are_said_to_be(patient: Patient) -> None:
    many = [{"IdentityName": IDENTITY, "SendingEnabled": True}] * 33
    answers = {"sesv2.ListEmailIdentities": {"EmailIdentities": many}}
    [(_, finding)] = found(patient.deployment(answering(patient, answers)), SES_LINKS)
    assert (finding.name, finding.severity) == ("identity_not_looked_at", Severity.UNKNOWN)
    assert finding.words.startswith("30 identities were looked at, 3 were not")
    assert "--identities 33" in finding.mending


def test_what_stands_on_sess_own_list_and_is_not_suppressed(patient: Patient) -> None:
    """It is counted, no address is named, an echo is not enough, and once the table suppresses them all is well."""
    entries = [{"EmailAddress": address, "Reason": "BOUNCE", "LastUpdateTime": OCCURRED_AT} for address in ADDRESSES]
    deployment = patient.deployment(
        answering(patient, {"sesv2.ListSuppressedDestinations": {"SuppressedDestinationSummaries": entries}})
    )
    [(link, finding)] = found(deployment, SES_LINKS)
    assert (link, finding.name) == ("SES's own list", "own_list_not_imported")
    assert "of the 2 entries" in finding.words
    assert "does not suppress 2" in finding.words
    assert finding.mending == f"mailfold import --stack {STACK} --region {REGION}"
    assert "@" not in finding.words + finding.mending

    dynamodb, table = patient.client("dynamodb"), patient["SuppressionTable"]
    store = DynamoSuppressionStore(dynamodb, table=table)
    keys = [Key(Address(address.lower())) for address in ADDRESSES]

    def put(payload: bytes) -> None:
        records = [StreamRecord(payload=payload, position="")]
        projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
        assert projector.project(records).cause is None

    try:
        put(a_bounce(recipients=ADDRESSES, sub_type="OnAccountSuppressionList"))
        assert names(deployment, SES_LINKS) == {"own_list_not_imported"}
        put(a_bounce(recipients=ADDRESSES))
        assert names(deployment, SES_LINKS) == set()
    finally:
        for key in keys:
            dynamodb.delete_item(TableName=table, Key={"address": {"S": key.address}, "scope": {"S": key.scope}})
