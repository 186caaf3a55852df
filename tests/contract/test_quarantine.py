"""What every quarantine promises, in memory and in S3."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import pytest
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.quarantine import QuarantineObject, S3Quarantine
from pipeline.memory import MemoryQuarantine
from pipeline.ports import Quarantine, Quarantined

BUCKET = "mailfold-quarantine"


class Case(NamedTuple):
    """A quarantine, and a look inside it."""

    quarantine: Quarantine
    held: Callable[[], list[Quarantined]]


@pytest.fixture(params=["memory", "s3"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Return an empty quarantine."""
    if request.param == "memory":
        memory = MemoryQuarantine()
        yield Case(memory, lambda: memory.held)
        return
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)

        def held() -> list[Quarantined]:
            found = s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", [])
            bodies = [s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found]
            documents = [msgspec.json.decode(body, type=QuarantineObject) for body in bodies]
            return [
                Quarantined(payload=one.payload_base64, reason=one.reason, position=one.position) for one in documents
            ]

        yield Case(S3Quarantine(s3, bucket=BUCKET), held)


def a_quarantined(
    payload: bytes = b"no JSON", *, position: str = "stream shard-1 17", reason: str = "not JSON"
) -> Quarantined:
    return Quarantined(payload=payload, reason=reason, position=position)


@pytest.mark.parametrize("payload", [b"no JSON", b"", b"\xff\x00\xfe", "naïve 😀".encode(), b64decode("AAEC") * 9_999])
def test_a_payload_is_held_byte_for_byte_with_its_reason_and_position(case: Case, payload: bytes) -> None:
    case.quarantine.put(a_quarantined(payload))

    assert case.held() == [a_quarantined(payload)]


def test_the_same_payload_from_the_same_position_replaces_itself(case: Case) -> None:
    case.quarantine.put(a_quarantined())
    case.quarantine.put(a_quarantined())

    assert case.held() == [a_quarantined()]


@pytest.mark.parametrize("other", [a_quarantined(b"other"), a_quarantined(position="stream shard-1 18")])
def test_another_payload_or_another_position_is_held_beside_it(case: Case, other: Quarantined) -> None:
    case.quarantine.put(a_quarantined())
    case.quarantine.put(other)

    assert sorted(case.held(), key=repr) == sorted([a_quarantined(), other], key=repr)
