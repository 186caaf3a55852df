"""What one item of the suppression table looks like; schemas/item.json is its description for other languages.

The facts are kept as the canonical JSON text that their hash is made of, so that they come back byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.address import Address
from pipeline.policy import Reason, Verdict
from pipeline.ports import Item
from pipeline.standing import Key, Standing, facts_json
from pipeline.timestamp import parse, show

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Attributes = Mapping[str, Any]
"""An item as DynamoDB's API writes it: each value in an object that names its type."""

_standing = msgspec.json.Decoder(Standing).decode


def key_attributes(key: Key) -> dict[str, AttributeValueTypeDef]:
    """Return an item's primary key."""
    return {"address": {"S": key.address}, "scope": {"S": key.scope}}


def to_attributes(key: Key, item: Item) -> dict[str, AttributeValueTypeDef]:
    """Return an item as the table holds it; `reason`, `since` and `until` are absent where there is none."""
    verdict = item.verdict
    texts = {
        "reason": verdict.reason,
        "since": verdict.since and show(verdict.since),
        "until": verdict.until and show(verdict.until),
    }
    return {
        **key_attributes(key),
        "facts": {"S": facts_json(item.standing).decode()},
        "facts_hash": {"S": item.facts_hash},
        "policy_version": {"N": str(item.policy_version)},
        "suppressed": {"BOOL": verdict.suppressed},
        "certain": {"BOOL": verdict.certain},
        "evidence": {"L": [{"S": name} for name in verdict.evidence]},
        **{name: {"S": text} for name, text in texts.items() if text},
    }


def from_attributes(attributes: Attributes) -> tuple[Key, Item]:
    """Return what the table holds as a key and an item.

    Raises:
        KeyError: Something is missing.
        ValueError: A value does not belong there.
    """
    reason = attributes.get("reason")
    verdict = Verdict(
        suppressed=attributes["suppressed"]["BOOL"],
        reason=Reason(reason["S"]) if reason else None,
        since=parse(attributes.get("since", {}).get("S")),
        until=parse(attributes.get("until", {}).get("S")),
        certain=attributes["certain"]["BOOL"],
        evidence=tuple(name["S"] for name in attributes["evidence"]["L"]),
    )
    item = Item(
        standing=_standing(attributes["facts"]["S"]),
        verdict=verdict,
        facts_hash=attributes["facts_hash"]["S"],
        policy_version=int(attributes["policy_version"]["N"]),
    )
    return Key(Address(attributes["address"]["S"]), attributes["scope"]["S"]), item
