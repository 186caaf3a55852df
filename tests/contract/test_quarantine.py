"""The contract of `ports.Quarantine`, for the quarantines in memory and in S3."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.quarantine import QuarantineObject, S3Quarantine
from pipeline.errors import STOPS_BATCH
from pipeline.memory import MemoryQuarantine
from pipeline.ports import Quarantine, Quarantined

BUCKET = "mailfold-quarantine"


class Case(NamedTuple):
    """A quarantine, and a function that reads its contents."""

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
            keys = [
                entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", [])
            ]
            bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
            documents = [msgspec.json.decode(body, type=QuarantineObject) for body in bodies]
            return [
                Quarantined(payload=document.payload_base64, reason=document.reason, position=document.position)
                for document in documents
            ]

        yield Case(S3Quarantine(s3, bucket=BUCKET), held)


def a_quarantined(
    payload: bytes = b"no JSON", *, position: str = "stream shard-1 17", reason: str = "not JSON"
) -> Quarantined:
    return Quarantined(payload=payload, reason=reason, position=position)


@pytest.mark.parametrize("payload", [b"no JSON", b"", b"\xff\x00\xfe", "naïve 😀".encode(), b64decode("AAEC") * 9_999])
def test_a_payload_is_stored_byte_for_byte(case: Case, payload: bytes) -> None:
    """Its reason and position are stored with it."""
    case.quarantine.put(a_quarantined(payload))

    assert case.held() == [a_quarantined(payload)]


def test_the_same_payload_from_the_same_position_replaces_itself(case: Case) -> None:
    """A repeated delivery leaves one object."""
    case.quarantine.put(a_quarantined())
    case.quarantine.put(a_quarantined())

    assert case.held() == [a_quarantined()]


@pytest.mark.parametrize("other", [a_quarantined(b"other"), a_quarantined(position="stream shard-1 18")])
def test_another_payload_or_position_is_stored_beside_it(case: Case, other: Quarantined) -> None:
    """Neither replaces the other."""
    case.quarantine.put(a_quarantined())
    case.quarantine.put(other)

    assert sorted(case.held(), key=repr) == sorted([a_quarantined(), other], key=repr)


def deny(**_: object) -> None:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "denied"}}, "PutObject")


@pytest.mark.parametrize("is_denied", [True, False], ids=["denied", "missing bucket"])
def test_a_missing_bucket_and_a_denial_stop_the_batch(is_denied: bool) -> None:
    """Nothing is acknowledged until the quarantine exists and may be written."""
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        if is_denied:
            s3.meta.events.register("before-call.s3", deny)
        with pytest.raises(STOPS_BATCH):
            S3Quarantine(s3, bucket=BUCKET).put(a_quarantined())
