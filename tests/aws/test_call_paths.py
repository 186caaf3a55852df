"""The three ways through the code read downwards, and the README names the files of one of them in order."""

import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from moto import mock_aws

import pipeline
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.aws.lambdas import projector, transform
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.memory import MemoryQuarantine
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import BatchProjector
from pipeline.replay import replay
from pipeline.row import to_row
from tests.support.builders import a_bounce
from tests.support.lambda_events import a_firehose_event, a_kinesis_event

PACKAGE = Path(pipeline.__file__).parent
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE, BUCKET = "suppression", "log"


class CallPath:
    """The files of the package that a call runs through.

    Attributes:
        files: Paths relative to the package, in the order of their first call.
        calls: By file, the files that it calls.
    """

    def __init__(self, run: Callable[[], object]) -> None:
        self.files: list[str] = []
        self.calls: dict[str, set[str]] = {}
        profile = sys.getprofile()
        sys.setprofile(self._note)
        try:
            run()
        finally:
            sys.setprofile(profile)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        file = _file(frame)
        if event != "call" or file is None or frame.f_code.co_name == "<module>":
            return
        if file not in self.files:
            self.files.append(file)
        caller = frame.f_back
        while caller and _file(caller) is None:
            caller = caller.f_back
        calling_file = _file(caller) if caller else None
        if calling_file and calling_file != file:
            self.calls.setdefault(calling_file, set()).add(file)


def _file(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else None


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoSuppressionStore]:
    """An empty suppression table."""
    with mock_aws():
        dynamodb = create_client("dynamodb", region="us-east-1")
        dynamodb.create_table(**table_definition(TABLE))
        yield DynamoSuppressionStore(dynamodb, table=TABLE)


@pytest.fixture
def from_kinesis(store: DynamoSuppressionStore) -> CallPath:
    """A bounce, from the Kinesis record to the put."""
    batch_projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    event = a_kinesis_event(a_bounce())
    return CallPath(lambda: projector.project_event(event, projector=batch_projector))


@pytest.fixture
def from_firehose() -> CallPath:
    """A Firehose record to its row."""
    event = a_firehose_event(a_bounce())
    return CallPath(lambda: transform.transform(event, now=NOW))


@pytest.fixture
def from_log(store: DynamoSuppressionStore) -> CallPath:
    """A row of the log, in replay, to the table."""
    s3 = create_client("s3", region="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    archive = S3Archive(s3, bucket=BUCKET)
    archive.append([to_row(event, arrived_at=NOW) for event in decode(a_bounce()) if isinstance(event, Event)])
    return CallPath(lambda: replay(archive, store=store, policy=DEFAULT_POLICY))


@pytest.mark.parametrize(("path", "most"), [("from_kinesis", 23), ("from_firehose", 11), ("from_log", 22)])
def test_a_path_runs_through_few_files_and_never_climbs_back(
    path: str, most: int, request: pytest.FixtureRequest
) -> None:
    """A record passes few files, and no file is called by one that it calls."""
    call_path: CallPath = request.getfixturevalue(path)
    assert len(call_path.files) <= most
    TopologicalSorter(call_path.calls).prepare()


def test_the_readme_walks_through_the_files_in_the_order_of_their_calls(from_kinesis: CallPath) -> None:
    """The table "How it works" names the files that a bounce passes, in the order in which they are called."""
    section = README.partition("## How it works\n")[2].partition("\n## ")[0]
    walk = re.findall(r"^\| .* \| `([\w/]+\.py)` \|$", section, re.MULTILINE)
    assert len(walk) >= 8
    assert [file for file in from_kinesis.files if file in walk] == walk
