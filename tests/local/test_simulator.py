"""The simulated outcome of an address, of the account-level suppression list, and of a virus."""

from email.message import EmailMessage

import pytest

from pipeline.batch import group_by_key
from pipeline.fact import facts
from pipeline.local.ses.outcome import Bounced, Complained
from pipeline.local.ses.publisher import Publisher
from pipeline.local.ses.simulator import EICAR, is_infected
from pipeline.policy import DEFAULT_POLICY, verdict
from pipeline.verdict import Reason
from tests.support.mails import ANN, BEN, SENT_AT, an_email, an_outcome, decoded, event_kind, event_kinds, publish_email

SIMULATOR = "simulator.amazonses.com"
HARD, ON_LIST = "Bounce Permanent/General", "Bounce Permanent/OnAccountSuppressionList"
KINDS = {
    "success": ["Send", "Delivery"],
    "bounce": ["Send", HARD],
    "ooto": ["Send", "Delivery", "Bounce Transient/General"],
    "complaint": ["Send", "Delivery", "Complaint abuse"],
    "suppressionlist": ["Send", "Bounce Permanent/Suppressed"],
}


@pytest.mark.parametrize("domain", [SIMULATOR, "example.com"])
@pytest.mark.parametrize("label", ["", "+label1", "+a+b"])
@pytest.mark.parametrize("local", KINDS)
def test_local_parts_decide_at_any_domain_with_any_label(local: str, label: str, domain: str) -> None:
    """The simulator's local parts have the same outcome at any domain and with any label."""
    assert KINDS[local] == event_kinds(f"{local}{label}@{domain}")


@pytest.mark.parametrize("address", ["BOUNCE@Simulator.AmazonSES.com", "Night Run <Bounce+x@example.com>"])
def test_an_address_may_have_any_case_and_a_name(address: str) -> None:
    """Upper case and a display name do not change the outcome."""
    assert KINDS["bounce"] == event_kinds(address)


@pytest.mark.parametrize("address", ["bouncer@example.com", "ann+bounce@example.com", "ann@bounce.example"])
def test_a_similar_address_is_delivered(address: str) -> None:
    """An address that is only similar to the simulator's gets a delivery."""
    assert KINDS["success"] == event_kinds(address)


def test_a_simulated_bounce_is_550_user_unknown() -> None:
    """Status and diagnostic are the simulator's."""
    (_, event) = publish_email(an_email("bounce@example.com"))
    expected = {
        "emailAddress": "bounce@example.com",
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }
    assert [expected] == event["bounce"]["bouncedRecipients"]


def test_an_automatic_reply_contains_addresses_only() -> None:
    """The bounce of an automatic reply has no status and no server."""
    (_, _, event) = publish_email(an_email("ooto@example.com"))
    assert event["bounce"]["bouncedRecipients"] == [{"emailAddress": "ooto@example.com"}]
    assert "reportingMTA" not in event["bounce"]


def test_a_simulated_complaint_comes_from_the_simulator() -> None:
    """The complaint's user agent is the simulator's."""
    (*_, event) = publish_email(an_email("complaint@example.com"))
    assert event["complaint"]["userAgent"] == "Amazon SES Mailbox Simulator"


def test_recipients_with_the_same_outcome_share_an_event() -> None:
    """Two bounces of one mail are one event."""
    events = publish_email(an_email("bounce+a@example.com", "bounce+b@example.net"))
    (bounce,) = [event["bounce"] for event in events if "bounce" in event]
    assert [f"bounce+{mailbox}" for mailbox in ("a@example.com", "b@example.net")] == [
        recipient["emailAddress"] for recipient in bounce["bouncedRecipients"]
    ]


def test_a_mail_has_a_different_outcome_for_each_recipient() -> None:
    """One mail is delivered to some recipients and bounces for others."""
    events = publish_email(an_email("bounce@example.com", ANN, cc=("ooto@example.com",), bcc=(BEN,)))
    delivered = {recipient for event in events if "delivery" in event for recipient in event["delivery"]["recipients"]}
    assert delivered == {ANN, BEN, "ooto@example.com"}
    assert {event_kind(event) for event in events} == {"Send", "Delivery", HARD, "Bounce Transient/General"}


def test_a_repeated_address_is_delivered_to_once() -> None:
    """An address in two spellings gets one delivery, in its first spelling."""
    (_, event) = publish_email(an_email("Ann <ANN@Example.com>", cc=(ANN,)))
    assert event["delivery"]["recipients"] == ["Ann <ANN@Example.com>"]


def test_only_bounces_at_other_domains_suppress() -> None:
    """A simulated bounce suppresses at another domain, and not at the simulator's."""
    for domain, reason in (("example.com", Reason.HARD), (SIMULATOR, None)):
        events = decoded(Publisher(seed=1).publish(an_email(f"bounce@{domain}"), sent_at=SENT_AT))
        ((key, standing),) = group_by_key(fact for event in events for fact in facts(event)).items()
        assert reason == verdict(standing, DEFAULT_POLICY, address=key.address).reason


