"""Records and envelopes that deviate from AWS's documentation: none loses a suppression or is silently ignored."""

import gzip
import json
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import Event, NotAnEvent, Poison
from pipeline.fact import facts
from tests.support.builders import ABSENT, ADA, BOB, a_bounce, a_complaint, a_send, base64, dumped
from tests.support.facts import kinds_in

RECORD = json.loads(a_bounce())
TEXT = json.dumps(RECORD)
PINPOINT = {
    "event_type": "_email.hardbounce",
    "event_timestamp": 1_772_366_402_000,
    "facets": {"email_channel": {"mail_event": {"mail": RECORD["mail"], "bounce": RECORD["bounce"]}}},
}
LOGS = {"messageType": "DATA_MESSAGE", "logEvents": [{"message": TEXT}]}
TEST_LINE = b"Successfully validated SNS topic for Amazon SES event publishing."


def on_a_bus(detail: object, *, type_: str = "Something") -> bytes:
    return dumped({"version": "0", "detail-type": type_, "detail": detail})


def hard(payload: bytes) -> list[str]:
    """Return the addresses that have a hard bounce."""
    events = [outcome for outcome in decode(payload) if isinstance(outcome, Event)]
    return [fact.key.address for event in events for fact in facts(event) if fact.kind == "hard"]


def a_failed_recipient(**fields: str) -> bytes:
    return a_bounce(person={"action": ABSENT, "status": ABSENT, "diagnosticCode": ABSENT} | fields)


CARRIERS: dict[str, Any] = {
    "Kinesis by Pipes": {"kinesisSchemaVersion": "1.0", "data": base64(a_bounce()), "eventSource": "aws:kinesis"},
    "a failed call": {"requestPayload": {"awslogs": {"data": base64(gzip.compress(dumped(LOGS)))}}},
    "a failed batch": {
        "KinesisBatchInfo": {},
        "payload": json.dumps({"Records": [{"kinesis": {"data": base64(a_bounce())}}]}),
    },
    "Firehose": {"recordId": "1", "data": base64(a_bounce())},
    "data alone": {"data": base64(a_bounce())},
    "a body": {"body": base64(a_bounce()), "isBase64Encoded": True},
    "Pinpoint": PINPOINT,
    "CloudWatch Logs": LOGS,
}


@pytest.mark.parametrize("detail", CARRIERS.values(), ids=CARRIERS)
def test_every_envelope_is_read_inside_eventbridge(detail: object) -> None:
    """On any bus, whatever its detail type is."""
    assert hard(on_a_bus(detail)) == [ADA]


@pytest.mark.parametrize("name", ["Kinesis by Pipes", "a failed batch", "Firehose", "a body"])
def test_an_envelope_inside_eventbridge_that_cannot_be_read_is_poison(name: str) -> None:
    """It claims to carry a record."""
    broken = json.loads(json.dumps(CARRIERS[name]).replace(base64(a_bounce()), base64(a_bounce()[:-9])))
    assert [type(outcome) for outcome in decode(on_a_bus(broken))] == [Poison]


@pytest.mark.parametrize("detail", [{"data": "hello"}, {"data": {"a": 1}}, {"body": "hello"}, {"payload": [1]}, []])
def test_another_program_s_event_on_a_bus_is_no_event(detail: object) -> None:
    """Its keys are those of envelopes, but nothing in it is a record."""
    assert [type(outcome) for outcome in decode(on_a_bus(detail))] == [NotAnEvent]


@pytest.mark.parametrize("detail", [[], {"ses": 1}, {"logEvents": []}])
def test_an_email_event_without_a_record_is_poison(detail: object) -> None:
    """EventBridge says that it is about an e-mail."""
    assert [type(outcome) for outcome in decode(on_a_bus(detail, type_="Email Bounced"))] == [Poison]


@pytest.mark.parametrize(
    "wrapper",
    [
        {"eventType": "ses.notification", "payload": RECORD},
        {"notificationType": "ses", "data": TEXT},
        {"ses": RECORD},
        {"receipt": 1, "event": RECORD},
        {"event": PINPOINT},
        {**RECORD, "eventType": 1, "notificationType": "Bounce"},
        {**RECORD, "eventType": " ", "notificationType": "Bounce"},
        {**RECORD, "mail": json.dumps(RECORD["mail"]), "bounce": json.dumps(RECORD["bounce"])},
    ],
)
def test_a_wrapper_s_own_keys_do_not_hide_a_record(wrapper: object) -> None:
    """It has a type of its own, SES's key for received mail, a second type, or its objects as texts."""
    assert hard(dumped(wrapper)) == [ADA]


@pytest.mark.parametrize(
    "payload", [b'{"messageType":"DATA_MESSAGE","logEvents":[]}', b'{"a":%b,"a":1}' % a_bounce(), b'{"Records":[]}']
)
def test_every_payload_has_an_outcome(payload: bytes) -> None:
    """One without a record says why."""
    assert [type(outcome) for outcome in decode(payload)] in ([NotAnEvent], [Poison])


