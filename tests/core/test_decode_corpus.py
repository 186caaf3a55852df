"""Tests of `decode` with real payloads of public projects: none is lost, and none raises.

The corpus is not part of this project; where its folder is absent, these tests are skipped. Expectations are derived
from each payload's plain JSON, without the decoder.
"""

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.decode import decode
from pipeline.event import Event, NotAnEvent, Poison

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of public payloads is not at {CORPUS}")

ENVELOPES = {
    "none": [],
    "sns": ["sns"],
    "lambda-sns": ["lambda_sns"],
    "lambda-sqs": ["lambda_sqs", "sns"],
    "lambda-ses": [],
}
KINDS = {
    "Bounce": "bounce",
    "Click": "click",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "DeliveryDelay": "delivery_delay",
    "Open": "open",
    "Reject": "reject",
    "Rendering Failure": "rendering_failure",
    "Send": "send",
    "Subscription": "subscription",
}
# By kind: the record's object with details, and its key with recipients.
DETAILS = {"delivery_delay": "deliveryDelay", "rendering_failure": "failure"}
RECIPIENTS = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "delivery": "recipients",
    "delivery_delay": "delayedRecipients",
}
TIMELESS = {"send", "reject", "rendering_failure"}
NEEDS_NOTHING = {"send", "reject", "unknown"}


class Case(NamedTuple):
    """A line of the corpus's index."""

    file: str
    wrapper: str
    type: str

    def payload(self) -> bytes:
        return (CORPUS / self.file).read_bytes()

    def kind(self) -> str:
        return KINDS.get(self.type, "unknown")

    def record(self) -> Any:
        """Return the record inside the envelopes."""
        document = json.loads(self.payload())
        if self.wrapper == "lambda-sqs":
            document = json.loads(document["Records"][0]["body"])
        elif self.wrapper == "lambda-sns":
            document = document["Records"][0]["Sns"]
        message = document["Message"] if self.wrapper in {"sns", "lambda-sns", "lambda-sqs"} else document
        return json.loads(message) if isinstance(message, str) else message


def cases() -> list[Case]:
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "index.tsv").open(newline="") as lines:
        return [Case(line["file"], line["wrapper"], line["type"]) for line in csv.DictReader(lines, delimiter="\t")]


def moment(text: str | None) -> datetime | None:
    """Parse a time with the standard library alone."""
    try:
        parsed = datetime.fromisoformat(re.sub(r" ([+-]\d{4})$", r"\1", text or ""))
    except ValueError:
        return None
    parsed = parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    return parsed.replace(microsecond=parsed.microsecond // 1_000 * 1_000)


def addresses(recipients: Any) -> list[str]:
    """Return the addresses of recipients, which are texts or objects, in a list or alone."""
    spelled = [item.get("emailAddress", "") if isinstance(item, dict) else item for item in as_list(recipients)]
    bare = [re.sub(r"^.*<|>.*$", "", text).strip().lower() for text in spelled]
    return list(dict.fromkeys(text for text in bare if "@" in text))


def as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def expected_recipients(kind: str, details: dict[str, Any], mail: dict[str, Any]) -> list[str]:
    named = addresses(details.get(RECIPIENTS.get(kind, "")))
    destinations = addresses(mail.get("destination"))
    if named or kind == "bounce" or (kind == "complaint" and len(destinations) != 1):
        return named
    return destinations


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.file)
def test_a_public_payload_decodes(case: Case) -> None:
    """Kind, envelopes, times, recipients and text are those read from its plain JSON."""
    [outcome] = decode(case.payload())
    record, kind = case.record(), case.kind()
    if case.type == "Received":
        assert isinstance(outcome, NotAnEvent)
        assert outcome.why == "received mail"
        return
    details, mail = record.get(DETAILS.get(kind, kind)), record.get("mail") or {}
    if details is None and kind not in NEEDS_NOTHING:
        assert isinstance(outcome, Poison)
        assert outcome.why
        return
    details = details or {}
    assert isinstance(outcome, Event)
    assert (kind, ENVELOPES[case.wrapper]) == (outcome.kind, list(outcome.envelopes))
    assert moment(mail.get("timestamp")) == outcome.sent_at
    assert moment((mail if kind in TIMELESS else details).get("timestamp")) == outcome.occurred_at
    assert expected_recipients(kind, details, mail) == list(outcome.recipients)
    assert (mail.get("messageId") or None) == outcome.message_id
    assert record == json.loads(outcome.raw)


def test_the_corpus_is_complete() -> None:
    """Each of the 200 files is named in the index, and each named file is there."""
    files = {path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*.json")}
    assert len(files) == 200
    assert files == {case.file for case in cases()}


def test_nearly_all_public_payloads_are_events() -> None:
    """Every file has an outcome, and fewer than ten are poison."""
    outcomes = [outcome for case in cases() for outcome in decode(case.payload())]
    counts = {kind: sum(isinstance(outcome, kind) for outcome in outcomes) for kind in (Event, NotAnEvent, Poison)}
    assert counts[Event] + counts[NotAnEvent] + counts[Poison] == 200
    assert counts[Poison] < 10
