"""The lines that tell how a shard fares."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.kcl.health import ShardHealth, State, decode_health, encode_health

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMES = st.datetimes(timezones=st.just(UTC))
COUNTS = st.integers(0, 2**53)
HEALTHS = st.builds(
    ShardHealth,
    shard=st.text(),
    state=st.sampled_from(State),
    said_at=TIMES,
    millis_behind_latest=COUNTS | st.none(),
    checkpointed_at=TIMES | st.none(),
    records=COUNTS,
    poison=COUNTS,
    errors=COUNTS,
)


@given(HEALTHS)
def test_what_is_said_is_what_is_read_and_it_is_one_line(health: ShardHealth) -> None:
    line = encode_health(health)

    assert b"\n" not in line
    assert decode_health(line) == health
    assert decode_health(line + b"\n") == health


def test_a_line_is_what_it_is_documented_to_be() -> None:
    line = encode_health(ShardHealth(shard="shardId-000000000000", state=State.PROCESSING, said_at=AT, records=3))

    assert line == (
        b'{"health":{"shard":"shardId-000000000000","state":"processing","said_at":"2026-03-01T12:00:00Z",'
        b'"millis_behind_latest":null,"checkpointed_at":null,"records":3,"poison":0,"errors":0}}'
    )


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"hello", b"{}", b'{"level":"INFO"}', b'{"health":', b'{"health":{"shard":"s"}}', b"\xff"]
)
def test_any_other_line_says_nothing(line: bytes) -> None:
    assert decode_health(line) is None


def test_an_ended_shard_is_told_from_one_that_goes_on() -> None:
    assert {state for state in State if not state.has_ended} == {State.INITIALIZED, State.PROCESSING, State.WAITING}
