"""`mailfold deploy`: mistakes are told before AWS is asked, changes before they are made, then what is left to do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.deployment import deploy as steps
from pipeline.aws.deployment.bundle import Bundle, build_bundle
from pipeline.aws.deployment.deploy import Clients
from pipeline.aws.deployment.template import load_template
from pipeline.aws.dynamodb import table_definition
from pipeline.cli import deploy as command
from pipeline.cli import prompt
from tests.support.command import ended, good, refused, run
from tests.support.fake_athena import FakeAthena
from tests.support.fake_cloudformation import OURS, OUTPUTS, FakeCloudFormation, a_change, a_step
from tests.support.fake_service import ACCOUNT, REGION, client
from tests.support.wheels import from_folder

MADE = [[a_step("CREATE_IN_PROGRESS"), a_step("CREATE_COMPLETE", "LogBucket"), a_step("CREATE_COMPLETE")]]
ADDED = [a_change(), a_change(logical_id="Transform", kind="AWS::Lambda::Function")]


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a deployment needs beside CloudFormation: by moto, with a bundle that is none."""
    monkeypatch.setattr(steps, "build_bundle", lambda **_: Bundle(data=b"a zip file", sha256="0123"))
    monkeypatch.setattr(steps, "POLL_SECONDS", 0.0)
    with mock_aws():
        name = f"mailfold-code-{ACCOUNT}-{REGION}"
        client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        client("dynamodb").create_table(**table_definition(OUTPUTS["SuppressionTable"]))
        yield


@pytest.fixture
def stack(beside: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a stack behind the command, and return it."""

    def put(**stack: Any) -> FakeCloudFormation:
        cloudformation = FakeCloudFormation(**stack)
        clients = Clients(
            athena=FakeAthena().client(),
            cloudformation=cloudformation.client(),
            dynamodb=client("dynamodb"),
            s3=client("s3"),
            ssm=client("ssm"),
            sts=client("sts"),
        )
        monkeypatch.setattr(command, "_clients", lambda _: clients)
        return cloudformation

    return put


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody can be asked."""
    monkeypatch.setattr(prompt, "can_ask", lambda: True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which stack? Name it with --stack"),
        (["--stack", "Mail"], "no name for a stack: 'Mail'; take lower-case letters"),
        (["--stack", "mail", "--param", "StreamShards"], "--param takes NAME=VALUE"),
        (["--stack", "mail", "--param", "StreamShards=1", "--param", "StreamShards=2"], "each name once"),
        (["--stack", "mail", "--param", "StreamShards=0"], "StreamShards must be at least 1"),
        (["--stack", "mail", "--param", "Colour=red"], "the template has no parameter Colour, but AlarmEmail"),
        (["--stack", "mail", "--param", "CodeKey=mine"], "CodeKey is set by deploy itself"),
        (["--stack", "mail", "--param", 'Policy={"version":'], "Policy is not a policy"),
        (["--stack", "mail", "--code-bucket", "my bucket"], "no name for a bucket: 'my bucket'; take 3 to 63"),
        (["--stack", "mail"], "say --yes to apply what changes, or --dry-run to see it"),
    ],
)
def test_a_mistake_is_told_before_anything_is_asked_of_aws(arguments: list[str], words: str) -> None:
    """There is neither a region nor are there credentials."""
    assert words in refused("deploy", *arguments)


def test_without_credentials_it_says_what_to_set() -> None:
    sentence = refused("deploy", "--stack", "mail", "--dry-run", "--region", REGION, exit_code=3)
    assert "Unable to locate credentials. Sign in again, or set AWS_PROFILE" in sentence


def test_without_a_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key")
    assert "You must specify a region" in refused("deploy", "--stack", "mail", "--dry-run", exit_code=3)


@pytest.mark.slow
def test_a_cloud_that_is_away_is_an_outage_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    told = run("deploy", "--stack", "mail", "--dry-run", "--region", REGION)
    assert told.exit_code == 5
    assert "AWS cannot be reached while reading the stack mail: EndpointConnectionError" in told.stderr


def test_the_template_is_printed_as_it_is_without_aws() -> None:
    shown = ended("deploy", "--template-only")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, load_template().text, "")


