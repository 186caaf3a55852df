"""Leftovers in a dead-letter queue of SQS.

To read a message hides it from other readers, so `release` makes those visible again that were not redriven. One that
was redriven is put below `redriven/` in the log's bucket, and then deleted from the queue. A process that ends in
between leaves both; the message is visible again after minutes, and the next redrive replaces the object.
docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from pipeline.aws.archive.objects import SCHEME, ListedObject, list_objects
from pipeline.aws.errors import translated
from pipeline.aws.leftovers.contents import KeptMessage, NotALeftover, message_contents, parse_message
from pipeline.aws.leftovers.objects import REDRIVEN_PREFIX, read_kept
from pipeline.errors import QuarantineUnavailable
from pipeline.leftover import ForeignObject, Kept, Leftover, Place
from pipeline.timestamp import from_ms

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef, MessageTypeDef

MESSAGES_PER_CALL = 10  # SQS's limit, also for batches
HIDDEN_SECONDS = 300  # longer than a call of Firehose with its retries takes; a killed reader delays a message so long
POLL_SECONDS = 1  # a long poll asks all of SQS's servers, so that an empty answer means an empty queue


class _HeldMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is hidden from other readers, and the handle that deletes it or makes it visible."""

    receipt_handle: str
    message: KeptMessage


class QueueLeftovers:
    """The messages of a dead-letter queue; see `leftover.Leftovers`. An id is the place and SQS's message id.

    Args:
        sqs: boto3's SQS client, with its time-outs and retries.
        s3: boto3's S3 client.
        url: The queue.
        bucket: The log's bucket, which keeps what was redriven.
        place: The place.
    """

    def __init__(self, sqs: SQSClient, s3: S3Client, *, url: str, bucket: str, place: Place) -> None:
        self._sqs, self._s3, self._url, self._bucket, self._place = sqs, s3, url, bucket, place
        self._held: dict[str, _HeldMessage] = {}

    def waiting(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """See `leftover.Leftovers`."""
        messages = [held.message for held in self._held.values()]
        while messages := messages or self._receive_new():
            yield from (item for item in map(self._to_leftover, messages) if not ids or item.id in ids)
            messages = []

    def redriven(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """See `leftover.Leftovers`."""
        listed = list_objects(self._s3, f"{SCHEME}{self._bucket}/{REDRIVEN_PREFIX}{self._place}/")
        wanted = [item for item in listed if not ids or _id_of(item) in ids]
        return read_kept(self._s3, wanted, read=self._read)

    def mark(self, leftovers: Sequence[Leftover]) -> None:
        """See `leftover.Leftovers`."""
        for leftover in leftovers:
            held = self._held[_message_id(leftover)]
            with self._translated("keeping a redriven message of"):
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=f"{REDRIVEN_PREFIX}{leftover.id}.json",
                    Body=msgspec.json.encode(held.message),
                    ContentType="application/json",
                )
            with self._translated("deleting a redriven message from"):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=held.receipt_handle)
            del self._held[_message_id(leftover)]

    def release(self) -> None:
        """See `leftover.Leftovers`."""
        handles = [held.receipt_handle for held in self._held.values()]
        self._held = {}
        for start in range(0, len(handles), MESSAGES_PER_CALL):
            entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(handles[start : start + MESSAGES_PER_CALL])
            ]
            with self._translated("returning messages to"):
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def _receive_new(self) -> list[KeptMessage]:
        """Return messages that were not received before; none if there are no more, or some are visible again."""
        new = []
        for received in self._receive():
            message = _kept_message(received)
            if message.message_id not in self._held:
                new.append(message)
            self._held[message.message_id] = _HeldMessage(receipt_handle=received["ReceiptHandle"], message=message)
        return new

    def _receive(self) -> list[MessageTypeDef]:
        with self._translated("reading messages of"):
            return self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MESSAGES_PER_CALL,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=POLL_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])

    def _read(self, listed: ListedObject, data: bytes) -> Kept:
        try:
            message = parse_message(data)
        except NotALeftover as error:
            return ForeignObject(id=listed.uri, why=str(error))
        leftover = self._to_leftover(message)
        return structs.replace(leftover, at=listed.modified_at or leftover.at, is_redriven=True)

    def _to_leftover(self, message: KeptMessage) -> Leftover:
        queue = self._url.rpartition("/")[2]
        contents = message_contents(message, place=self._place, name=f"{queue} {message.message_id}")
        return Leftover(
            id=f"{self._place}/{message.message_id}",
            place=self._place,
            at=from_ms(int(message.attributes["SentTimestamp"])),
            reason=contents.reason,
            position=contents.position,
            size_bytes=len(message.body.encode()),
            records=contents.records,
            in_log=contents.in_log,
        )

    def _translated(self, action: str) -> AbstractContextManager[None]:
        return translated(
            f"{action} the queue {self._url}", unavailable=QuarantineUnavailable, invalid=QuarantineUnavailable
        )


def _kept_message(message: MessageTypeDef) -> KeptMessage:
    return msgspec.convert(
        {
            "MessageId": message["MessageId"],
            "Body": message["Body"],
            "Attributes": message.get("Attributes", {}),
            "MessageAttributes": {
                name: {key: value for key, value in attribute.items() if isinstance(value, str)}
                for name, attribute in message.get("MessageAttributes", {}).items()
            },
        },
        KeptMessage,
    )


def _message_id(leftover: Leftover) -> str:
    return leftover.id.rpartition("/")[2]


def _id_of(listed: ListedObject) -> str:
    return listed.uri.partition(f"/{REDRIVEN_PREFIX}")[2].removesuffix(".json")
