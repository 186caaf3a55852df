"""Transactions of moto's DynamoDB that no other request interferes with, and that copy no items.

moto restores a table as it was before a transaction that is cancelled, and so loses what other requests wrote in the
meantime. So its DynamoDB answers one request at a time here.

moto copies every item of a table for each item of a transaction, to restore the table if one fails: minutes for 20,000
items. A put replaces an item and changes none, so a transaction of puts needs a copy of the table's index alone, once.
github.com/getmoto/moto/blob/master/moto/dynamodb/models/__init__.py
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec
from moto.dynamodb.models.table import Table
from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SERVICE = "DynamoDB_20120810."
TRANSACTION = f"{SERVICE}TransactWriteItems"

_turn = Lock()

# The copies of tables before the transaction of puts that is in progress, by the tables' ids; None otherwise.
_copies: ContextVar[dict[int, Any] | None] = ContextVar("_copies", default=None)


class _Transaction(msgspec.Struct, rename="pascal"):
    transact_items: list[dict[str, msgspec.Raw]]


_decode = msgspec.json.Decoder(_Transaction).decode


@contextmanager
def without_copies_of_items() -> Iterator[None]:
    """Let moto copy the index of a table while a transaction of puts is in progress."""
    setattr(Table, "__deepcopy__", _copy_table)  # noqa: B010 - moto has no such method to replace
    try:
        yield
    finally:
        delattr(Table, "__deepcopy__")


@contextmanager
def in_turn(environ: WSGIEnvironment) -> Iterator[None]:
    """Let a request of DynamoDB wait for its turn, and note whether it is a transaction of puts."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    is_of_puts = target == TRANSACTION and _puts_only(_body(environ))
    with _turn if target.startswith(SERVICE) else nullcontext():
        token = _copies.set({} if is_of_puts else None)
        try:
            yield
        finally:
            _copies.reset(token)


def _body(environ: WSGIEnvironment) -> bytes:
    """Return a request's body, and leave it to be read again."""
    body = get_input_stream(environ).read()
    environ["wsgi.input"] = BytesIO(body)
    return body


def _puts_only(body: bytes) -> bool:
    try:
        return all(set(item) == {"Put"} for item in _decode(body).transact_items)
    except msgspec.DecodeError:
        return False  # moto reports it


def _copy_table(table: Any, memo: dict[int, Any]) -> Any:
    copies = _copies.get()
    if copies is not None and table.has_range_key and table.stream_shard is None:
        if id(table) not in copies:
            copies[id(table)] = copy.copy(table)
            copies[id(table)].items = defaultdict(dict, {key: dict(items) for key, items in table.items.items()})
        return copies[id(table)]
    clone = copy.copy(table)
    clone.__dict__ = copy.deepcopy(table.__dict__, memo)
    return clone
