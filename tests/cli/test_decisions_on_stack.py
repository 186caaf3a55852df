"""Decisions on a deployment: whose they are, at which pace SES's list changes, and what is said when a step fails."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from pipeline.aws import clients, feedback_stream
from pipeline.aws.archive import firehose
from pipeline.aws.clients import session
from pipeline.cli import decide
from pipeline.timestamp import format_time
from tests.support.builders import a_bounce
from tests.support.command import ROOT, json_lines, run, run_ok
from tests.support.deployed import ACCOUNT, NAME, OUTPUTS, REGION, bucket, deployed, put_behind
from tests.support.fake_account_list import FakeAccountList
from tests.support.fake_kinesis import FakeKinesis, an_error

STACK = ("--stack", NAME)
WHY = ("--reason", "a test")
ADDRESS = "ann@example.com"
LIST = {"ann@example.com": "BOUNCE", "Bob@example.com": "COMPLAINT"}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A deployment with its streams, and no projector."""
    monkeypatch.setattr(decide, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(clients, "SES_SECONDS", 0.0)
    monkeypatch.setattr(firehose, "FIRST_PUT_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(feedback_stream, "FIRST_PUT_WAIT_SECONDS", 0.001)
    with deployed(monkeypatch):
        boto3.client("kinesis").create_stream(StreamName=str(OUTPUTS["FeedbackStream"]), ShardCount=1)
        boto3.client("firehose").create_delivery_stream(
            DeliveryStreamName=str(OUTPUTS["DeliveryStream"]),
            ExtendedS3DestinationConfiguration={
                "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/firehose",
                "BucketARN": f"arn:aws:s3:::{bucket()}",
                "Prefix": "put/",
            },
        )
        yield


def in_log() -> list[dict[str, Any]]:
    """Return the decisions that Firehose has delivered."""
    s3 = boto3.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket(), Prefix="put/").get("Contents", [])]
    bodies = [s3.get_object(Bucket=bucket(), Key=key)["Body"].read() for key in keys]
    return [json.loads(line)["decision"] for body in bodies for line in body.replace(b"}{", b"}\n{").splitlines()]


def in_stream() -> list[dict[str, Any]]:
    """Return the decisions in the feedback stream."""
    kinesis, name = boto3.client("kinesis"), str(OUTPUTS["FeedbackStream"])
    [shard] = kinesis.list_shards(StreamName=name)["Shards"]
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    records = kinesis.get_records(ShardIterator=iterator)["Records"]
    return [json.loads(record["Data"])["decision"] for record in records]


def test_the_author_is_the_identity_of_the_credentials(stack: None) -> None:
    """--as states a name beside it, and does not replace it. Log and stream have the same decision."""
    arn = boto3.client("sts").get_caller_identity()["Arn"]
    [line] = json_lines("suppress", ADDRESS, *WHY, "--json", *STACK)
    assert (line["author"], line["in_table"]) == (arn, False)
    [named] = json_lines("suppress", "bob@example.com", *WHY, "--as", "Eve", "--json", "--no-wait", *STACK)
    assert (named["author"], named["in_table"]) == (f"Eve ({arn})", None)
    assert [decision["id"] for decision in in_stream()] == [line["event_id"], named["event_id"]]
    assert sorted(in_log(), key=str) == sorted(in_stream(), key=str)


@pytest.mark.parametrize(
    ("row", "arguments"),
    [
        (0, ["suppress", ADDRESS]),
        (0, ["release", ADDRESS]),
        (1, ["revert", "--since", "2026-03-01", "--until", "2026-03-02", "--domain", "example.com"]),
        (3, ["release", ADDRESS, "--also-ses"]),
        (3, ["suppress", ADDRESS, "--also-ses"]),
    ],
)
def test_a_decision_needs_the_documented_permissions_only(
    stack: None, monkeypatch: pytest.MonkeyPatch, row: int, arguments: list[str]
) -> None:
    """Whose credentials they are, AWS says to everyone; a bucket of Firehose is moto's own matter."""
    fake = FakeAccountList(LIST)
    put_behind(monkeypatch, sesv2=fake.client())
    run_ok("ingest", "-", *STACK, stdin=a_bounce(recipients=["eve@example.com"]))
    called: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        called.add(f"{model.service_model.signing_name}:{model.name}")

    hooks: Any = session()  # the stubs want a type for each event
    hooks.register("before-call.*", note)
    try:
        run_ok(*arguments, *WHY, *STACK)
    finally:
        hooks.unregister("before-call.*", note)
    called |= {"ses:" + name.title().replace("_", "") for name in fake.operations()}
    assert called - {"sts:GetCallerIdentity"} <= documented(row)
    assert documented(0) <= called


