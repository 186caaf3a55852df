"""What has gone wrong for others who suppress by SES's events must not go wrong here; each test says one such thing."""

from datetime import timedelta

import pytest

from pipeline.batch import StreamRecord
from pipeline.decode import decode
from pipeline.event import FEEDBACK, Event, EventKind
from pipeline.policy import Policy, Reason, SoftRule
from pipeline.projection import project
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
from tests.support.scenario import World

NO_DSN = {"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT}
LATER = OCCURRED_AT + timedelta(days=1)
PATIENT = Policy(soft=SoftRule(mails=3, window_seconds=7 * 86_400, expiry_seconds=30 * 86_400))


def an_event(payload: bytes) -> Event:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize("times", [1, 8, 46])
def test_however_often_an_event_arrives_it_counts_once(times: int) -> None:
    assert len(World(*[a_bounce()] * times).answer().standing.hard) == 1


def test_a_bounce_after_the_delivery_of_the_same_mail_is_another_event_and_counts() -> None:
    world = World(a_delivery(), a_bounce())
    assert (world.tally.events, world.verdict().suppressed) == ({"delivery": 1, "bounce": 1}, True)


def test_a_delivery_after_a_hard_bounce_lifts_nothing_in_either_order() -> None:
    assert World(a_bounce(), a_delivery(at=LATER)).verdict() == World(a_delivery(at=LATER), a_bounce()).verdict()
    assert World(a_bounce(), a_delivery(at=LATER)).verdict().suppressed


def test_a_bounce_counts_though_its_send_was_never_seen() -> None:
    assert World(a_bounce()).verdict().suppressed


def test_only_the_recipients_that_bounced_are_suppressed_of_all_who_got_the_mail() -> None:
    world = World(a_bounce(recipients=[ADA], destination=[ADA, BOB]))
    assert (world.verdict(ADA).suppressed, world.verdict(BOB).suppressed) == (True, False)


def test_every_recipient_of_an_event_is_looked_at() -> None:
    world = World(a_bounce(recipients=[ADA, BOB]))
    assert world.verdict(ADA).suppressed
    assert world.verdict(BOB).suppressed


def test_an_undetermined_bounce_is_evidence_and_suppresses_nobody_at_once() -> None:
    world = World(a_bounce(bounce_type="Undetermined", sub_type="Undetermined", person=NO_DSN))
    assert (len(world.answer().standing.soft), world.verdict().suppressed) == (1, False)


def test_an_out_of_office_reply_is_no_evidence() -> None:
    world = World(a_soft_bounce(sub_type="General", person=NO_DSN), policy=PATIENT)
    assert (world.answer().standing.soft, world.tally.events["bounce"]) == ((), 1)


def test_a_bounce_that_names_nobody_is_about_nobody() -> None:
    world = World(a_bounce(bounce_type="Undetermined", sub_type="Undetermined", recipients=[], destination=[ADA]))
    assert (world.quarantine.held, world.tally.facts, world.answer().suppressed) == ([], 0, False)


def test_a_hard_bounce_without_any_report_of_the_remote_server_counts() -> None:
    assert World(a_bounce(person=NO_DSN, bounce={"reportingMTA": ABSENT})).verdict().suppressed


def test_the_enhanced_status_of_a_transient_bounce_is_kept_though_it_is_a_permanent_one() -> None:
    world = World(a_soft_bounce(sub_type="General", person={"status": "5.4.4"}))
    assert (world.answer().standing.soft[0].status, world.verdict().suppressed) == ("5.4.4", False)


def test_a_mailbox_that_stays_full_is_suppressed_after_enough_mails_and_only_for_a_while() -> None:
    bounces = [
        a_soft_bounce(messageId=f"m{n}", feedback_id=f"f{n}", at=OCCURRED_AT + timedelta(days=n)) for n in range(3)
    ]
    assert not World(*bounces[:2], policy=PATIENT).verdict().suppressed
    verdict = World(*bounces, policy=PATIENT).verdict()
    assert (Reason.SOFT, OCCURRED_AT + timedelta(days=32)) == (verdict.reason, verdict.until)


@pytest.mark.parametrize("sub_type", ["MessageTooLarge", "ContentRejected", "AttachmentRejected"])
def test_what_is_the_messages_fault_is_never_the_addresss(sub_type: str) -> None:
    bounces = [a_soft_bounce(sub_type=sub_type, messageId=f"m{n}", feedback_id=f"f{n}") for n in range(9)]
    assert World(*bounces, policy=PATIENT).answer().standing == World().answer().standing


@pytest.mark.parametrize("sub_type", ["Suppressed", "OnAccountSuppressionList"])
def test_an_echo_of_a_list_of_ses_is_recorded_and_no_fresh_evidence(sub_type: str) -> None:
    world = World(a_bounce(sub_type=sub_type))
    assert (len(world.answer().standing.echo), world.verdict().suppressed) == (1, False)


def test_a_complaint_from_a_list_without_recipients_is_about_a_single_destination_alone() -> None:
    listed = {"complaintSubType": "OnAccountSuppressionList"}
    assert len(World(a_complaint(recipients=[], complaint=listed)).answer().standing.echo) == 1
    assert World(a_complaint(recipients=[], complaint=listed, destination=[ADA, BOB])).tally.facts == 0


def test_several_candidates_of_a_complaint_are_suppressed_and_marked_as_guesses() -> None:
    world = World(a_complaint(recipients=[ADA, BOB]))
    assert (world.verdict(ADA).suppressed, world.verdict(ADA).certain) == (True, False)
    lenient = World(a_complaint(recipients=[ADA, BOB]), policy=Policy(uncertain_complaint=False))
    assert not lenient.verdict(BOB).suppressed


def test_a_complaint_without_a_type_counts_and_not_spam_does_not() -> None:
    assert World(a_complaint(complaint={"complaintFeedbackType": ABSENT})).verdict().reason is Reason.COMPLAINT
    assert not World(a_complaint(feedback_type="not-spam")).verdict().suppressed


@pytest.mark.parametrize("days", [4, 21, 60])
def test_feedback_that_comes_late_counts_from_when_it_happened(days: int) -> None:
    at = SENT_AT + timedelta(days=days)
    assert World(a_complaint(at=at)).verdict().since == at


def test_a_delay_is_no_bounce() -> None:
    delay = {"delayedRecipients": [{"emailAddress": ADA, "status": "4.4.1"}], "delayType": "MailboxFull"}
    world = World(a_record("DeliveryDelay", {"deliveryDelay": delay}), policy=PATIENT)
    assert (world.tally.events, world.tally.facts) == ({"delivery_delay": 1}, 0)


@pytest.mark.parametrize("name", ["bounce", "complaint+label", "success", "suppressionlist"])
def test_the_mailbox_simulator_never_suppresses_and_its_facts_are_kept(name: str) -> None:
    address = f"{name}@simulator.amazonses.com"
    world = World(a_bounce(recipients=[address]), a_complaint(recipients=[address]))
    assert (world.answer(address).suppressed, len(world.answer(address).standing.hard)) == (False, 1)


def test_an_opt_out_from_a_topic_is_no_suppression_of_the_address() -> None:
    world = World(a_bounce(sub_type="UnsubscribedRecipient"), one_of_each()["subscription"])
    assert (len(world.answer().standing.opt_out), world.verdict().suppressed) == (1, False)


def test_an_address_that_is_suppressed_answers_so_with_a_reason() -> None:
    answer = World(a_bounce()).answer()
    assert (answer.suppressed, answer.verdict and answer.verdict.reason) == (True, Reason.HARD)


def test_an_operators_release_sticks_though_the_old_bounce_arrives_again() -> None:
    release = a_decision(action="release", at=LATER)
    assert not World(a_bounce(), release, a_bounce()).verdict().suppressed
    assert World(release, a_bounce(feedback_id="new", at=LATER + timedelta(seconds=1))).verdict().suppressed


def test_a_policy_applies_to_what_was_known_before_it() -> None:
    bounces = [a_soft_bounce(messageId=f"m{n}", feedback_id=f"f{n}") for n in range(3)]
    world = World(*bounces)
    records = [StreamRecord(payload=bounces[0], position="")]
    policy = Policy(version=2, soft=PATIENT.soft)
    project(records, store=world.store, quarantine=world.quarantine, policy=policy)
    assert world.verdict().reason is Reason.SOFT


def test_facts_come_from_feedback_alone() -> None:
    for kind, record in one_of_each().items():
        assert (EventKind(kind) in FEEDBACK) is bool(World(record).tally.facts)