def test_an_address_that_bounced_is_suppressed_in_any_spelling() -> None:
    """After a hard bounce the account's list stops mail to any spelling of the address."""
    ses = Publisher(seed=1)
    assert event_kinds("bounce+ann@example.com", by=ses) == ["Send", HARD]
    assert event_kinds("Ann <Bounce+ANN@example.com>", by=ses) == ["Send", ON_LIST]
    assert ses.is_suppressed("BOUNCE+ann@EXAMPLE.com")


def test_an_address_that_complained_is_suppressed() -> None:
    """The next mail gets a complaint with the account list's sub-type and without a report."""
    ses = Publisher(seed=1)
    event_kinds("complaint+ann@example.com", by=ses)
    (_, event) = publish_email(an_email("complaint+ann@example.com"), by=ses)
    assert event["complaint"]["complaintSubType"] == "OnAccountSuppressionList"
    assert "complaintFeedbackType" not in event["complaint"]


def test_suppressed_mail_is_no_new_evidence() -> None:
    """Events of mail that the account's list stopped are echoes."""
    ses = Publisher(seed=1)
    for address in ("bounce+ann@example.com", "complaint+ann@example.com"):
        event_kinds(address, by=ses)
        events = decoded(ses.publish(an_email(address), sent_at=SENT_AT))
        assert {"echo"} == {finding.kind for event in events for finding in facts(event)}


def test_other_recipients_of_suppressed_mail_get_it() -> None:
    """The account's list stops a mail for its own addresses alone."""
    ses = Publisher(seed=1)
    event_kinds("bounce+ann@example.com", by=ses)
    assert event_kinds("bounce+ann@example.com", BEN, by=ses) == ["Send", ON_LIST, "Delivery"]


def test_the_account_list_can_be_off() -> None:
    """Without the list, an address bounces again."""
    ses = Publisher(seed=1, account_list=False)
    event_kinds("bounce+ann@example.com", by=ses)
    assert event_kinds("bounce+ann@example.com", by=ses) == ["Send", HARD]
    assert not ses.is_suppressed("bounce+ann@example.com")


@pytest.mark.parametrize("local", KINDS)
def test_addresses_of_the_simulator_are_never_listed(local: str) -> None:
    """Mail to the simulator has the same outcome each time."""
    ses = Publisher(seed=1)
    assert KINDS[local] == event_kinds(f"{local}@{SIMULATOR}", by=ses) == event_kinds(f"{local}@{SIMULATOR}", by=ses)


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
def test_only_hard_bounces_and_complaints_list_an_address(harmless: Bounced | Complained) -> None:
    """Other bounces and complaints do not put an address on the account's list."""
    ses = Publisher(seed=1)
    ses.publish(an_email(), sent_at=SENT_AT, outcome=an_outcome(harmless))
    assert not ses.is_suppressed(ANN)
    assert event_kinds(ANN, by=ses) == ["Send", "Delivery"]


def a_raw_message(attachment: bytes) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Look at this"
    message.set_content("See attached.")
    message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="sample.txt")
    return message.as_bytes()


def test_eicar_is_the_published_file() -> None:
    """The test file has the 68 bytes that virus scanners know."""
    assert (len(EICAR), EICAR[:9], EICAR[-5:]) == (68, b"X5O!P%@AP", b"$H+H*")


@pytest.mark.parametrize("content", [EICAR, b"Hello\n" + EICAR + b"\n", b"Note: " + EICAR, a_raw_message(EICAR)])
def test_eicar_is_found_plain_and_encoded(content: bytes) -> None:
    """The scan finds the file in a body and in an encoded attachment."""
    assert is_infected(content)


@pytest.mark.parametrize("content", [b"", b"Hello", a_raw_message(b"Hello"), b"\xff\xfe", b"Content-Type: multipart/x"])
def test_other_content_is_clean(content: bytes) -> None:
    """Content without the test file, malformed MIME included, is not reported."""
    assert not is_infected(content)


def test_an_infected_mail_is_rejected_for_all_recipients() -> None:
    """An infected mail has a Send and a Reject, whatever its addresses."""
    email = an_email("bounce@example.com", "ann@example.com", content=(b"Hello", EICAR))
    assert [event_kind(event) for event in publish_email(email)] == ["Send", "Reject"]


def test_a_rejected_mail_lists_no_address() -> None:
    """The simulated bounce of a rejected mail does not happen, so that its address is not listed."""
    ses = Publisher(seed=1)
    ses.publish(an_email("bounce@example.com", content=(EICAR,)), sent_at=SENT_AT)
    assert not ses.is_suppressed("bounce@example.com")
