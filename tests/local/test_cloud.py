"""In the local cloud, what an application sends is in the log and in the suppression table."""

import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from werkzeug.wrappers import Response

from pipeline.aws.archive import schema
from pipeline.aws.archive.athena import query
from pipeline.decode import decode
from pipeline.errors import ArchiveUnavailable, NotFound, Unavailable, UsageError
from pipeline.event import Event
from pipeline.local.cloud import LocalCloud
from pipeline.local.firehose.delivery_stream import DeliveryStream
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Server
from pipeline.local.traffic.chaos import Chaos
from pipeline.local.traffic.generator import generate_traffic
from tests.support.builders import a_bounce

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SENDER = "News <news@example.com>"
BOUNCES, COMPLAINS, SIMULATED = "bounce+ann@example.com", "complaint+bob@example.com", "success@simulator.amazonses.com"
MESSAGE: Any = {"Subject": {"Data": "Seven things"}, "Body": {"Text": {"Data": "one"}}}
SETTLED_SECONDS = 300.0


@contextmanager
def a_moto_process() -> Iterator[str]:
    """Run moto in another process. Yield its endpoint."""
    program = [sys.executable, str(Path(__file__).parents[1] / "support" / "moto_process.py")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this interpreter
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(120)


@pytest.fixture(scope="module", params=["moto in this process", "an emulator in another process"])
def cloud(request: pytest.FixtureRequest) -> Iterator[LocalCloud]:
    if request.param == "moto in this process":
        with LocalCloud(seed=1) as cloud:
            yield cloud
    else:
        with a_moto_process() as url, LocalCloud(seed=1, endpoint_url=url) as cloud:
            yield cloud


def rows(cloud: LocalCloud, sql: str) -> list[tuple[str | None, ...]]:
    return list(query(cloud.clients.athena, sql, database="mailfold").rows)


def suppressed(cloud: LocalCloud) -> dict[str, str]:
    """Return the reason of each suppressed address in the table."""
    items = cloud.clients.dynamodb.scan(TableName=cloud.names.table)["Items"]
    return {item["address"]["S"]: item["reason"]["S"] for item in items if item["suppressed"]["BOOL"]}


def test_sent_mail_is_in_the_log_and_suppresses(cloud: LocalCloud) -> None:
    """Events of mail sent through either SES API are in the log, and bounce and complaint suppress."""
    to: Any = {"ToAddresses": [BOUNCES, SIMULATED]}
    first = cloud.clients.ses.send_email(Source=SENDER, Destination=to, Message=MESSAGE)["MessageId"]
    second = cloud.clients.sesv2.send_email(
        FromEmailAddress=SENDER, Destination={"ToAddresses": [COMPLAINS]}, Content={"Simple": MESSAGE}
    )["MessageId"]
    cloud.settle(SETTLED_SECONDS)
    assert set(rows(cloud, "SELECT event_type, message_id, subject FROM events")) == {
        ("send", first, "Seven things"),
        ("delivery", first, "Seven things"),
        ("bounce", first, "Seven things"),
        ("send", second, "Seven things"),
        ("delivery", second, "Seven things"),
        ("complaint", second, "Seven things"),
    }
    assert set(rows(cloud, "SELECT address, fact FROM suppression_facts")) == set(suppressed(cloud).items())
    assert suppressed(cloud) == {BOUNCES: "hard", COMPLAINS: "complaint"}


def test_firehose_puts_events_into_the_log_and_sets_poison_aside(cloud: LocalCloud) -> None:
    """An event put through Firehose's API is a row of the log, and poison is under the error prefix."""
    firehose = cloud.clients.firehose
    records: Any = [{"Data": a_bounce(messageId="by-firehose") + b"\n"}, {"Data": b"no JSON"}]
    firehose.put_record_batch(DeliveryStreamName=cloud.names.delivery_stream, Records=records)
    cloud.settle(SETTLED_SECONDS)
    assert rows(cloud, "SELECT event_type FROM events WHERE message_id = 'by-firehose'") == [("bounce",)]
    keys = [entry["Key"] for entry in cloud.clients.s3.list_objects_v2(Bucket=cloud.names.bucket)["Contents"]]
    assert len([key for key in keys if key.startswith("errors/processing-failed/")]) == 1


def test_the_environment_is_all_that_boto3_needs(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client created from the cloud's environment variables alone sends mail that is in the log."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    sesv2 = boto3.Session().client("sesv2")  # the default session may be of another cloud
    message_id = sesv2.send_email(
        FromEmailAddress=SENDER, Destination={"ToAddresses": [SIMULATED]}, Content={"Simple": MESSAGE}
    )["MessageId"]
    cloud.settle(SETTLED_SECONDS)
    sql = f"SELECT count(*) FROM events WHERE message_id = '{message_id}'"  # noqa: S608 - SES's own id
    assert rows(cloud, sql) == [("2",)]


def test_the_glue_table_describes_the_log(cloud: LocalCloud) -> None:
    """The Glue table has the columns of the schema."""
    table = cloud.clients.glue.get_table(DatabaseName="mailfold", Name="events")["Table"]
    columns = [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]
    assert columns == [(column.name, column.type) for column in schema.log_columns()]
    assert [column["Name"] for column in table["PartitionKeys"]] == ["dt", "hr"]
    assert table["Parameters"]["storage.location.template"] == "s3://mailfold-log/events/dt=${dt}/hr=${hr}/"


def test_glue_has_the_views(cloud: LocalCloud) -> None:
    """With the columns that DESCRIBE shows."""
    tables = cloud.clients.glue.get_tables(DatabaseName="mailfold")["TableList"]
    views = {table["Name"]: table for table in tables if table["TableType"] == "VIRTUAL_VIEW"}
    assert [(name,) for name in sorted(views)] == sorted(rows(cloud, "SHOW VIEWS"))
    columns = views["suppression_facts"]["StorageDescriptor"]["Columns"]
    described = [row[:2] for row in rows(cloud, "DESCRIBE suppression_facts")]
    assert [(column["Name"], column["Type"]) for column in columns] == described


def test_the_delivery_stream_is_found(cloud: LocalCloud) -> None:
    """By the name that the cloud prints, with the ARN that event destinations name."""
    name = cloud.environment()["MAILFOLD_DELIVERY_STREAM"]
    described = cloud.clients.firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    assert described["DeliveryStreamStatus"] == "ACTIVE"
    destinations = cloud.clients.sesv2.get_configuration_set_event_destinations(ConfigurationSetName="mailfold")
    [arn] = [
        destination["KinesisFirehoseDestination"]["DeliveryStreamArn"]
        for destination in destinations["EventDestinations"]
        if "KinesisFirehoseDestination" in destination
    ]
    assert described["DeliveryStreamARN"] == arn


def test_settling_releases_what_chaos_holds_back() -> None:
    """After settling, each published event is in the log, whatever chaos repeated or held back."""
    published: list[bytes] = []
    with LocalCloud(seed=1, chaos=Chaos(seed=1, delay=0.5), observer=published.extend) as cloud:
        for events in generate_traffic(emails=100, seed=1, start=datetime(2026, 3, 1, tzinfo=UTC)):
            cloud.publish(events)
        cloud.settle(SETTLED_SECONDS)
        kept = {event_id for (event_id,) in rows(cloud, "SELECT event_id FROM events")}
    outcomes = [outcome for record in published for outcome in decode(record)]
    assert kept == {outcome.id for outcome in outcomes if isinstance(outcome, Event)}


@pytest.mark.slow
def test_another_backend_keeps_its_content() -> None:
    """A second cloud on the same emulator adds to the log of the first."""
    with a_moto_process() as url:
        for _ in range(2):
            with LocalCloud(seed=1, endpoint_url=url) as cloud:
                cloud.publish([a_bounce()])
                cloud.settle(SETTLED_SECONDS)
                answer = rows(cloud, "SELECT count(*) FROM events")
    assert answer == [("2",)]


@pytest.mark.slow
def test_the_users_credentials_are_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request to the backend is signed with a key or a token from the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATHEUSERSOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    moto, signers = Moto(), Counter[str]()

    def recording(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        signers[environ["HTTP_AUTHORIZATION"].partition("Credential=")[2].partition("/")[0]] += 1
        assert "HTTP_X_AMZ_SECURITY_TOKEN" not in environ
        return moto(environ, start_response)

    with Server(recording) as backend, LocalCloud(endpoint_url=backend.url) as cloud:
        cloud.clients.ses.send_email(Source=SENDER, Destination={"ToAddresses": [BOUNCES]}, Message=MESSAGE)
        cloud.settle(SETTLED_SECONDS)
        rows(cloud, "SELECT 1 FROM events")
        access_key_id = cloud.environment()["AWS_ACCESS_KEY_ID"]
    moto.close()
    assert signers.keys() == {access_key_id}


@pytest.mark.slow
def test_stopping_leaves_no_thread_file_or_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After stopping, no thread, temporary file or listening port of the cloud remains."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(threading.enumerate())
    with LocalCloud(seed=1) as cloud:
        cloud.clients.ses.send_email(Source=SENDER, Destination={"ToAddresses": [BOUNCES]}, Message=MESSAGE)
        cloud.settle(SETTLED_SECONDS)
        rows(cloud, "SELECT * FROM events")
        address = urlsplit(cloud.endpoint_url)
    assert set(threading.enumerate()) <= before
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), 1)


def test_an_error_of_stopping_never_hides_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """An undelivered record is an error of stopping, unless the block raised one: that one is reported."""
    close = DeliveryStream.close

    def fail(self: DeliveryStream, timeout_seconds: float) -> None:
        close(self, timeout_seconds)
        raise ArchiveUnavailable("made up")

    monkeypatch.setattr(DeliveryStream, "close", fail)
    with pytest.raises(ArchiveUnavailable, match="made up"), LocalCloud(seed=1):
        pass
    with pytest.raises(KeyboardInterrupt), LocalCloud(seed=1):
        raise KeyboardInterrupt


def test_a_second_cloud_on_moto_is_refused_without_harm() -> None:
    """A second cloud on moto in one process is a usage error, and the first one still works."""
    with LocalCloud(seed=1) as cloud:
        with pytest.raises(UsageError, match="a local cloud runs in this process already"), LocalCloud():
            pass
        cloud.clients.ses.send_email(Source=SENDER, Destination={"ToAddresses": [BOUNCES]}, Message=MESSAGE)
        cloud.settle(SETTLED_SECONDS)
        assert suppressed(cloud) == {BOUNCES: "hard"}


def test_an_unreachable_backend_is_unavailable() -> None:
    """If nothing listens at the endpoint, starting fails with advice and leaves no thread."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    before = set(threading.enumerate())
    with (
        pytest.raises(Unavailable, match=f"nothing answers at {url}: start the emulator"),
        LocalCloud(endpoint_url=url),
    ):
        pass
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:4566", "localhost", "ftp://127.0.0.1", "http://", "http://[", "http://127.0.0.1:many"]
)
def test_an_invalid_endpoint_is_a_usage_error(url: str) -> None:
    """Text that is not an HTTP endpoint is rejected before anything starts."""
    with pytest.raises(UsageError, match="not an endpoint URL"):
        LocalCloud(endpoint_url=url).__enter__()


def test_a_backend_that_is_not_an_emulator_fails() -> None:
    """A server that knows no AWS API makes starting fail, and the message names the resource."""

    def refuse(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return Response("nothing of that here", status=404)(environ, start_response)

    with (
        Server(refuse) as backend,
        pytest.raises(NotFound, match="creating the bucket of the local cloud: 404"),
    ):
        LocalCloud(endpoint_url=backend.url).__enter__()


@pytest.mark.slow
def test_settling_ends_at_its_time_out() -> None:
    """Settling raises an error at its time-out if the stream is gone."""
    with a_moto_process() as url, LocalCloud(seed=1, endpoint_url=url) as cloud:
        cloud.clients.kinesis.delete_stream(StreamName=cloud.names.stream)
        with pytest.raises(Unavailable):
            cloud.settle(1)
