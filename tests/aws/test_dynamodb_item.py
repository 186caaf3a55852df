"""Items as readers in other languages see them, and their greatest size."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from boto3.dynamodb.types import TypeDeserializer
from jsonschema import Draft202012Validator

from pipeline.aws.dynamodb_item import from_attributes, to_attributes
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import facts
from pipeline.policy import DEFAULT_POLICY, Policy, SoftRule
from pipeline.projection import to_item
from pipeline.standing import FactKind, facts_hash
from tests.support.builders import ADA, BOB, MESSAGE_ID, SENT_AT, a_bounce, a_complaint, a_decision, a_soft_bounce
from tests.support.scenario import an_event

SCHEMAS = Path(__file__).parents[2] / "schemas"
SCHEMA = json.loads((SCHEMAS / "item.json").read_text())
SOFT = Policy(version=7, soft=SoftRule(mails=1, window_seconds=3_600, expiry_seconds=86_400))
DYNAMODB_LIMIT_BYTES = 409_600  # of one item

Attributes = dict[str, Any]


def an_item(*payloads: bytes, address: str = ADA, policy: Policy = DEFAULT_POLICY) -> Attributes:
    """Return the table's item of an address after these events."""
    events = [outcome for payload in payloads for outcome in decode(payload) if isinstance(outcome, Event)]
    assert len(events) == len(payloads)
    changes = group_by_key(fact for event in events for fact in facts(event))
    key = next(key for key in changes if key.address == address)
    return dict(to_attributes(key, to_item(key, changes[key], policy)))


def as_read(attributes: Attributes) -> Attributes:
    """Return an item as an SDK returns it."""
    read = {name: TypeDeserializer().deserialize(value) for name, value in attributes.items()}
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in read.items()}


LATER = SENT_AT + timedelta(days=1)
ITEMS = {
    "hard": an_item(a_bounce(recipients=[ADA.upper()])),
    "complaint": an_item(a_complaint()),
    "uncertain complaint": an_item(a_complaint(recipients=[ADA, BOB])),
    "soft, on": an_item(a_soft_bounce(), policy=SOFT),
    "soft, off": an_item(a_soft_bounce()),
    "echo": an_item(a_bounce(sub_type="OnAccountSuppressionList")),
    "opt-out": an_item(a_bounce(sub_type="UnsubscribedRecipient")),
    "operator": an_item(a_decision()),
    "released": an_item(a_bounce(), a_decision(action="release", at=LATER)),
    "no time known": an_item(a_bounce(bounce={"timestamp": None}, timestamp=None)),
    "several reasons": an_item(a_bounce(), a_complaint(), a_decision(), a_soft_bounce(), policy=SOFT),
}


@pytest.mark.parametrize("attributes", ITEMS.values(), ids=ITEMS)
def test_an_item_conforms_to_its_schema(attributes: Attributes) -> None:
    """Its facts conform too, to the schema of the text inside."""
    item = as_read(attributes)
    Draft202012Validator(SCHEMA).validate(item)
    facts_schema = {**SCHEMA["properties"]["facts"]["contentSchema"], "$defs": SCHEMA["$defs"]}
    Draft202012Validator(facts_schema).validate(json.loads(item["facts"]))


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("suppressed without a reason", {"suppressed": True}),
        ("clear with a reason", {"suppressed": False, "reason": "hard"}),
        ("an unknown reason", {"reason": "whim"}),
        ("a time without milliseconds", {"since": "2026-03-01T12:00:00Z"}),
        ("no hash", {"facts_hash": ""}),
        ("something else", {"ttl": 1}),
    ],
)
def test_the_schema_rejects_other_documents(name: str, broken: Attributes) -> None:
    """Readers in other languages may rely on it."""
    hard = as_read(ITEMS["hard"])
    if name == "suppressed without a reason":
        del hard["reason"]
    assert not Draft202012Validator(SCHEMA).is_valid({**hard, **broken})


def test_the_schema_names_every_kind_of_fact() -> None:
    """A new kind must be added to schemas/item.json."""
    assert list(SCHEMA["$defs"]["standing"]["properties"]) == [fact.value for fact in FactKind]


def test_an_example_item() -> None:
    """This is what a reader in another language gets."""
    payload = a_bounce(person={"diagnosticCode": "smtp; 550 5.1.1 no such user"})
    item, event_id = as_read(an_item(payload)), an_event(payload).id
    assert item == {
        "address": "ada@example.com",
        "scope": "*",
        "contract": 1,
        "facts": '{"hard":[{"at_ms":1772366402000,"event_id":"' + event_id + '",'
        f'"message_id":"{MESSAGE_ID}","sub_type":"General","status":"5.1.1",'
        '"diagnostic":"smtp; 550 5.1.1 no such user","spelling":"ada@example.com"}]}',
        "facts_hash": item["facts_hash"],
        "policy_version": 1,
        "suppressed": True,
        "reason": "hard",
        "since": "2026-03-01T12:00:02.000Z",
        "certain": True,
        "reasons": [{"reason": "hard", "since": "2026-03-01T12:00:02.000Z", "certain": True}],
    }


