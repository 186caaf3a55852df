"""The contract of `ports.Manifest`, for the manifests in memory and in S3."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from pipeline.aws.archive.manifest import S3Manifest
from pipeline.aws.clients import create_client
from pipeline.errors import STOPS_BATCH
from pipeline.manifest import SourceProgress
from pipeline.memory import MemoryManifest
from pipeline.ports import Manifest

BUCKET = "mailfold-log"
HALF = SourceProgress(records=5, rejected=frozenset({2, 4}))
WHOLE = SourceProgress(records=9, rejected=frozenset({2}), is_complete=True)


@pytest.fixture(params=["memory", "s3"])
def manifest(request: pytest.FixtureRequest) -> Iterator[Manifest]:
    """Return an empty manifest."""
    if request.param == "memory":
        yield MemoryManifest()
        return
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield S3Manifest(s3, bucket=BUCKET)


def test_an_empty_manifest_knows_nothing(manifest: Manifest) -> None:
    """A bucket without any entry has none."""
    assert manifest.load() == {}


def test_what_was_saved_is_loaded(manifest: Manifest) -> None:
    """Entries have several sources each."""
    manifest.save("1", {"a": HALF, "b": WHOLE})
    manifest.save("2", {"c": HALF})
    assert manifest.load() == {"a": HALF, "b": WHOLE, "c": HALF}


@pytest.mark.parametrize("names", [("1", "2"), ("2", "1")])
def test_the_furthest_progress_counts(manifest: Manifest, names: tuple[str, str]) -> None:
    """In whatever order it was saved, and is listed."""
    manifest.save(names[0], {"a": WHOLE})
    manifest.save(names[1], {"a": HALF})
    assert manifest.load() == {"a": WHOLE}


def test_a_record_that_is_no_longer_rejected_is_further(manifest: Manifest) -> None:
    """A newer decoder reads what an older one rejected."""
    manifest.save("1", {"a": WHOLE.after(2, is_rejected=False)})
    manifest.save("2", {"a": WHOLE})
    assert manifest.load()["a"].is_done


def test_an_entry_of_the_same_name_is_replaced(manifest: Manifest) -> None:
    """A group that was interrupted has the same name when it is ingested again."""
    manifest.save("1", {"a": WHOLE})
    manifest.save("1", {"b": HALF})
    assert manifest.load() == {"b": HALF}


def test_a_thousand_entries_are_loaded(manifest: Manifest) -> None:
    """S3 lists a thousand at a time."""
    for number in range(1_001):
        manifest.save(f"{number}", {f"{number}": WHOLE})
    assert len(manifest.load()) == 1_001


def test_an_object_that_is_no_entry_is_named_and_stops_nothing() -> None:
    """Another program's object beside the entries keeps none of them from being read. A marker is not even named."""
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        manifest = S3Manifest(s3, bucket=BUCKET)
        manifest.save("1", {"a": WHOLE})
        for name, body in {
            "x.json": b"[]",
            "notes.txt": b"\xff",
            "": b"",
            "_SUCCESS": b"",
            ".x.json.crc": b"crc",
        }.items():
            s3.put_object(Bucket=BUCKET, Key=f"ingested/{name}", Body=body)
        assert manifest.load() == {"a": WHOLE}
        assert {skipped.uri for skipped in manifest.skipped} == {
            "s3://mailfold-log/ingested/x.json",
            "s3://mailfold-log/ingested/notes.txt",
        }


def test_a_missing_bucket_stops_an_ingestion() -> None:
    """For reading and for writing."""
    with mock_aws():
        manifest = S3Manifest(create_client("s3", region="us-east-1"), bucket=BUCKET)
        with pytest.raises(STOPS_BATCH):
            manifest.load()
        with pytest.raises(STOPS_BATCH):
            manifest.save("1", {})
