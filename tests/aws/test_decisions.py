"""Publishing decisions: the log first, then the stream; what fails half-way is repeated and is one event."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import mailboxes
from pipeline.aws.archive.firehose import FirehoseLog
from pipeline.aws.decisions import (
    KEYS_PER_LOOK,
    DecisionPublisher,
    DecisionsUnfinished,
    caller_arn,
    partition_key,
    wait_until_shown,
)
from pipeline.aws.feedback_stream import FeedbackStream
from pipeline.aws.retry import Backoff
from pipeline.decision_batch import DecisionBatch, PlannedDecision, new_request_id, plan_decision
from pipeline.decode import decode
from pipeline.errors import AccessDenied, NotFound
from pipeline.event import Event
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import NO_ITEM
from pipeline.standing import EVERY_SCOPE, FactKind, Key
from tests.support.fake_kinesis import STREAM, FakeKinesis, an_error
from tests.support.fake_service import FakeService
from tests.support.scenario import a_batch, project

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
BATCH = DecisionBatch(id=new_request_id(NINE, random_bits=7), author="Eve", reason="a test")


class Destinations:
    """A delivery stream and a Kinesis stream, each of which may leave out records or fail.

    Attributes:
        order: The destination of each record that was accepted, in order.
        log: The payloads that Firehose accepted.
        stream: The payloads that Kinesis accepted.
        leaves_out: Addresses that a destination leaves out of each response.
        error: The error of the next call of Firehose.
    """

    def __init__(self, *, leaves_out: Mapping[str, bytes] | None = None) -> None:
        self.order: list[str] = []
        self.log: list[bytes] = []
        self.stream: list[bytes] = []
        self.leaves_out = dict(leaves_out or {})
        self.error: Exception | None = None
        self.kinesis = FakeKinesis(self._reject)

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        """Answer as Firehose does."""
        assert DeliveryStreamName == "mail-log"
        if self.error:
            raise self.error
        return {"RequestResponses": [self._log(record["Data"]) for record in Records]}

    def _log(self, payload: bytes) -> dict[str, str]:
        if self._is_left_out("log", payload):
            return {"ErrorCode": "ServiceUnavailableException"}
        self.order.append("log")
        self.log.append(payload)
        return {"RecordId": "r"}

    def _reject(self, _: str, payload: bytes) -> str | None:
        if self._is_left_out("stream", payload):
            return "ProvisionedThroughputExceededException"
        self.order.append("stream")
        self.stream.append(payload)
        return None

    def _is_left_out(self, destination: str, payload: bytes) -> bool:
        text = self.leaves_out.get(destination)
        return text is not None and text in payload


def plans(number: int) -> list[PlannedDecision]:
    """Return decisions about so many addresses."""
    keys = [Key(mailboxes(f"a{index}@example.com").found[0].address) for index in range(number)]
    return [
        plan_decision(
            BATCH,
            FactKind.SUPPRESS,
            key,
            spelling=key.address,
            items={EVERY_SCOPE: NO_ITEM},
            policy=DEFAULT_POLICY,
            now=NINE,
        )
        for key in keys
    ]


def publish(destinations: Destinations, decisions: list[PlannedDecision]) -> list[tuple[str, int]]:
    """Publish decisions without a wait, and return the progress."""
    progress: list[tuple[str, int]] = []
    publisher = DecisionPublisher(
        log=FirehoseLog(
            destinations,  # type: ignore[arg-type]  # only `put_record_batch` is called
            delivery_stream="mail-log",
            quarantine=MemoryQuarantine(),
            wait=lambda _: None,
        ),
        stream=FeedbackStream(destinations.kinesis.client(), stream=STREAM, wait=lambda _: None),
    )
    publisher.publish(BATCH, decisions, progress=lambda where, count: progress.append((where, count)))
    return progress


def test_every_decision_is_in_the_log_before_any_is_in_the_stream() -> None:
    """Both get the same bytes, and the progress of each is reported."""
    destinations = Destinations()
    assert publish(destinations, plans(501)) == [("log", 500), ("log", 1), ("stream", 500), ("stream", 1)]
    assert destinations.order == ["log"] * 501 + ["stream"] * 501
    assert destinations.log == destinations.stream


def test_nothing_reaches_the_stream_unless_the_log_took_all() -> None:
    """The message says how many the log has, and how to go on."""
    destinations = Destinations(leaves_out={"log": b"a500@"})
    with pytest.raises(
        DecisionsUnfinished, match=f"Firehose took 500 of 502 decisions, and .* with --id {BATCH.id}, .* nothing twice"
    ) as error:
        publish(destinations, plans(502))
    assert "@" not in str(error.value)
    assert destinations.stream == []


@pytest.mark.parametrize(
    ("code", "expected"), [("AccessDeniedException", AccessDenied), ("ResourceNotFoundException", NotFound)]
)
def test_a_log_that_may_not_be_written_decides_nothing(code: str, expected: type[Exception]) -> None:
    """Repeating would not help, so the error is that of the log."""
    destinations = Destinations()
    destinations.error = an_error(code, "PutRecordBatch")
    with pytest.raises(expected, match="mail-log"):
        publish(destinations, plans(1))
    assert destinations.stream == []


def test_what_is_in_the_log_alone_is_said() -> None:
    """The stream is denied, so the table does not show the decisions."""
    destinations = Destinations()
    destinations.kinesis.outages.append(an_error("AccessDeniedException"))
    with pytest.raises(DecisionsUnfinished, match=f"in the log, but not all .* stream: AWS denies .* --id {BATCH.id}"):
        publish(destinations, plans(1))
    assert len(destinations.log) == 1


def test_decisions_about_an_address_have_one_key_that_hides_it() -> None:
    """An address may be longer than a key, and keys are seen in metrics."""
    first, other = plans(2)
    assert partition_key(first) != partition_key(other)
    assert first.key.address not in partition_key(first)
    assert len(partition_key(first)) == 32


@given(st.lists(st.tuples(st.sampled_from(["log", "stream"]), st.sampled_from([b"a0@", b"a1@", b"a2@"])), max_size=3))
def test_a_request_that_fails_anywhere_is_repeated_as_one(failures: list[tuple[str, bytes]]) -> None:
    """Whatever was left out at each attempt: log and table agree at the end, and have one event for each address."""
    destinations, decisions = Destinations(), plans(3)
    for destination, text in failures:
        destinations.leaves_out = {destination: text}
        with pytest.raises(DecisionsUnfinished):
            publish(destinations, decisions)
    destinations.leaves_out = {}
    publish(destinations, decisions)
    stores = MemoryStore(), MemoryStore()
    for store, payloads in zip(stores, (destinations.log, destinations.stream), strict=True):
        project(a_batch(*payloads), store=store)
    assert dict(stores[0].scan()) == dict(stores[1].scan())
    events = [event for payload in destinations.log for event in decode(payload) if isinstance(event, Event)]
    assert {event.id for event in events} == {planned.event_id for planned in decisions}


class LateStore(MemoryStore):
    """A table that shows so many further decisions at each look."""

    def __init__(self, payloads: list[bytes], *, at_once: int) -> None:
        super().__init__()
        self._payloads, self._at_once, self.looks = payloads, at_once, 0

    def load(self, keys: Any) -> Any:
        """Return what is shown, and receive more."""
        self.looks += 1
        loaded = super().load(keys)
        arriving, self._payloads = self._payloads[: self._at_once], self._payloads[self._at_once :]
        if arriving:
            project(a_batch(*arriving), store=_Inner(self))
        return loaded


class _Inner:
    """A table's own load, which receives nothing."""

    def __init__(self, store: MemoryStore) -> None:
        self.load = lambda keys: MemoryStore.load(store, keys)
        self.save = store.save
        self.scan = store.scan


