"""`mailfold deploy`: mistakes first, then the changes and their confirmation, then outputs and next steps."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.aws.deployment.bundle import build_bundle
from pipeline.aws.deployment.template import load_template
from tests.support.command import run, run_failing, run_ok, run_process
from tests.support.fake_cloudformation import MAILFOLD_PARAMETERS, OUTPUTS, a_change, a_step
from tests.support.fake_service import ACCOUNT, REGION
from tests.support.wheels import from_folder

CREATED = [[a_step("CREATE_IN_PROGRESS"), a_step("CREATE_COMPLETE", "LogBucket"), a_step("CREATE_COMPLETE")]]
ADDED = [a_change(), a_change(logical_id="Transform", kind="AWS::Lambda::Function")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which stack? Name it with --stack"),
        (["--stack", "Mail"], "invalid stack name 'Mail': use lower-case letters"),
        (["--stack", "mail", "--param", "StreamShards"], "invalid --param 'StreamShards': use NAME=VALUE"),
        (["--stack", "mail", "--param", "StreamShards=1", "--param", "StreamShards=2"], "and each name once"),
        (["--stack", "mail", "--param", "StreamShards=0"], "StreamShards must be at least 1"),
        (["--stack", "mail", "--param", "Colour=red"], "the template has no parameter Colour: use one of AlarmEmail"),
        (["--stack", "mail", "--param", "CodeKey=mine"], "CodeKey is set by deploy itself"),
        (["--stack", "mail", "--param", 'Policy={"version":'], "Policy is not a policy"),
        (["--stack", "mail", "--tag", "team"], "invalid --tag 'team': use KEY=VALUE, and each key once"),
        (["--stack", "mail", "--tag", "AWS:team=x"], "invalid --tag 'AWS:team': a key has at most 128 characters"),
        (["--stack", "mail", "--role-arn", "deployer"], "invalid --role-arn: use the ARN of an IAM role"),
        (["--stack", "mail", "--bundle", "missing.zip"], "the bundle cannot be read: No such file or directory"),
        (["--stack", "mail", "--code-bucket", "my bucket"], "invalid bucket name 'my bucket': use 3 to 63"),
        (["--stack", "mail"], "use --yes to apply the changes, or --dry-run to see them"),
    ],
)
def test_mistakes_are_reported_without_a_request_to_aws(arguments: list[str], words: str) -> None:
    """The test has neither a region nor credentials."""
    assert words in run_failing("deploy", *arguments)


def test_missing_credentials_name_the_variables_to_set() -> None:
    """The message names the environment variables."""
    sentence = run_failing("deploy", "--stack", "mail", "--dry-run", "--region", REGION, exit_code=3)
    assert "Unable to locate credentials. Sign in again, or set AWS_PROFILE" in sentence


def test_a_missing_region_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's message about the region is shown."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key")
    assert "You must specify a region" in run_failing("deploy", "--stack", "mail", "--dry-run", exit_code=3)


@pytest.mark.slow
def test_an_unreachable_endpoint_is_reported_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 5, and the message names the request."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = run("deploy", "--stack", "mail", "--dry-run", "--region", REGION)
    assert result.exit_code == 5
    assert "AWS is unavailable while reading the stack mail: EndpointConnectionError" in result.stderr


def test_the_template_is_printed_unchanged() -> None:
    """--template-only needs no AWS."""
    shown = run_process("deploy", "--template-only")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, load_template().text, "")


def test_the_bundle_is_written_as_it_is_deployed(tmp_path: Path) -> None:
    """The file has the bytes of the bundle, and the message has its hash."""
    file = tmp_path / "bundle.zip"
    with from_folder():
        result = run("deploy", "--bundle-only", str(file))
        bundle = build_bundle(runtime=load_template().runtime)
    assert (result.exit_code, result.stdout) == (0, "")
    assert bundle.sha256 in result.stderr
    assert file.read_bytes() == bundle.data


def test_a_deployment_shows_changes_events_outputs_and_next_steps(stack: Any) -> None:
    """Changes and outputs go to standard output, events and next steps to standard error."""
    cloudformation = stack(changes=ADDED, steps=CREATED)
    result = run("deploy", "--stack", "mail", "--yes", "--param", "AlarmEmail=ann@example.com")
    assert result.exit_code == 0, result.output
    assert re.search(r"│ Add +│ LogBucket +│ AWS::S3::Bucket +│", result.stdout)
    assert "2 resources of the stack would change" in result.stdout
    assert re.search(r"^SuppressionTable +mail-suppression-5af3dc00$", result.stdout, re.MULTILINE)
    shown_steps = result.stderr.splitlines()
    assert "12:00:03  CREATE_COMPLETE              LogBucket  AWS::S3::Bucket" in shown_steps
    assert "Athena has the view daily_rates" in shown_steps
    assert "The stack mail is CREATE_COMPLETE. Next steps:" in shown_steps
    assert f"  - check the deployment: mailfold doctor --stack mail --region {REGION}" in shown_steps
    assert cloudformation.asked("create_change_set")["Parameters"][0]["ParameterValue"] == "ann@example.com"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {},
            "  - name a receiver of the alarms: mailfold deploy --stack mail --region eu-west-1 --param AlarmEmail=",
        ),
        (
            {"AlarmEmail": "ann@example.com"},
            "  - confirm the alarm subscription, if you have not: AWS sent a mail to",
        ),
        (
            {"ConfigurationSets": "news,receipts"},
            "  - attach receipts if it is not attached: mailfold attach receipts --stack mail",
        ),
    ],
)
def test_next_steps_depend_on_the_parameters(stack: Any, parameters: dict[str, str], words: str) -> None:
    """The next steps depend on alarms and attached sets, and show no address."""
    stack(status="UPDATE_COMPLETE", parameters=MAILFOLD_PARAMETERS | parameters)
    result = run("deploy", "--stack", "mail", "--yes")
    assert words in result.stderr
    assert "ann@" not in result.output


def test_outputs_as_json_are_the_only_standard_output(stack: Any) -> None:
    """With --json standard output has one line."""
    stack(changes=ADDED, steps=CREATED)
    [result] = map(json.loads, run_ok("deploy", "--stack", "mail", "--yes", "--json").splitlines())
    assert result == {"stack": "mail", "status": "CREATE_COMPLETE", "outputs": OUTPUTS}


def test_a_dry_run_shows_the_changes_and_leaves_nothing(stack: Any) -> None:
    """The change set and its empty stack are deleted."""
    cloudformation = stack(changes=ADDED)
    assert "2 resources of the stack would change" in run_ok("deploy", "--stack", "mail", "--dry-run")
    assert (cloudformation.status, cloudformation.change_sets) == (None, [])


@pytest.mark.parametrize("changes", [ADDED, []])
def test_a_dry_run_as_json_lists_the_changes(stack: Any, changes: list[Any]) -> None:
    """With --json a dry run prints every change, or an empty list."""
    stack(status="UPDATE_COMPLETE", changes=changes)
    [result] = map(json.loads, run_ok("deploy", "--stack", "mail", "--dry-run", "--json").splitlines())
    names = [change["ResourceChange"]["LogicalResourceId"] for change in changes]
    assert [change["logical_id"] for change in result["changes"]] == names


def test_a_stack_without_changes_is_reported(stack: Any) -> None:
    """The message names the stack."""
    stack(status="UPDATE_COMPLETE")
    assert "the stack mail has no changes" in run_ok("deploy", "--stack", "mail", "--yes")


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (
            {"replacement": "True", "policy": "ReplaceAndRetain"},
            "It would be retained outside the stack, and replaced",
        ),
        (
            {"replacement": "True", "policy": "ReplaceAndDelete"},
            "It would be DELETED with its data, and replaced",
        ),
        ({"replacement": "Conditional", "policy": ""}, "It may be retained outside the stack, and replaced"),
        ({"action": "Remove", "policy": "Delete"}, "It would be DELETED with its data."),
        ({"action": "Remove", "policy": ""}, "It would be retained outside the stack."),
    ],
)
def test_removed_resources_with_data_cause_a_warning(stack: Any, change: dict[str, str], warning: str) -> None:
    """The warning says whether data is deleted or retained, by AWS's policy action."""
    more = {"Replacement": change.get("replacement", "False")}
    if policy := change["policy"]:
        more["PolicyAction"] = policy
    table = a_change(change.get("action", "Modify"), "SuppressionTable", "AWS::DynamoDB::Table", **more)
    stack(status="UPDATE_COMPLETE", changes=[table])
    shown = run_ok("deploy", "--stack", "mail", "--dry-run")
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
def test_other_changes_cause_no_warning(stack: Any, harmless: Any) -> None:
    """New or kept resources with data, and replaced ones without, cause no warning."""
    stack(status="UPDATE_COMPLETE", changes=[harmless])
    assert "WARNING" not in run_ok("deploy", "--stack", "mail", "--dry-run")


