"""A reader of one shard of a Kinesis stream, from its oldest record on.

Claims: each record once, in order, while the process lives; an expired iterator is renewed behind the last record
read; the end of a closed shard is noticed. Leaves out: enhanced fan-out, and positions that outlive the process.

docs.aws.amazon.com/streams/latest/dev/developing-consumers-with-sdk.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.errors import error_code, to_error
from pipeline.local.client import ERRORS

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef


class Shard:
    """A shard and the position up to which it was read.

    Attributes:
        id: Its id in the stream.
        parents: Ids of the shards that it was split or merged from.
        at_tip: True if the last read found no more records for now.
        ended: True if it is closed and read to its end: it will never have another record.
    """

    def __init__(self, kinesis_client: KinesisClient, *, stream: str, shard_id: str, parents: frozenset[str]) -> None:
        self.id = shard_id
        self.parents = parents
        self.at_tip = False
        self.ended = False
        self._kinesis = kinesis_client
        self._stream = stream
        self._iterator: str | None = None
        self._last_read: str | None = None

    def read(self, *, limit: int) -> list[RecordTypeDef]:
        """Return the next records: at most `limit`, at most 10 MB. An empty list does not mean that no more will come.

        Raises:
            Unavailable: The stream is throttled or unreachable. The next read returns the same records.
            MailfoldError: The call fails otherwise, likewise.
        """
        if self.ended:
            return []
        try:
            return self._read(limit)
        except ERRORS as error:
            self._iterator, self.at_tip = None, False  # the next read gets a new iterator
            if error_code(error) == "ExpiredIteratorException":  # an iterator lives for five minutes
                return []
            raise to_error(error, f"reading {self.id} of {self._stream}") from error

    def _read(self, limit: int) -> list[RecordTypeDef]:
        response = self._kinesis.get_records(ShardIterator=self._iterator or self._new_iterator(), Limit=limit)
        records = response["Records"]
        self._iterator = response.get("NextShardIterator")
        self.ended = self._iterator is None
        self.at_tip = self.ended or (not records and not response.get("MillisBehindLatest"))
        if records:
            self._last_read = records[-1]["SequenceNumber"]
        return records

    def _new_iterator(self) -> str:
        if self._last_read is None:
            response = self._kinesis.get_shard_iterator(
                StreamName=self._stream, ShardId=self.id, ShardIteratorType="TRIM_HORIZON"
            )
        else:
            response = self._kinesis.get_shard_iterator(
                StreamName=self._stream,
                ShardId=self.id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=self._last_read,
            )
        return response["ShardIterator"]
