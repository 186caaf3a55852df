"""An item of the suppression table as DynamoDB's API writes it: each value in an object that names its type.

schemas/item.json describes the item for readers in any language.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.address import Address
from pipeline.ports import Item
from pipeline.standing import Key, Standing, facts_json
from pipeline.timestamp import format_time, parse_time
from pipeline.verdict import Reason, ReasonHeld, Verdict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Attributes = Mapping[str, Any]
"""The attributes of an item, or of a map inside it, by name."""

CONTRACT = 1  # version of schemas/item.json; increased if a reader of the old one would read a new item wrongly

_decode_standing = msgspec.json.Decoder(Standing).decode


def key_attributes(key: Key) -> dict[str, AttributeValueTypeDef]:
    """Return an item's primary key."""
    return {"address": {"S": key.address}, "scope": {"S": key.scope}}


def to_attributes(key: Key, item: Item) -> dict[str, AttributeValueTypeDef]:
    """Return an item as the table holds it.

    Facts are the canonical JSON text that their hash is computed from, so that they are read back byte for byte.
    All but the key and the facts derives from the verdict, so that a reader in any language needs no policy.
    """
    verdict = item.verdict
    return {
        **key_attributes(key),
        "contract": {"N": str(CONTRACT)},
        "facts": {"S": facts_json(item.standing).decode()},
        "facts_hash": {"S": item.facts_hash},
        "policy_version": {"N": str(item.policy_version)},
        "suppressed": {"BOOL": verdict.suppressed},
        "certain": {"BOOL": verdict.certain},
        **_texts(reason=verdict.reason, since=verdict.since, until=verdict.until),
        "reasons": {"L": [{"M": _reason_attributes(held)} for held in verdict.reasons]},
    }


def _reason_attributes(held: ReasonHeld) -> dict[str, Any]:
    exempt = {"exempt": {"L": [{"S": purpose} for purpose in held.exempt]}} if held.exempt else {}
    return {
        **_texts(reason=held.reason, since=held.since, until=held.until),
        "certain": {"BOOL": held.certain},
        **exempt,
    }


def _texts(**values: str | datetime | None) -> dict[str, Any]:
    """Return attributes of type S. An attribute without a value is absent."""
    return {
        name: {"S": format_time(value) if isinstance(value, datetime) else value}
        for name, value in values.items()
        if value is not None
    }


def from_attributes(attributes: Attributes) -> tuple[Key, Item]:
    """Return the key and the item that the table holds.

    Raises:
        KeyError: An attribute is missing.
        ValueError: An attribute has an invalid value.
    """
    if int(attributes["contract"]["N"]) != CONTRACT:
        raise ValueError("an unknown contract")
    item = Item(
        standing=_decode_standing(attributes["facts"]["S"]),
        verdict=Verdict(reasons=tuple(_reason(reason["M"]) for reason in attributes["reasons"]["L"])),
        facts_hash=attributes["facts_hash"]["S"],
        policy_version=int(attributes["policy_version"]["N"]),
    )
    return Key(Address(attributes["address"]["S"]), attributes["scope"]["S"]), item


def _reason(attributes: Attributes) -> ReasonHeld:
    return ReasonHeld(
        reason=Reason(attributes["reason"]["S"]),
        since=parse_time(attributes.get("since", {}).get("S")),
        until=parse_time(attributes.get("until", {}).get("S")),
        certain=attributes["certain"]["BOOL"],
        exempt=tuple(purpose["S"] for purpose in attributes.get("exempt", {}).get("L", ())),
    )
