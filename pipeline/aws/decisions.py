"""Publish decisions: into the event log by Firehose, and then into the feedback stream.

Nothing else publishes decisions. The log comes first, because a table can be repaired from it; a decision in the table
alone would be lost when the table is rebuilt. If the second step fails, the same request is repeated with its id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from pipeline.aws.archive.firehose import RECORDS_PER_CALL, FirehoseLog
from pipeline.aws.errors import translated
from pipeline.aws.feedback_stream import FeedbackStream, KeyedRecord
from pipeline.aws.retry import Backoff
from pipeline.batch import StreamRecord
from pipeline.decision_batch import DecisionBatch, PlannedDecision, is_in_standing, to_payload
from pipeline.errors import AccessDenied, MailfoldError, NotFound, PartialBatchFailure, Unavailable
from pipeline.ports import SuppressionStore

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

KEYS_PER_LOOK = 1_000  # ten calls of BatchGetItem

PublishProgress = Callable[[str, int], None]
"""Gets the destination, `log` or `stream`, and the number of decisions that it received since the last call."""


class DecisionsUnfinished(Unavailable):
    """Some decisions are in the log or in the stream, and others are not. Repeat the request with its id."""


class DecisionPublisher:
    """Publishes the decisions of requests.

    Args:
        log: The event log.
        stream: The feedback stream.
    """

    def __init__(self, *, log: FirehoseLog, stream: FeedbackStream) -> None:
        self._log, self._stream = log, stream

    def publish(
        self,
        batch: DecisionBatch,
        decisions: Sequence[PlannedDecision],
        *,
        progress: PublishProgress = lambda _, __: None,
    ) -> None:
        """Put all decisions into the log, and once Firehose has accepted all of them, into the stream.

        Publishing a request again is harmless: each of its decisions is the same event.

        Raises:
            DecisionsUnfinished: Firehose or Kinesis failed. What was put stays, and the request can be repeated.
            AccessDenied, NotFound: The log may not be written, or does not exist. Nothing was decided.
        """
        self._put_into_log(batch, decisions, progress)
        size = len(decisions)
        records = (
            KeyedRecord(key=partition_key(planned), payload=to_payload(batch, planned, batch_size=size))
            for planned in decisions
        )
        try:
            self._stream.put_keyed(records, progress=lambda number: progress("stream", number))
        except MailfoldError as error:
            raise DecisionsUnfinished(
                f"the decisions are in the log, but not all of them are in the stream: {error}; {_advice(batch)}"
            ) from error

    def _put_into_log(
        self, batch: DecisionBatch, decisions: Sequence[PlannedDecision], progress: PublishProgress
    ) -> None:
        for start in range(0, len(decisions), RECORDS_PER_CALL):
            records = [
                StreamRecord(
                    payload=to_payload(batch, planned, batch_size=len(decisions)), position=f"request {batch.id}"
                )
                for planned in decisions[start : start + RECORDS_PER_CALL]
            ]
            try:
                self._log.put(records)
            except PartialBatchFailure as failure:
                done = start + failure.failed_at
                if not done and isinstance(failure.__cause__, AccessDenied | NotFound):
                    raise failure.__cause__ from failure
                raise DecisionsUnfinished(
                    f"Firehose took {done:,} of {len(decisions):,} decisions, and the table shows none: "
                    f"{failure.__cause__}; {_advice(batch)}"
                ) from failure
            progress("log", len(records))


def _advice(batch: DecisionBatch) -> str:
    return f"repeat the command with --id {batch.id}, which decides nothing twice"


def partition_key(planned: PlannedDecision) -> str:
    """Return the stream's key for a decision: the same for all about one address, which it does not show."""
    return sha256(planned.key.address.encode()).hexdigest()[:32]


def caller_arn(sts: STSClient) -> str:
    """Return the ARN of the identity whose credentials are used. AWS requires no permission for that.

    Raises:
        AccessDenied: The credentials are missing or expired.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("asking whose credentials these are"):
        return sts.get_caller_identity()["Arn"]


def wait_until_shown(
    store: SuppressionStore,
    decisions: Sequence[PlannedDecision],
    *,
    backoff: Backoff,
    progress: Callable[[int], None] = lambda _: None,
) -> frozenset[str]:
    """Wait until a table contains the decisions, and return their event ids; of fewer at the time limit.

    Args:
        store: The table.
        decisions: The decisions, which are published.
        backoff: Waits between two looks; the time limit begins again with each part that the table contains.
        progress: Gets the number of decisions in each such part.

    Raises:
        StoreUnavailable: The table is throttled or unreachable. Or another error of `STOPS_BATCH`.
    """
    shown = set[str]()
    for start in range(0, len(decisions), KEYS_PER_LOOK):
        part = list(decisions[start : start + KEYS_PER_LOOK])
        while part:
            items = store.load([planned.key for planned in part])
            found = {planned.event_id for planned in part if is_in_standing(planned, items[planned.key].standing)}
            progress(len(found))
            if found:
                backoff.renew()
            shown |= found
            part = [planned for planned in part if planned.event_id not in found]
            if part and not backoff.wait():
                return frozenset(shown)
    return frozenset(shown)