def documented(row: int) -> set[str]:
    """Return the permissions in a row of infra/README.md's table, and in the first one."""
    section = (ROOT / "infra/README.md").read_text().partition("## Operators' decisions")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith(("| `", "| any"))]
    return {action for line in (rows[0], rows[row]) for action in re.findall(r"`([a-z]+:\w+)`", line)}


def test_the_services_time_is_that_of_its_responses(stack: None) -> None:
    """The clock of this machine differs from DynamoDB's by days, and DynamoDB's counts."""
    hooks: Any = session()  # the stubs want a type for each event

    def date(parsed: dict[str, Any], **_: Any) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = "Sun, 01 Mar 2026 09:00:00 GMT"

    hooks.register("after-call.dynamodb", date)
    try:
        [line] = json_lines("suppress", ADDRESS, *WHY, "--json", "--no-wait", *STACK)
    finally:
        hooks.unregister("after-call.dynamodb", date)
    assert line["decided_at"].startswith("2026-03-01T09:00:0")


def test_a_stream_that_fails_leaves_a_request_to_repeat(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the command's option; the repetition is the same event in both."""
    broken = FakeKinesis()
    broken.outages.append(an_error("InternalFailure"))
    with monkeypatch.context() as patch:
        put_behind(patch, kinesis=broken)
        said = run("suppress", ADDRESS, *WHY, *STACK)
    assert said.exit_code == 5
    sentence = said.stderr.splitlines()[-1]
    assert "the decisions are in the log, but not all of them are in the stream" in sentence
    id_ = sentence.partition("--id ")[2].partition(",")[0]
    [first] = in_log()
    assert in_stream() == []
    run_ok("suppress", ADDRESS, *WHY, "--id", id_, "--no-wait", *STACK)
    assert in_log() == [first, first]
    assert in_stream() == [first]


def test_ses_in_aws_is_called_once_a_second(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only with --also-ses. Each result is reported."""
    limited: list[Any] = []
    monkeypatch.setattr(decide, "limit_rate", limited.append)
    fake = FakeAccountList(LIST)
    put_behind(monkeypatch, sesv2=fake.client())
    said = run_ok("suppress", ADDRESS, *WHY, "--no-wait", *STACK)
    assert said.endswith(f" --reason … --stack {NAME} --region {REGION}\n")
    assert limited == []
    command = ("release", "Bob@example.com", ADDRESS, *WHY, "--no-wait", "--also-ses", *STACK)
    assert "SES's list: 2 spellings removed\nSES's list: 1 spelling not on the list" in run_ok(*command)
    assert len(limited) == 1
    assert fake.entries() == {}


def test_an_entry_that_ses_does_not_change_is_said(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decisions are made, the other entries are changed, and the exit code is 1."""
    fake = FakeAccountList(LIST, refuses=["", "TooManyRequestsException"])
    put_behind(monkeypatch, sesv2=fake.client())
    said = run("release", ADDRESS, "Bob@example.com", *WHY, "--no-wait", "--also-ses", "--json", *STACK)
    assert said.exit_code == 1
    assert "1 address of SES's list not changed: AWS throttles changing the account-level" in said.stderr
    [ann, bob] = [json.loads(line) for line in said.stdout.splitlines()]
    assert (ann["ses"], bob["ses"]) == (None, {"Bob@example.com": "removed", "bob@example.com": "not on the list"})
    assert len(in_stream()) == 2


def test_a_sandbox_is_explained_before_anything_is_decided(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """There, SES's list cannot be changed."""
    put_behind(monkeypatch, sesv2=FakeAccountList(LIST, in_sandbox=True).client())
    said = run("suppress", ADDRESS, *WHY, "--also-ses", *STACK)
    assert "SES is in its sandbox in this region" in said.stderr
    assert (in_log(), in_stream()) == ([], [])


def test_evidence_dated_ahead_is_lifted_and_named(stack: None) -> None:
    """A mailbox provider's clock may be a month ahead, and SES's id of the bounce edited."""
    ahead = datetime.now(UTC) + timedelta(days=30)
    bounce = a_bounce(recipients=[ADDRESS], at=ahead, timestamp=format_time(ahead - timedelta(days=1)))
    run_ok("ingest", "-", *STACK, stdin=bounce)
    [line] = json_lines("release", ADDRESS, *WHY, "--json", "--no-wait", *STACK)
    assert (line["before"]["suppressed"], line["after"]["suppressed"]) == (True, False)
    [decision] = in_stream()
    assert decision["after"]["atMs"] == decision["atMs"] - 1