def test_a_declined_deployment_changes_nothing(stack: Any, terminal: None) -> None:
    """The question names region and account."""
    cloudformation = stack(status="UPDATE_COMPLETE", changes=ADDED)
    result = run("deploy", "--stack", "mail", stdin="n\n")
    assert result.exit_code == 0
    assert f"Apply these changes to the stack mail (in {REGION}, account {ACCOUNT})? [y/N]:" in result.stderr
    assert "nothing was changed" in result.stderr
    assert "execute_change_set" not in cloudformation.operations()


def test_a_confirmed_deployment_is_executed(stack: Any, terminal: None) -> None:
    """The stack is created and protected."""
    cloudformation = stack(changes=ADDED, steps=CREATED)
    assert "SuppressionTable" in run_ok("deploy", "--stack", "mail", stdin="y\n")
    assert cloudformation.protected


def test_a_failed_stack_is_deleted_after_confirmation(stack: Any, terminal: None) -> None:
    """Without confirmation the message has the command that deletes the stack."""
    stack(status="ROLLBACK_COMPLETE", changes=ADDED)
    result = run("deploy", "--stack", "mail", stdin="n\n")
    assert result.exit_code == 2
    assert "The creation of the stack mail failed (ROLLBACK_COMPLETE). Delete it and create it again?" in result.stderr
    assert "delete-stack --stack-name mail" in result.stderr
    cloudformation = stack(status="ROLLBACK_COMPLETE", changes=ADDED, steps=CREATED)
    run_ok("deploy", "--stack", "mail", stdin="y\ny\n")
    assert cloudformation.status == "CREATE_COMPLETE"


