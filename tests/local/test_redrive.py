"""Poison returns through the local cloud after a fix: into log and table, once, whatever place it was kept in."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.errors import ArchiveUnavailable
from pipeline.event import Outcome
from pipeline.local.cloud import LocalCloud
from pipeline.local.discovery import announce
from tests.support.builders import a_bounce
from tests.support.command import json_lines, run, run_ok
from tests.support.leftovers import BATCH_KEY, a_discarded_batch

pytestmark = pytest.mark.slow

SETTLE_SECONDS = 120
COUNT_SQL = "SELECT count(*) AS stored, count(DISTINCT event_id) AS events FROM events WHERE event_type = 'bounce'"
PEOPLE = {"quarantine": "ann@example.com", "firehose": "bob@example.com", "lambda": "cy@example.com"}


def in_new_format(record: bytes) -> bytes:
    """Return a record in a format that the decoder does not read before `fix`."""
    return b"v2:" + b64encode(record)


def fixed_decode(payload: bytes) -> list[Outcome]:
    """Decode as the decoder does after the fix."""
    return decode(b64decode(payload.removeprefix(b"v2:")) if payload.startswith(b"v2:") else payload)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud of this process, so that its decoder can be replaced, with poison in every place."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        for name in ("MAILFOLD_TABLE", "MAILFOLD_BUCKET", "MAILFOLD_STACK"):
            environment.delenv(name, raising=False)
        with LocalCloud(seed=1, buffer_seconds=0.1) as running, announce(running.environment()):
            yield running


@pytest.fixture
def poisoned(cloud: LocalCloud) -> Iterator[LocalCloud]:
    """The cloud with one bounce in a format that it cannot read in every place, as each hop keeps it."""
    payloads = {place: _bounce_of(place) for place in PEOPLE}
    cloud.clients.kinesis.put_record(StreamName=cloud.names.stream, Data=payloads["quarantine"], PartitionKey="0")
    cloud.delivery_stream.put([payloads["firehose"]])
    cloud.settle(SETTLE_SECONDS)
    batch = json.dumps(a_discarded_batch(payloads["lambda"])).encode()
    cloud.clients.s3.put_object(Bucket=cloud.names.bucket, Key=BATCH_KEY, Body=batch)
    yield cloud
    _empty(cloud)


@pytest.fixture
def fix(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that makes every decoder of this process read the new format."""
    return lambda: monkeypatch.setattr("pipeline.decision.decode", fixed_decode)


def _bounce_of(place: str) -> bytes:
    return in_new_format(a_bounce(recipients=[PEOPLE[place]], feedback_id=place))


def _empty(cloud: LocalCloud) -> None:
    names, clients = cloud.names, cloud.clients
    for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=names.bucket):
        for entry in page.get("Contents", []):
            clients.s3.delete_object(Bucket=names.bucket, Key=entry["Key"])
    for item in clients.dynamodb.scan(TableName=names.table)["Items"]:
        key: Any = {name: item[name] for name in ("address", "scope")}
        clients.dynamodb.delete_item(TableName=names.table, Key=key)


def suppressed(cloud: LocalCloud) -> set[str]:
    """Return the addresses that the table suppresses, once everything has arrived."""
    cloud.settle(SETTLE_SECONDS)
    return {answer["address"] for answer in json_lines("lookup", "--json", *PEOPLE.values()) if answer["suppressed"]}


def stored(cloud: LocalCloud) -> tuple[int, int]:
    """Return how many rows and how many bounces the log has."""
    [row] = json_lines("query", "--json", COUNT_SQL)
    return row["stored"], row["events"]


def test_poison_of_every_place_waits_until_the_fix(poisoned: LocalCloud) -> None:
    """Before the fix nothing is sent, and the exit code says that something remains."""
    assert {line["place"] for line in json_lines("quarantine", "list", "--json")} == set(PEOPLE)
    result = run("quarantine", "redrive", "--all")
    assert result.exit_code == 1
    assert "3 records still rejected: not a JSON document" in result.stdout
    assert suppressed(poisoned) == set()
    assert len(json_lines("quarantine", "list", "--json")) == 3


def test_after_the_fix_it_is_in_log_and_table_once(poisoned: LocalCloud, fix: Callable[[], None]) -> None:
    """Twice changes nothing: what was redriven is marked, kept, and not sent again.

    The log received the record of the discarded batch before the stream did, so it is redriven to the stream alone.
    """
    fix()
    [counts] = json_lines("quarantine", "redrive", "--all", "--json")
    assert (counts["leftovers"], counts["records"], counts["rejected"]) == (3, 3, {})
    assert suppressed(poisoned) == set(PEOPLE.values())
    assert stored(poisoned) == (2, 2)
    assert json_lines("quarantine", "list", "--json") == []

    [again] = json_lines("quarantine", "redrive", "--all", "--json")
    assert (again["leftovers"], again["records"]) == (0, 0)
    assert suppressed(poisoned) == set(PEOPLE.values())
    assert stored(poisoned) == (2, 2)
    marked = json_lines("quarantine", "list", "--redriven", "--json")
    assert {line["place"] for line in marked if line["redriven"]} == set(PEOPLE)


def test_a_redrive_that_stops_before_the_mark_is_repeated(
    poisoned: LocalCloud, fix: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are sent again, and table and distinct events are those of one redrive."""
    fix()

    def stop(*_: object) -> None:
        raise ArchiveUnavailable("stopped before the mark")

    with monkeypatch.context() as stopping:
        stopping.setattr("pipeline.aws.leftovers.objects.S3Leftovers.mark", stop)
        assert run("quarantine", "redrive", "--all").exit_code == 5
    assert len(json_lines("quarantine", "list", "--json")) == 3
    before = suppressed(poisoned)
    run_ok("quarantine", "redrive", "--all")
    assert suppressed(poisoned) == before | set(PEOPLE.values())
    rows, events = stored(poisoned)
    assert (rows, events) == (3, 2)


def test_a_dry_run_sends_and_marks_nothing(poisoned: LocalCloud, fix: Callable[[], None]) -> None:
    """It says what a redrive would do."""
    fix()
    assert run_ok("quarantine", "redrive", "--all", "--dry-run") == "3 leftovers would be redriven, with 3 records\n"
    assert suppressed(poisoned) == set()
    assert len(json_lines("quarantine", "list", "--json")) == 3
