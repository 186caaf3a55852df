# ruff: noqa: INP001 - a file to copy, not a package
"""Ask Mailfold's suppression table before a mail is sent, with boto3 alone. The contract: ../item.json."""

import hmac
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

CONTRACT = "1"


def is_suppressed(items: Iterable[Mapping[str, Any]], *, purpose: str | None = None, now: datetime) -> bool:
    """Return True if mail of `purpose` must not be sent at `now`, which is aware.

    Args:
        items: The items of `*` and of the sender's tenant, as boto3's DynamoDB client returns them.
        purpose: Such as `essential`; None for all other mail.
        now: The moment of sending.

    Raises:
        ValueError: An item has an unknown contract.
    """
    items = list(items)
    if unknown := [item for item in items if item.get("contract", {}).get("N") != CONTRACT]:
        raise ValueError(f"unknown contract {unknown[0].get('contract')}: use the reader of this version of Mailfold")
    moment = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return any(
        ("until" not in reason["M"] or moment < reason["M"]["until"]["S"])
        and {"S": purpose} not in reason["M"].get("exempt", {}).get("L", [])
        for item in items
        for reason in item["reasons"]["L"]
    )


def pseudonym(address: str, erasure_key: bytes) -> str:
    """Return the address under which lies what is known about a person who was erased."""
    return hmac.digest(erasure_key, address.encode(), "sha256").hex() + "@erased.invalid"


def read_items(
    dynamodb: Any, table: str, address: str, *, scope: str = "*", erasure_key: bytes | None = None
) -> list[dict[str, Any]]:
    """Return the items of a canonical address in `*` and in a scope. `dynamodb` is boto3's DynamoDB client.

    With the key of erasures, those of the address's pseudonym too.

    Raises:
        TimeoutError: The table is busy: do not send, and ask again later.
    """
    forms = [address, pseudonym(address, erasure_key)] if erasure_key else [address]
    scopes = dict.fromkeys(["*", scope])
    keys = [{"address": {"S": form}, "scope": {"S": each}} for form in forms for each in scopes]
    request: dict[str, Any] = {table: {"Keys": keys, "ConsistentRead": True}}
    items: list[dict[str, Any]] = []
    for attempt in range(5):
        answer = dynamodb.batch_get_item(RequestItems=request)
        items += answer["Responses"].get(table, [])
        request = answer["UnprocessedKeys"]
        if not request:
            return items
        time.sleep(0.1 * 2**attempt)
    raise TimeoutError(f"the table {table} is busy: do not send, and ask again later")
