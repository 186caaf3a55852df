"""What an address alone decides, and what SES's own suppression list keeps back."""

import pytest

from pipeline.batch import group_by_key
from pipeline.fact import facts
from pipeline.local.ses.outcome import Bounced, Complained
from pipeline.local.ses.publisher import Publisher
from pipeline.policy import DEFAULT_POLICY, Reason, verdict
from tests.support.mails import ANN, BEN, SENT_AT, a_fate, an_email, decoded, outcome, published, sort

SIMULATOR = "simulator.amazonses.com"
HARD, ON_LIST = "Bounce Permanent/General", "Bounce Permanent/OnAccountSuppressionList"
FATES = {
    "success": ["Send", "Delivery"],
    "bounce": ["Send", HARD],
    "ooto": ["Send", "Delivery", "Bounce Transient/General"],
    "complaint": ["Send", "Delivery", "Complaint abuse"],
    "suppressionlist": ["Send", "Bounce Permanent/Suppressed"],
}


@pytest.mark.parametrize("domain", [SIMULATOR, "example.com"])
@pytest.mark.parametrize("label", ["", "+label1", "+a+b"])
@pytest.mark.parametrize("local", FATES)
def test_the_simulators_local_parts_decide_at_every_domain_with_any_label(local: str, label: str, domain: str) -> None:
    assert FATES[local] == outcome(f"{local}{label}@{domain}")


@pytest.mark.parametrize("address", ["BOUNCE@Simulator.AmazonSES.com", "Night Run <Bounce+x@example.com>"])
def test_the_simulator_reads_an_address_in_any_case_and_with_a_name(address: str) -> None:
    assert FATES["bounce"] == outcome(address)


@pytest.mark.parametrize("address", ["bouncer@example.com", "ann+bounce@example.com", "ann@bounce.example"])
def test_an_address_that_only_resembles_the_simulators_is_delivered_to(address: str) -> None:
    assert FATES["success"] == outcome(address)


def test_a_simulated_bounce_says_550_user_unknown() -> None:
    (_, event) = published(an_email("bounce@example.com"))
    expected = {
        "emailAddress": "bounce@example.com",
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }
    assert [expected] == event["bounce"]["bouncedRecipients"]


def test_an_automatic_reply_names_addresses_only() -> None:
    (_, _, event) = published(an_email("ooto@example.com"))
    assert event["bounce"]["bouncedRecipients"] == [{"emailAddress": "ooto@example.com"}]
    assert "reportingMTA" not in event["bounce"]


def test_a_simulated_complaint_comes_from_the_simulator() -> None:
    (*_, event) = published(an_email("complaint@example.com"))
    assert event["complaint"]["userAgent"] == "Amazon SES Mailbox Simulator"


def test_recipients_who_meet_the_same_fate_share_an_event() -> None:
    events = published(an_email("bounce+a@example.com", "bounce+b@example.net"))
    (bounce,) = [event["bounce"] for event in events if "bounce" in event]
    assert [f"bounce+{who}" for who in ("a@example.com", "b@example.net")] == [
        recipient["emailAddress"] for recipient in bounce["bouncedRecipients"]
    ]


def test_a_mail_to_many_is_delivered_to_some_and_bounces_for_others() -> None:
    events = published(an_email("bounce@example.com", ANN, cc=("ooto@example.com",), bcc=(BEN,)))
    delivered = {who for event in events if "delivery" in event for who in event["delivery"]["recipients"]}
    assert delivered == {ANN, BEN, "ooto@example.com"}
    assert {sort(event) for event in events} == {"Send", "Delivery", HARD, "Bounce Transient/General"}


def test_an_address_given_twice_is_delivered_to_once_as_first_spelt() -> None:
    (_, event) = published(an_email("Ann <ANN@Example.com>", cc=(ANN,)))
    assert event["delivery"]["recipients"] == ["Ann <ANN@Example.com>"]


def test_a_bounce_at_another_domain_suppresses_and_at_the_simulators_does_not() -> None:
    for domain, reason in (("example.com", Reason.HARD), (SIMULATOR, None)):
        events = decoded(Publisher(seed=1).publish(an_email(f"bounce@{domain}"), sent_at=SENT_AT))
        ((key, known),) = group_by_key(finding for event in events for finding in facts(event)).items()
        assert reason == verdict(known, DEFAULT_POLICY, address=key.address).reason


def test_mail_to_an_address_that_bounced_is_kept_back_in_any_spelling() -> None:
    ses = Publisher(seed=1)
    assert outcome("bounce+ann@example.com", by=ses) == ["Send", HARD]
    assert outcome("Ann <Bounce+ANN@example.com>", by=ses) == ["Send", ON_LIST]
    assert ses.keeps_back("BOUNCE+ann@EXAMPLE.com")


def test_mail_to_an_address_that_complained_is_kept_back_as_a_complaint_without_report() -> None:
    ses = Publisher(seed=1)
    outcome("complaint+ann@example.com", by=ses)
    (_, event) = published(an_email("complaint+ann@example.com"), by=ses)
    assert event["complaint"]["complaintSubType"] == "OnAccountSuppressionList"
    assert "complaintFeedbackType" not in event["complaint"]


def test_what_is_kept_back_is_no_fresh_evidence() -> None:
    ses = Publisher(seed=1)
    for address in ("bounce+ann@example.com", "complaint+ann@example.com"):
        outcome(address, by=ses)
        events = decoded(ses.publish(an_email(address), sent_at=SENT_AT))
        assert {"echo"} == {finding.kind for event in events for finding in facts(event)}


def test_others_on_a_mail_to_a_listed_address_get_it() -> None:
    ses = Publisher(seed=1)
    outcome("bounce+ann@example.com", by=ses)
    assert outcome("bounce+ann@example.com", BEN, by=ses) == ["Send", ON_LIST, "Delivery"]


def test_the_account_list_can_be_switched_off() -> None:
    ses = Publisher(seed=1, account_list=False)
    outcome("bounce+ann@example.com", by=ses)
    assert outcome("bounce+ann@example.com", by=ses) == ["Send", HARD]
    assert not ses.keeps_back("bounce+ann@example.com")


@pytest.mark.parametrize("local", FATES)
def test_the_simulators_own_addresses_never_get_on_the_account_list(local: str) -> None:
    ses = Publisher(seed=1)
    assert FATES[local] == outcome(f"{local}@{SIMULATOR}", by=ses) == outcome(f"{local}@{SIMULATOR}", by=ses)


@pytest.mark.parametrize(
    "harmless",
    [
        Bounced(after_ms=1, recipients=(ANN,), type="Transient", sub_type="MailboxFull"),
        Bounced(after_ms=1, recipients=(ANN,), sub_type="Suppressed"),
        Bounced(after_ms=1, recipients=(ANN,), sub_type="UnsubscribedRecipient"),
        Complained(after_ms=1, recipients=(ANN,), feedback_type="not-spam"),
        Complained(after_ms=1, recipients=(ANN,), feedback_type=None, sub_type="OnTenantSuppressionList"),
    ],
)
def test_only_a_hard_bounce_or_a_complaint_lists_an_address(harmless: Bounced | Complained) -> None:
    ses = Publisher(seed=1)
    ses.publish(an_email(), sent_at=SENT_AT, fate=a_fate(harmless))
    assert not ses.keeps_back(ANN)
    assert outcome(ANN, by=ses) == ["Send", "Delivery"]
