"""Reading one shard of a Kinesis stream, from its oldest record on.

Claims: every record once, in order, while the process lives; an expired iterator is renewed behind the last record
read; the end of a closed shard is noticed. Leaves out: enhanced fan-out, and positions that outlive the process.

docs.aws.amazon.com/streams/latest/dev/developing-consumers-with-sdk.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.refusal import code_of
from pipeline.errors import Outage
from pipeline.local.aws_error import ERRORS

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef


class Shard:
    """One shard, and how far it has been read.

    Attributes:
        id: Its id in the stream.
        parents: The ids of the shards that it was split or merged from.
        at_tip: Whether the last read found that nothing more is there for now.
        ended: Whether it is closed and read to its end: nothing will ever come.
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
        """Return the next records, at most `limit`, at most 10 MB; none does not mean that no more will come.

        Raises:
            Outage: The stream is throttled or unreachable. The same records come next time.
        """
        if self.ended:
            return []
        try:
            return self._read(limit)
        except ERRORS as error:
            code = code_of(error)
            # An iterator lives for five minutes. The next read asks for another.
            self._iterator, self.at_tip = None, False
            if code == "ExpiredIteratorException":
                return []
            raise Outage(f"reading {self.id} of {self._stream} ended in {code}: try again") from error

    def _read(self, limit: int) -> list[RecordTypeDef]:
        answer = self._kinesis.get_records(ShardIterator=self._iterator or self._fresh_iterator(), Limit=limit)
        records = answer["Records"]
        self._iterator = answer.get("NextShardIterator")
        self.ended = self._iterator is None
        self.at_tip = self.ended or (not records and not answer.get("MillisBehindLatest"))
        if records:
            self._last_read = records[-1]["SequenceNumber"]
        return records

    def _fresh_iterator(self) -> str:
        if self._last_read is None:
            answer = self._kinesis.get_shard_iterator(
                StreamName=self._stream, ShardId=self.id, ShardIteratorType="TRIM_HORIZON"
            )
        else:
            answer = self._kinesis.get_shard_iterator(
                StreamName=self._stream,
                ShardId=self.id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=self._last_read,
            )
        return answer["ShardIterator"]