def test_a_failure_ends_with_the_first_reason(stack: Any) -> None:
    """The last line names the resource that failed first, and AWS's reason."""
    failed = [[a_step("CREATE_FAILED", "Transform", "No role"), a_step("ROLLBACK_COMPLETE")]]
    stack(changes=ADDED, steps=failed)
    result = run("deploy", "--stack", "mail", "--yes")
    assert result.exit_code == 1
    assert "CREATE_FAILED                Transform  AWS::S3::Bucket  No role" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("mailfold: Transform (AWS::S3::Bucket) failed first: No role.")


def test_an_interrupt_during_the_execution_names_the_command_to_follow(stack: Any) -> None:
    """CloudFormation continues, and the message says how to follow it."""
    stack(status="UPDATE_COMPLETE", changes=ADDED, steps=[[a_step("UPDATE_IN_PROGRESS")]])
    result = interrupted()
    assert result.exit_code == 130
    assert "CloudFormation continues to change the stack mail. Follow it with: aws cloudformation" in result.stderr


def interrupted() -> Any:
    """Deploy, and press Ctrl-C when the first event is shown."""

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.cli.deploy_progress.write_event", interrupt)
        return run("deploy", "--stack", "mail", "--yes")


def test_an_interrupt_before_the_execution_prints_no_advice(stack: Any) -> None:
    """Nothing continues, so nothing is said about it."""
    cloudformation = stack(status="UPDATE_COMPLETE", changes=ADDED)
    cloudformation.interrupts["describe_change_set"] = KeyboardInterrupt()
    result = run("deploy", "--stack", "mail", "--yes")
    assert result.exit_code == 130
    assert "continues" not in result.stderr