def test_the_bundle_is_written_as_it_would_be_uploaded(tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    with from_folder():
        told = run("deploy", "--bundle-only", str(file))
        bundle = build_bundle(runtime=load_template().runtime)
    assert (told.exit_code, told.stdout) == (0, "")
    assert bundle.sha256 in told.stderr
    assert file.read_bytes() == bundle.data


def test_a_deployment_shows_changes_and_what_happened_then_its_outputs_and_what_is_left_to_do(stack: Any) -> None:
    cloudformation = stack(changes=ADDED, steps=MADE)
    told = run("deploy", "--stack", "mail", "--yes", "--param", "AlarmEmail=ann@example.com")
    assert told.exit_code == 0, told.output
    assert re.search(r"│ Add +│ LogBucket +│ AWS::S3::Bucket +│", told.stdout)
    assert "2 resources of the stack would change" in told.stdout
    assert re.search(r"^SuppressionTable +mail-suppression-5af3dc00$", told.stdout, re.MULTILINE)
    steps_told = told.stderr.splitlines()
    assert "12:00:03  CREATE_COMPLETE              LogBucket  AWS::S3::Bucket" in steps_told
    assert "Athena has the view daily_rates" in steps_told
    assert "The stack mail is CREATE_COMPLETE. What is left to do:" in steps_told
    assert f"  - check every link: mailfold doctor --stack mail --region {REGION}" in steps_told
    assert cloudformation.asked("create_change_set")["Parameters"][0]["ParameterValue"] == "ann@example.com"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {},
            "  - say who hears the alarms: mailfold deploy --stack mail --region eu-west-1 --param AlarmEmail=ADDRESS",
        ),
        (
            {"AlarmEmail": "ann@example.com"},
            "  - confirm the alarms, unless that is done: AWS sent a mail about them to",
        ),
        (
            {"ConfigurationSets": "news,receipts"},
            "  - let receipts send its events here, unless it does: mailfold attach receipts --stack mail",
        ),
    ],
)
def test_what_is_left_to_do_goes_by_what_was_asked_for_and_tells_no_address(
    stack: Any, parameters: dict[str, str], words: str
) -> None:
    stack(status="UPDATE_COMPLETE", parameters=OURS | parameters)
    told = run("deploy", "--stack", "mail", "--yes")
    assert words in told.stderr
    assert "ann@" not in told.output


def test_outputs_as_json_are_all_that_is_written_to_standard_output(stack: Any) -> None:
    stack(changes=ADDED, steps=MADE)
    [told] = map(json.loads, good("deploy", "--stack", "mail", "--yes", "--json").splitlines())
    assert told == {"stack": "mail", "status": "CREATE_COMPLETE", "outputs": OUTPUTS}


def test_a_dry_run_shows_what_would_change_and_leaves_nothing(stack: Any) -> None:
    cloudformation = stack(changes=ADDED)
    assert "2 resources of the stack would change" in good("deploy", "--stack", "mail", "--dry-run")
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


@pytest.mark.parametrize("changes", [ADDED, []])
def test_a_dry_run_as_json_lists_the_changes(stack: Any, changes: list[Any]) -> None:
    stack(status="UPDATE_COMPLETE", changes=changes)
    [told] = map(json.loads, good("deploy", "--stack", "mail", "--dry-run", "--json").splitlines())
    names = [change["ResourceChange"]["LogicalResourceId"] for change in changes]
    assert [change["logical_id"] for change in told["changes"]] == names


def test_where_nothing_would_change_it_says_so(stack: Any) -> None:
    stack(status="UPDATE_COMPLETE")
    assert "nothing of the stack mail would change" in good("deploy", "--stack", "mail", "--yes")


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (
            {"replacement": "True", "policy": "ReplaceAndRetain"},
            "It would be kept beside the stack, and a new one made",
        ),
        (
            {"replacement": "True", "policy": "ReplaceAndDelete"},
            "It would be DELETED, with what it holds, and a new one",
        ),
        ({"replacement": "Conditional", "policy": ""}, "It may be kept beside the stack, and a new one made"),
        ({"action": "Remove", "policy": "Delete"}, "It would be DELETED, with what it holds."),
        ({"action": "Remove", "policy": ""}, "It would be kept beside the stack, no part of it any more."),
    ],
)
def test_what_holds_data_does_not_go_unnoticed(stack: Any, change: dict[str, str], warning: str) -> None:
    more = {"Replacement": change.get("replacement", "False")}
    if policy := change["policy"]:
        more["PolicyAction"] = policy
    table = a_change(change.get("action", "Modify"), "SuppressionTable", "AWS::DynamoDB::Table", **more)
    stack(status="UPDATE_COMPLETE", changes=[table])
    shown = good("deploy", "--stack", "mail", "--dry-run")
    assert f"WARNING: SuppressionTable (AWS::DynamoDB::Table) holds data. {warning}" in shown