@pytest.mark.parametrize("attributes", ITEMS.values(), ids=ITEMS)
def test_facts_come_back_byte_for_byte(attributes: Attributes) -> None:
    """Reading an item and writing it again changes nothing, and the hash stays that of the text."""
    key, item = from_attributes(attributes)

    assert to_attributes(key, item) == attributes
    assert facts_hash(item.standing) == attributes["facts_hash"]["S"]


def test_an_incomplete_item_is_an_error() -> None:
    """An attribute or a field of a fact is missing."""
    half = {**ITEMS["hard"], "facts": {"S": '{"hard":[{"at_ms":1}]}'}}
    with pytest.raises(ValueError, match="event_id"):
        from_attributes(half)
    with pytest.raises(KeyError):
        from_attributes({name: value for name, value in ITEMS["hard"].items() if name != "reasons"})


def test_an_item_of_another_contract_is_an_error() -> None:
    """A reader must not guess what a newer version means."""
    with pytest.raises(ValueError, match="contract"):
        from_attributes({**ITEMS["hard"], "contract": {"N": "2"}})


def test_the_default_policy_equals_its_file() -> None:
    """schemas/policy.json shows its form, with every field."""
    assert json.loads((SCHEMAS / "policy.json").read_text()) == json.loads(msgspec.json.encode(DEFAULT_POLICY))


# Size.


def size_bytes(attributes: Attributes) -> int:
    """Return an item's size by DynamoDB's rules (developer guide, "Item sizes and formats")."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in attributes.items())


def _value_bytes(value: Attributes) -> int:
    match value:
        case {"S": text}:
            return len(text.encode())
        case {"N": digits}:
            return (len(digits) + 1) // 2 + 1
        case {"BOOL": _}:
            return 1
        case {"L": elements}:
            return 3 + sum(1 + _value_bytes(element) for element in elements)
        case {"M": members}:
            return 3 + sum(1 + len(name.encode()) + _value_bytes(element) for name, element in members.items())
        case _:
            raise AssertionError(value)


def everything(
    address: str, *, diagnostic: str, feedback_type: str, message_id: Callable[[int], str]
) -> Iterator[bytes]:
    """Yield more facts of each kind than are kept, all different."""
    diagnosis = {"status": "5.222.222", "diagnosticCode": diagnostic}
    for number in range(80):
        mail: Any = {"at": SENT_AT + timedelta(seconds=number), "messageId": message_id(number)}
        yield a_soft_bounce(recipients=[address], feedback_id=f"s{number}", person=diagnosis, **mail)
        yield a_bounce(recipients=[address], feedback_id=f"h{number}", person=diagnosis, **mail)
        blocked = {**diagnosis, "status": "5.7.222"}
        yield a_bounce(recipients=[address], feedback_id=f"b{number}", person=blocked, **mail)
        for stranger in ([], [BOB]):
            yield a_bounce(recipients=stranger, destination=[address], feedback_id=f"d{number}{stranger}", **mail)
        for others in ([], [BOB]):
            recipients = [address, *others]
            yield a_complaint(recipients=recipients, feedback_id=f"c{number}", feedback_type=feedback_type, **mail)
    for sub_type in ("OnAccountSuppressionList", "UnsubscribedRecipient"):
        yield a_bounce(recipients=[address], sub_type=sub_type, person=diagnosis, messageId=message_id(0))
    yield a_decision(address=address)
    yield a_decision(action="release", address=address, at=SENT_AT)


def test_the_usual_item_is_under_1_kb() -> None:
    """DynamoDB bills a write by the kilobyte."""
    assert size_bytes(an_item(a_bounce(), a_complaint())) < 1_000


@pytest.mark.parametrize("character", ["x", "😀"], ids=["ASCII", "four bytes each"])
def test_the_largest_item_from_ses_is_under_64_kb(character: str) -> None:
    """SES's ids have 60 characters, its feedback types 12, addresses 320; remote servers write what they like."""
    address = f"{'a' * 64}@{'.'.join(['b' * 62] * 3)}.{'c' * 60}.com"
    payloads = everything(
        address,
        diagnostic=character * 2_000,
        feedback_type="auth-failure",
        message_id=lambda number: f"{MESSAGE_ID[:-2]}{number:02}",
    )
    assert size_bytes(an_item(*payloads, address=address, policy=SOFT)) < 64_000


def test_no_text_makes_an_item_too_large() -> None:
    """Every text at its limit, in characters of four bytes. SES sends none, but none may block a shard."""
    address = f"{'😀' * 60}@{'b' * 60}.com"
    payloads = everything(
        address,
        diagnostic="😀" * 2_000,
        feedback_type="😀" * 2_000,
        message_id=lambda number: f"{number:02}{'😀' * 300}",
    )
    assert size_bytes(an_item(*payloads, address=address, policy=SOFT)) < DYNAMODB_LIMIT_BYTES
