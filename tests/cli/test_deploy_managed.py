"""`mailfold deploy` in accounts with rules of their own, and where a deployment deletes data."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.command import ROOT, run, run_ok
from tests.support.deployed import TABLE, bucket, deployed, items, objects
from tests.support.fake_cloudformation import MAILFOLD_PARAMETERS
from tests.support.fake_service import ACCOUNT, REGION, client
from tests.support.one_deployment import CHANGES as ADDED
from tests.support.one_deployment import MADE as CREATED
from tests.support.one_deployment import UPDATED

BOUNCE = str(ROOT / "schemas/wire/examples/v1.bounce-permanent-general.pass.json")
EXPIRING = {
    "status": "UPDATE_COMPLETE",
    "parameters": MAILFOLD_PARAMETERS | {"LogExpirationDays": "0"},
    "outputs": {"LogBucket": "mail-log"},
    "changes": ADDED,
}
EXPIRE = ["deploy", "--stack", "mail", "--param", "LogExpirationDays=90"]


def test_deleting_data_needs_its_name_without_a_terminal(stack: Any) -> None:
    """--yes does not confirm it. The message has the option, and the option works."""
    cloudformation = stack(**EXPIRING, steps=UPDATED)
    result = run(*EXPIRE, "--yes")
    assert result.exit_code == 2
    assert "WARNING: LogExpirationDays would change from 0 to 90. S3 deletes every event" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("use --confirm mail-log if it may be deleted")
    assert "create_change_set" not in cloudformation.operations()
    run_ok(*EXPIRE, "--yes", "--confirm", "mail-log")
    assert "execute_change_set" in cloudformation.operations()


@pytest.mark.parametrize(("typed", "deletes"), [("mail-log\ny\n", True), ("\n", False), ("y\n", False)])
def test_deleting_data_needs_its_name_at_a_terminal(stack: Any, terminal: None, typed: str, deletes: bool) -> None:
    """Enter or another text stops the deployment."""
    cloudformation = stack(**EXPIRING, steps=UPDATED)
    result = run(*EXPIRE, stdin=typed)
    assert result.exit_code == (0 if deletes else 2)
    assert ("execute_change_set" in cloudformation.operations()) == deletes


def test_a_dry_run_shows_the_loss_and_asks_nothing(stack: Any) -> None:
    """The warning and the changes are shown."""
    cloudformation = stack(**EXPIRING)
    result = run(*EXPIRE, "--dry-run")
    assert result.exit_code == 0
    assert "WARNING: LogExpirationDays would change from 0 to 90." in result.stderr
    assert "execute_change_set" not in cloudformation.operations()


def test_tags_role_and_a_built_bundle_are_deployed(stack: Any, tmp_path: Path) -> None:
    """The options reach the change set, and the file is uploaded as it is."""
    file = tmp_path / "bundle.zip"
    file.write_bytes(b"a zip file that was built before")
    role = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    cloudformation = stack(changes=ADDED, steps=CREATED)
    options = ["--tag", "team=mail", "--tag", "cost=a=b", "--role-arn", role, "--bundle", str(file)]
    run_ok("deploy", "--stack", "mail", "--yes", *options)
    request = cloudformation.asked("create_change_set")
    assert request["RoleARN"] == role
    assert {tag["Key"]: tag["Value"] for tag in request["Tags"]} == {"team": "mail", "cost": "a=b"}
    values = {value["ParameterKey"]: value["ParameterValue"] for value in request["Parameters"]}
    uploaded = client("s3").get_object(Bucket=values["CodeBucket"], Key=values["CodeKey"])["Body"].read()
    assert uploaded == file.read_bytes()


def test_a_bundle_in_s3_is_named_by_its_url(stack: Any) -> None:
    """The object must exist."""
    stack(changes=ADDED, steps=CREATED)
    url = f"s3://mailfold-code-{ACCOUNT}-{REGION}/none.zip"
    result = run("deploy", "--stack", "mail", "--yes", "--bundle", url)
    assert result.exit_code == 4
    assert "not found while reading the bundle none.zip in the bucket mailfold-code-" in result.stderr.splitlines()[-1]


def test_what_is_beside_the_stack_is_updated_without_a_question(stack: Any) -> None:
    """Options for the stack and its code contradict it."""
    cloudformation = stack(status="CREATE_COMPLETE")
    run_ok("deploy", "--stack", "mail", "--beside-only")
    assert cloudformation.protected
    contradiction = run("deploy", "--stack", "mail", "--beside-only", "--param", "StreamShards=2")
    assert contradiction.exit_code == 2
    assert "--beside-only changes nothing in the stack" in contradiction.stderr


def test_the_log_of_an_earlier_stack_is_a_next_step(stack: Any) -> None:
    """The command brings its events into the new log and table."""
    bucket = f"mailfold-code-{ACCOUNT}-{REGION}"
    client("s3").put_object(Bucket=bucket, Key="events/1", Body=b"x")
    stack(changes=ADDED, steps=CREATED, kept_buckets=[bucket])
    command = f"mailfold ingest s3://{bucket}/events/ --stack mail --region {REGION}"
    assert command in run("deploy", "--stack", "mail", "--yes").stderr


def test_that_command_adopts_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of a kept bucket are in the new log and table afterwards, and a second run adds nothing."""
    with deployed(monkeypatch):
        run_ok("ingest", BOUNCE, "--stack", "mail")
        [row] = objects("events/")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.copy({"Bucket": bucket(), "Key": row}, "kept", row)
        addresses = items()
        for key in (row, *objects("ingested/")):
            s3.delete_object(Bucket=bucket(), Key=key)
        for address in addresses:
            boto3.client("dynamodb").delete_item(TableName=TABLE, Key={"address": {"S": address}, "scope": {"S": "*"}})
        for _ in range(2):
            run_ok("ingest", "s3://kept/events/", "--stack", "mail", "--region", REGION)
            assert len(objects("events/")) == 1
            assert items() == addresses