@pytest.mark.parametrize(
    "harmless",
    [
        a_change("Modify", "SuppressionTable", "AWS::DynamoDB::Table", Replacement="False"),
        a_change("Modify", "Dashboard", "AWS::CloudWatch::Dashboard", Replacement="True"),
        a_change("Remove", "Dashboard", "AWS::CloudWatch::Dashboard"),
        a_change("Add", "SuppressionTable", "AWS::DynamoDB::Table"),
    ],
)
def test_nothing_else_is_warned_of(stack: Any, harmless: Any) -> None:
    stack(status="UPDATE_COMPLETE", changes=[harmless])
    assert "WARNING" not in good("deploy", "--stack", "mail", "--dry-run")


def test_who_says_no_has_changed_nothing(stack: Any, somebody: None) -> None:
    cloudformation = stack(status="UPDATE_COMPLETE", changes=ADDED)
    told = run("deploy", "--stack", "mail", given="n\n")
    assert told.exit_code == 0
    assert f"Apply this to the stack mail (in {REGION}, account {ACCOUNT})? [y/N]:" in told.stderr
    assert "nothing was changed" in told.stderr
    assert "execute_change_set" not in cloudformation.operations()


def test_who_says_yes_has_it_done(stack: Any, somebody: None) -> None:
    cloudformation = stack(changes=ADDED, steps=MADE)
    assert "SuppressionTable" in good("deploy", "--stack", "mail", given="y\n")
    assert cloudformation.protected


def test_a_stack_whose_making_failed_is_deleted_if_that_is_agreed_to(stack: Any, somebody: None) -> None:
    stack(status="ROLLBACK_COMPLETE", changes=ADDED)
    told = run("deploy", "--stack", "mail", given="n\n")
    assert told.exit_code == 2
    assert "Making the stack mail failed (ROLLBACK_COMPLETE). Delete what is left of it" in told.stderr
    assert "delete-stack --stack-name mail" in told.stderr
    cloudformation = stack(status="ROLLBACK_COMPLETE", changes=ADDED, steps=MADE)
    good("deploy", "--stack", "mail", given="y\ny\n")
    assert cloudformation.status == "CREATE_COMPLETE"


def test_a_failure_ends_in_the_first_reason_that_aws_gives(stack: Any) -> None:
    failed = [[a_step("CREATE_FAILED", "Transform", "No role"), a_step("ROLLBACK_COMPLETE")]]
    stack(changes=ADDED, steps=failed)
    told = run("deploy", "--stack", "mail", "--yes")
    assert told.exit_code == 1
    assert "CREATE_FAILED                Transform  AWS::S3::Bucket  No role" in told.stderr
    assert told.stderr.splitlines()[-1].startswith("mailfold: Transform (AWS::S3::Bucket) failed first: No role.")


def test_an_interrupt_while_aws_is_at_it_says_that_it_goes_on_and_how_to_look(stack: Any) -> None:
    stack(status="UPDATE_COMPLETE", changes=ADDED, steps=[[a_step("UPDATE_IN_PROGRESS")]])
    told = interrupted()
    assert told.exit_code == 130
    assert "AWS goes on with the stack mail. Look with: aws cloudformation describe-stack-events --stack-name mail" in (
        told.stderr
    )


def interrupted() -> Any:
    """Deploy, and press Ctrl-C when the first event was shown."""

    def happened(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.cli.deploy_progress.write_event", happened)
        return run("deploy", "--stack", "mail", "--yes")


def test_an_interrupt_before_anything_was_done_says_nothing_of_the_kind(stack: Any) -> None:
    cloudformation = stack(status="UPDATE_COMPLETE", changes=ADDED)
    cloudformation.interrupts["describe_change_set"] = KeyboardInterrupt()
    told = run("deploy", "--stack", "mail", "--yes")
    assert told.exit_code == 130
    assert "goes on" not in told.stderr