def test_sns_s_test_line_hides_nothing_after_it() -> None:
    """Some sinks put payloads one after the other."""
    for payload in (TEST_LINE + a_bounce(), a_bounce() + TEST_LINE, TEST_LINE + b"\n" + a_bounce()):
        assert hard(payload) == [ADA]
    assert [type(outcome) for outcome in decode(TEST_LINE)] == [NotAnEvent]


@pytest.mark.parametrize("scope", [["tenant-a"], {"name": "tenant-a"}, True])
def test_a_decision_with_an_unreadable_scope_is_poison(scope: object) -> None:
    """In every scope, it would lift what its author did not want to lift."""
    decision = {"id": "1", "action": "release", "address": ADA, "scope": scope, "decidedAt": "2026-03-01T12:00:00Z"}
    assert [type(outcome) for outcome in decode(dumped({"eventType": "Decision", "decision": decision}))] == [Poison]


def test_a_decision_with_an_unreadable_clock_is_poison() -> None:
    """Its wall time is no substitute for a clock that was given."""
    decision = {"id": "1", "action": "release", "address": ADA, "atMs": "soon", "decidedAt": "2026-03-01T12:00:00Z"}
    assert [type(outcome) for outcome in decode(dumped({"eventType": "Decision", "decision": decision}))] == [Poison]


@pytest.mark.parametrize("key", ["bouncedrecipients", "bouncedRecipients"])
def test_recipients_with_keys_in_another_case_are_read(key: str) -> None:
    """Although the rest of the record has SES's keys."""
    bounce = {**RECORD["bounce"], "bouncedRecipients": None} | {key: [{"emailaddress": ADA}]}
    assert hard(dumped({**RECORD, "mail": {**RECORD["mail"], "destination": [ADA, BOB]}, "bounce": bounce})) == [ADA]


def test_a_sub_type_that_is_the_text_null_is_none() -> None:
    """Exports write a missing value so."""
    assert kinds_in(a_complaint(complaint={"complaintSubType": "null"})) == kinds_in(a_complaint()) != []


@pytest.mark.parametrize(
    "words",
    [
        "smtp; 550 No such user (Exim 4.94.2)",
        "smtp; 550 mailbox unavailable (Sophos 4.1.2)",
        "smtp; 550 user unknown; MDaemon 2.0.1",
    ],
)
def test_a_program_s_version_is_no_status(words: str) -> None:
    """A code counts where servers put it: at the beginning, after a reply code, or after #."""
    assert hard(a_failed_recipient(diagnosticCode=words)) == [ADA]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("550 4.4.7 expired", "soft"),
        ("smtp; 550-4.2.2 over quota", "soft"),
        ("smtp; 550 5.7.1 no", "blocked"),
        ("smtp;554-5.7.1 [192.0.2.1]", "blocked"),
        ("550 sorry (#5.7.1)", "blocked"),
        ("smtp; 5.1.0 - Unknown address error 550-'5.1.1", "hard"),
    ],
)
def test_a_status_in_a_server_s_words_counts(words: str, kind: str) -> None:
    """Where the field for it is missing."""
    assert kinds_in(a_failed_recipient(diagnosticCode=words)) == [(ADA, kind)]


@pytest.mark.parametrize(
    ("action", "kinds"), [("expanded (to an alias)", []), ("relayed (x)", []), ("delayed (x)", ["soft"])]
)
def test_a_comment_after_an_action_does_not_count(action: str, kinds: list[str]) -> None:
    """Some servers append one."""
    assert kinds_in(a_failed_recipient(action=action)) == [(ADA, kind) for kind in kinds]


def test_a_record_is_found_after_one_that_is_cut_off() -> None:
    """Whatever key it begins with."""
    for key in ("bounce", "mail", "eventType"):
        following = dumped({key: RECORD[key], **RECORD})
        assert hard(a_send()[:200] + following) == [ADA]


def test_the_output_of_a_dynamodb_scan_is_read() -> None:
    """Of the table in AWS's article on bounces."""
    summary = json.dumps([{"emailAddress": ADA, "status": "5.1.1"}])
    item = {"SESMessageType": {"S": "Bounce"}, "SESMessageId": {"S": "m"}, "SESbounceSummary": {"S": summary}}
    assert hard(dumped({"Items": [item, item], "Count": 2})) == [ADA, ADA]


def test_a_bounce_of_pinpoint_without_its_details_is_poison() -> None:
    """As one of SES is."""
    event = {**PINPOINT, "facets": {"email_channel": {"mail_event": {"mail": RECORD["mail"]}}}}
    assert [type(outcome) for outcome in decode(dumped(event))] == [Poison]