class Waiting:
    """A clock that waiting moves."""

    def __init__(self) -> None:
        self.now_seconds = 0.0

    def wait(self, seconds: float) -> bool:
        self.now_seconds += seconds
        return True

    def backoff(self, seconds: float) -> Backoff:
        return Backoff(
            seconds,
            first_wait_seconds=1.0,
            longest_wait_seconds=1.0,
            wait=self.wait,
            clock=lambda: self.now_seconds,
        )


def test_the_wait_ends_when_the_table_shows_all() -> None:
    """The time limit begins again with each part that it shows."""
    decisions, destinations = plans(6), Destinations()
    publish(destinations, decisions)
    store, waiting, progress = LateStore(destinations.stream, at_once=1), Waiting(), list[int]()
    shown = wait_until_shown(store, decisions, backoff=waiting.backoff(2.5), progress=progress.append)
    assert shown == {planned.event_id for planned in decisions}
    assert progress == [0, 1, 1, 1, 1, 1, 1]
    assert waiting.now_seconds > 2.5


def test_the_wait_is_limited() -> None:
    """What the table shows by then is returned; later parts are not looked at."""
    decisions, destinations = plans(KEYS_PER_LOOK + 2), Destinations()
    publish(destinations, decisions)
    store, waiting = LateStore(destinations.stream[: KEYS_PER_LOOK // 2], at_once=10**6), Waiting()
    shown = wait_until_shown(store, decisions, backoff=waiting.backoff(3.0))
    assert shown == {planned.event_id for planned in decisions[: KEYS_PER_LOOK // 2]}
    assert 3.0 <= waiting.now_seconds < 10


def test_a_long_list_is_looked_up_in_parts() -> None:
    """Each part is looked up once if the table shows all."""
    decisions, destinations = plans(KEYS_PER_LOOK + 1), Destinations()
    publish(destinations, decisions)
    store = LateStore([], at_once=0)
    project(a_batch(*destinations.stream), store=_Inner(store))
    assert len(wait_until_shown(store, decisions, backoff=Waiting().backoff(1.0))) == KEYS_PER_LOOK + 1
    assert store.looks == 2


class FakeSts(FakeService):
    """STS, whose credentials may have expired."""

    SERVICE = "sts"

    def __init__(self, code: str = "") -> None:
        super().__init__()
        self._code = code

    def _get_caller_identity(self) -> dict[str, Any]:
        if self._code:
            return {"Error": {"Code": self._code, "Message": "no"}}
        return {"Arn": "arn:aws:sts::123456789012:assumed-role/support/eve"}


def test_the_author_is_the_identity_of_the_credentials() -> None:
    """An expired token is said as by every other command."""
    assert caller_arn(FakeSts().client()) == "arn:aws:sts::123456789012:assumed-role/support/eve"
    with pytest.raises(AccessDenied, match="asking whose credentials"):
        caller_arn(FakeSts("ExpiredToken").client())
