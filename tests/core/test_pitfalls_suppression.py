"""Known mistakes of other suppression lists for SES, one per test: Mailfold must not make them."""

from datetime import timedelta

import pytest

from pipeline.event import FEEDBACK, EventKind
from pipeline.lookup import LookupStatus
from pipeline.policy import Policy, SoftRule
from pipeline.verdict import Reason
from tests.support.builders import (
    ABSENT,
    ADA,
    BOB,
    OCCURRED_AT,
    SENT_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_delivery,
    a_record,
    a_soft_bounce,
    one_of_each,
)
from tests.support.scenario import Scenario

NO_DSN = {"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT}
LATER = OCCURRED_AT + timedelta(days=1)
SOFT_POLICY = Policy(soft=SoftRule(mails=3, window_seconds=7 * 86_400, expiry_seconds=30 * 86_400))


@pytest.mark.parametrize("times", [1, 8, 46])
def test_an_event_counts_once_however_often_it_arrives(times: int) -> None:
    """Every transport may deliver an event repeatedly."""
    assert len(Scenario(*[a_bounce()] * times).standing().hard) == 1


def test_a_bounce_after_a_delivery_of_the_same_mail_counts() -> None:
    """A remote server may accept a mail and return it later."""
    scenario = Scenario(a_delivery(), a_bounce())
    assert (scenario.counts.events, scenario.verdict().suppressed) == ({"delivery": 1, "bounce": 1}, True)


def test_a_delivery_lifts_no_hard_bounce() -> None:
    """The order in which both arrive does not matter."""
    assert Scenario(a_bounce(), a_delivery(at=LATER)).verdict() == Scenario(a_delivery(at=LATER), a_bounce()).verdict()
    assert Scenario(a_bounce(), a_delivery(at=LATER)).verdict().suppressed


def test_a_bounce_counts_without_its_send() -> None:
    """Events arrive in any order, and a Send may not be published at all."""
    assert Scenario(a_bounce()).verdict().suppressed


def test_only_bounced_recipients_are_suppressed() -> None:
    """The other destinations of the mail received it."""
    scenario = Scenario(a_bounce(recipients=[ADA], destination=[ADA, BOB]))
    assert (scenario.verdict(ADA).suppressed, scenario.verdict(BOB).suppressed) == (True, False)


def test_every_recipient_of_a_bounce_is_suppressed() -> None:
    """One event may name several recipients."""
    scenario = Scenario(a_bounce(recipients=[ADA, BOB]))
    assert scenario.verdict(ADA).suppressed
    assert scenario.verdict(BOB).suppressed


def test_an_undetermined_bounce_is_a_soft_bounce() -> None:
    """It is evidence, and alone it does not suppress."""
    scenario = Scenario(a_bounce(bounce_type="Undetermined", sub_type="Undetermined", person=NO_DSN))
    assert (len(scenario.standing().soft), scenario.verdict().suppressed) == (1, False)


def test_an_out_of_office_reply_is_no_evidence() -> None:
    """SES reports it as a transient bounce without a delivery status notification."""
    scenario = Scenario(a_soft_bounce(sub_type="General", person=NO_DSN), policy=SOFT_POLICY)
    assert (scenario.standing().soft, scenario.counts.events["bounce"]) == ((), 1)


def test_a_bounce_without_recipients_has_no_facts() -> None:
    """It does not fall back to the destinations, who received the mail."""
    scenario = Scenario(a_bounce(bounce_type="Undetermined", sub_type="Undetermined", recipients=[], destination=[ADA]))
    assert (scenario.quarantine.held, scenario.counts.facts, scenario.is_suppressed()) == ([], 0, False)


def test_a_hard_bounce_without_a_dsn_counts() -> None:
    """Action, status and diagnostic are optional."""
    assert Scenario(a_bounce(person=NO_DSN, bounce={"reportingMTA": ABSENT})).verdict().suppressed


def test_a_permanent_status_does_not_make_a_bounce_hard() -> None:
    """A transient bounce with status 5.4.4 stays soft and keeps the status."""
    scenario = Scenario(a_soft_bounce(sub_type="General", person={"status": "5.4.4"}))
    assert (scenario.standing().soft[0].status, scenario.verdict().suppressed) == ("5.4.4", False)


def test_a_full_mailbox_is_suppressed_for_a_limited_time() -> None:
    """It takes as many mails as the soft rule requires."""
    bounces = [
        a_soft_bounce(messageId=f"m{n}", feedback_id=f"f{n}", at=OCCURRED_AT + timedelta(days=n)) for n in range(3)
    ]
    assert not Scenario(*bounces[:2], policy=SOFT_POLICY).verdict().suppressed
    verdict = Scenario(*bounces, policy=SOFT_POLICY).verdict()
    assert (Reason.SOFT, OCCURRED_AT + timedelta(days=32)) == (verdict.reason, verdict.until)


@pytest.mark.parametrize("sub_type", ["MessageTooLarge", "ContentRejected", "AttachmentRejected"])
def test_a_bounce_because_of_the_message_is_no_fact(sub_type: str) -> None:
    """Size, content and attachments are not the address's fault."""
    bounces = [a_soft_bounce(sub_type=sub_type, messageId=f"m{n}", feedback_id=f"f{n}") for n in range(9)]
    assert Scenario(*bounces, policy=SOFT_POLICY).standing() == Scenario().standing()


@pytest.mark.parametrize("sub_type", ["OnTenantSuppressionList", "OnAccountSuppressionList"])
def test_an_echo_of_a_list_does_not_suppress(sub_type: str) -> None:
    """SES did not contact the mailbox, so the bounce proves nothing new."""
    scenario = Scenario(a_bounce(sub_type=sub_type))
    assert (len(scenario.standing().echo), scenario.verdict().suppressed) == (1, False)


def test_a_listed_complaint_falls_back_to_one_destination() -> None:
    """With several destinations it states no fact."""
    listed = {"complaintSubType": "OnAccountSuppressionList"}
    assert len(Scenario(a_complaint(recipients=[], complaint=listed)).standing().echo) == 1
    assert Scenario(a_complaint(recipients=[], complaint=listed, destination=[ADA, BOB])).counts.facts == 0


def test_all_candidates_of_a_complaint_are_suppressed() -> None:
    """Their verdicts are marked as uncertain, and a policy can exclude them."""
    scenario = Scenario(a_complaint(recipients=[ADA, BOB]))
    assert (scenario.verdict(ADA).suppressed, scenario.verdict(ADA).certain) == (True, False)
    lenient = Scenario(a_complaint(recipients=[ADA, BOB]), policy=Policy(uncertain_complaint=None))
    assert not lenient.verdict(BOB).suppressed


def test_a_complaint_without_a_type_counts_and_not_spam_does_not() -> None:
    """The feedback type is optional, and not-spam is the opposite of a complaint."""
    assert Scenario(a_complaint(complaint={"complaintFeedbackType": ABSENT})).verdict().reason is Reason.COMPLAINT
    assert not Scenario(a_complaint(feedback_type="not-spam")).verdict().suppressed


@pytest.mark.parametrize("days", [4, 21, 60])
def test_late_feedback_counts_from_when_it_happened(days: int) -> None:
    """Complaints arrive days or weeks after the mail."""
    at = SENT_AT + timedelta(days=days)
    assert Scenario(a_complaint(at=at)).verdict().since == at


def test_a_delay_is_no_bounce() -> None:
    """SES still tries to deliver, so a delay states no fact."""
    delay = {"delayedRecipients": [{"emailAddress": ADA, "status": "4.4.1"}], "delayType": "MailboxFull"}
    scenario = Scenario(a_record("DeliveryDelay", {"deliveryDelay": delay}), policy=SOFT_POLICY)
    assert (scenario.counts.events, scenario.counts.facts) == ({"delivery_delay": 1}, 0)


@pytest.mark.parametrize("name", ["bounce", "complaint+label", "success", "suppressionlist"])
def test_the_mailbox_simulator_is_never_suppressed(name: str) -> None:
    """Its facts are kept all the same."""
    address = f"{name}@simulator.amazonses.com"
    scenario = Scenario(a_bounce(recipients=[address]), a_complaint(recipients=[address]))
    assert (scenario.is_suppressed(address), len(scenario.standing(address).hard)) == (False, 1)


def test_an_opt_out_does_not_suppress_the_address() -> None:
    """It concerns one topic only."""
    scenario = Scenario(a_bounce(sub_type="UnsubscribedRecipient"), one_of_each()["subscription"])
    assert (len(scenario.standing().opt_out), scenario.verdict().suppressed) == (1, False)


def test_a_suppressed_address_has_a_reason() -> None:
    """A look-up returns the reason with the verdict."""
    result = Scenario(a_bounce()).lookup()
    assert (result.status, result.verdict.reason) == (LookupStatus.SUPPRESSED, Reason.HARD)


def test_a_release_holds_when_the_old_bounce_arrives_again() -> None:
    """Only a bounce after the release suppresses again."""
    release = a_decision(action="release", at=LATER)
    assert not Scenario(a_bounce(), release, a_bounce()).verdict().suppressed
    assert Scenario(release, a_bounce(feedback_id="new", at=LATER + timedelta(seconds=1))).verdict().suppressed


def test_a_policy_applies_to_older_facts() -> None:
    """A new soft rule suppresses by the soft bounces that are already stored."""
    bounces = [a_soft_bounce(messageId=f"m{n}", feedback_id=f"f{n}") for n in range(3)]
    scenario = Scenario(*bounces)
    scenario.receive(bounces[0], policy=Policy(version=2, soft=SOFT_POLICY.soft))
    assert scenario.verdict().reason is Reason.SOFT


def test_facts_come_from_feedback_alone() -> None:
    """Exactly the kinds in `FEEDBACK` state facts."""
    for kind, record in one_of_each().items():
        assert (EventKind(kind) in FEEDBACK) is bool(Scenario(record).counts.facts)
