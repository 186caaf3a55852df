"""Records are put into the feedback stream within Kinesis's limits, and again if Kinesis left them out."""

import pytest

from pipeline.aws.feedback_stream import BYTES_PER_PUT, PUT_ATTEMPTS, RECORDS_PER_PUT, FeedbackStream, KeyedRecord
from pipeline.batch import StreamRecord
from pipeline.errors import AccessDenied, MailfoldError, StoreUnavailable
from tests.support.fake_kinesis import STREAM, FakeKinesis, an_error

SECRET = b"ada@example.com"


def put(kinesis: FakeKinesis, *payloads: bytes) -> list[float]:
    """Put the payloads, and return the waits."""
    waits: list[float] = []
    stream = FeedbackStream(kinesis.client(), stream=STREAM, wait=waits.append)
    stream.put([StreamRecord(payload=payload, position="") for payload in payloads])
    return waits


def test_records_are_put_within_the_limits_of_a_call() -> None:
    """Neither number nor bytes of a call exceed Kinesis's limits, and every record is put once."""
    kinesis = FakeKinesis()
    payloads = [b"%d" % number for number in range(RECORDS_PER_PUT + 1)] + [b"x" * 1_000_000] * 6
    assert put(kinesis, *payloads) == []
    assert [payload for call in kinesis.put_calls for payload in call] == payloads
    assert all(len(call) <= RECORDS_PER_PUT and sum(map(len, call)) <= BYTES_PER_PUT for call in kinesis.put_calls)
    assert len(kinesis.put_calls) == 3


def test_no_records_are_no_call() -> None:
    """Kinesis rejects an empty call."""
    kinesis = FakeKinesis()
    put(kinesis)
    assert kinesis.calls == []


def test_only_what_was_left_out_is_put_again() -> None:
    """A call may succeed in part."""
    refused = [b"b"]

    def reject(_: str, data: bytes) -> str | None:
        return "ProvisionedThroughputExceededException" if refused and data == refused[0] and refused.pop() else None

    kinesis = FakeKinesis(reject)
    assert len(put(kinesis, b"a", b"b", b"c")) == 1
    assert kinesis.put_calls == [[b"a", b"b", b"c"], [b"b"]]


def test_a_busy_stream_is_an_outage_after_some_attempts() -> None:
    """The message names the stream, and nothing of a record."""
    kinesis = FakeKinesis(lambda _key, _data: "ProvisionedThroughputExceededException")
    with pytest.raises(
        StoreUnavailable, match=f"left 1 records out of all {PUT_ATTEMPTS} .* {STREAM} is busy"
    ) as raised:
        put(kinesis, SECRET)
    assert "@" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "expected"), [("AccessDeniedException", AccessDenied), ("InternalFailure", StoreUnavailable)]
)
def test_an_error_of_the_call_is_mailfolds(code: str, expected: type[MailfoldError]) -> None:
    """A denial and an outage stop the redrive before anything is marked."""
    kinesis = FakeKinesis()
    kinesis.outages = [an_error(code)]
    with pytest.raises(expected):
        put(kinesis, b"a")


def test_a_record_has_its_key_and_a_call_reports_its_progress() -> None:
    """All records about one address are in one shard. The number of each call is reported once it has put all."""
    keys: list[str] = []
    kinesis, progress = FakeKinesis(lambda key, _: keys.append(key)), list[int]()
    stream = FeedbackStream(kinesis.client(), stream=STREAM, wait=lambda _: None)
    records = [KeyedRecord(key=f"k{number % 2}", payload=b"x") for number in range(RECORDS_PER_PUT + 2)]
    stream.put_keyed(iter(records), progress=progress.append)
    assert keys == [record.key for record in records]
    assert progress == [RECORDS_PER_PUT, 2]
