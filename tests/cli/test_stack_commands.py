"""Commands find a deployment by the outputs of its stack."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.aws.clients import session
from pipeline.aws.stack import POLICY_PARAMETER
from tests.support import cloudformation
from tests.support.cloud_process import CloudProcess
from tests.support.command import ROOT, json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME, OUTPUTS, PARAMETER, REGION, SENDER, TABLE, bucket, deployed, items, objects

BOUNCE = str(ROOT / "schemas/wire/examples/v1.bounce-permanent-general.pass.json")
POLICY = str(ROOT / "schemas/policy.json")
STACK = ("--stack", NAME)
SIMULATOR = "bounce@simulator.amazonses.com"
NO_CREDENTIALS = "Unable to locate credentials. Sign in again, or set AWS_PROFILE"
NO_REGION = "You must specify a region. Sign in again, or set AWS_PROFILE, or AWS_DEFAULT_REGION"
COMMANDS = {
    "lookup": ["lookup", "ann@example.com"],
    "explain": ["explain", "ann@example.com"],
    "suppress": ["suppress", "ann@example.com", "--reason", "x"],
    "release": ["release", "ann@example.com", "--reason", "x"],
    "revert": ["revert", "--since", "2026-03-01", "--until", "2026-03-02", "--domain", "example.com", "--reason", "x"],
    "undo": ["undo", "019cbd7c4d0070008000000000000001", "--reason", "x"],
    "query": ["query", "SELECT 1"],
    "replay": ["replay"],
    "ingest": ["ingest", BOUNCE],
    "quarantine": ["quarantine", "list"],
    "policy show": ["policy", "show"],
    "policy check": ["policy", "check", POLICY],
    "policy diff": ["policy", "diff", POLICY],
    "policy apply": ["policy", "apply"],
    "import": ["import"],
    "send": ["send", "--to", SIMULATOR, "--from", SENDER],
    "decode": ["decode", "s3://bucket/key"],
    "attach": ["attach", "newsletter"],
    "destroy": ["destroy"],
}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with deployed(monkeypatch):
        yield


def addresses_of(file: str) -> list[str]:
    recipients = json.loads(Path(file).read_text())["bounce"]["bouncedRecipients"]
    return sorted(recipient["emailAddress"] for recipient in recipients)


def test_every_output_that_the_code_reads_is_in_the_template() -> None:
    """Every output and parameter that the code reads by name is in the template."""
    read = set[str]()
    for file in (ROOT / "pipeline").rglob("*.py"):
        read |= {*re.findall(r"\boutputs?(?:\.get)?\(\s*\"(\w+)\"", file.read_text(encoding="utf-8"))}
    assert {"TablesParameter", "LogBucket", "SesRoleArn"} <= read
    assert read <= cloudformation.template()["Outputs"].keys()
    assert OUTPUTS.keys() <= cloudformation.template()["Outputs"].keys()
    assert POLICY_PARAMETER in cloudformation.template()["Parameters"]


@pytest.mark.parametrize("before", [True, False])
def test_a_stack_is_named_before_or_after_the_command(stack: None, before: bool) -> None:
    """--stack works before the command and after it."""
    command = ["lookup", "ann@example.com"]
    assert run_ok(*([*STACK, *command] if before else [*command, *STACK])) == "ann@example.com: clear\n"


def test_a_stack_is_named_by_the_environment_or_an_option(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """MAILFOLD_STACK names the stack, an option overrides it, and other commands ignore it."""
    monkeypatch.setenv("MAILFOLD_STACK", NAME)
    assert run_ok("lookup", "ann@example.com") == "ann@example.com: clear\n"
    assert "no stack another" in run_failing("lookup", "ann@example.com", "--stack", "another", exit_code=4)
    assert json.loads(run_ok("decode", BOUNCE))["kind"] == "bounce"


def test_two_stack_names_are_a_usage_error(stack: None) -> None:
    """Different stacks before and after the command are a usage error."""
    sentence = run_failing("--stack", "one", "lookup", "ann@example.com", "--stack", "two")
    assert sentence == "--stack is one before the command and two after it: use it once"


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_stack_is_rejected_by_commands_without_deployment(command: str) -> None:
    """A command that works on no deployment rejects --stack instead of ignoring it."""
    assert run_failing(*STACK, command) == f"{command} takes no --stack: it works on no deployment"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_stack_is_named_with_its_region(stack: None, command: str) -> None:
    """A stack that does not exist exits with 4 and is named with the region in which it was looked up."""
    sentence = run_failing("--stack", "another", "--region", "eu-central-1", *COMMANDS[command], exit_code=4)
    assert sentence.startswith("there is no stack another in eu-central-1")


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "destroy"])
def test_a_stack_that_is_not_mailfolds_is_reported(stack: None, command: str) -> None:
    """A stack without Mailfold's outputs is a usage error that names the missing output."""
    template = json.dumps({"Resources": {"Any": {"Type": "AWS::SQS::Queue"}}})
    boto3.client("cloudformation").create_stack(StackName="other", TemplateBody=template)
    assert "the stack other (CREATE_COMPLETE) has no output" in run_failing("--stack", "other", *COMMANDS[command])


@pytest.mark.parametrize("command", COMMANDS)
def test_without_credentials_it_says_what_to_set(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing credentials exit with 3 and say what to set."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    assert NO_CREDENTIALS in run_failing(*STACK, *COMMANDS[command], exit_code=3)


def test_without_a_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing region exits with 3 and says what to set."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert NO_REGION in run_failing(*STACK, "lookup", "ann@example.com", exit_code=3)


def test_a_region_without_a_stack_is_a_usage_error(cloud: CloudProcess) -> None:
    """--region without --stack is a usage error, because a forgotten --stack would read another table."""
    assert run_failing("lookup", "ann@example.com", "--region", REGION).startswith("--region is the region of a stack")


def test_a_named_stack_overrides_the_environment(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --stack, the table and bucket of the environment are ignored."""
    run_ok("ingest", BOUNCE, *STACK)
    monkeypatch.setenv("MAILFOLD_TABLE", "another-table")
    monkeypatch.setenv("MAILFOLD_BUCKET", "another-bucket")
    [answer] = json_lines("lookup", addresses_of(BOUNCE)[0], "--json", *STACK)
    assert answer["suppressed"]


def test_an_ingested_bounce_is_in_log_and_table(stack: None) -> None:
    """An ingested bounce is in the stack's log and table, and lookup finds it."""
    run_ok("ingest", BOUNCE, *STACK)
    assert items() == addresses_of(BOUNCE)
    assert len(objects("events/dt=")) == 1
    assert "suppressed (hard)" in run_ok("lookup", items()[0], *STACK)


def test_a_lookup_makes_four_reading_calls(stack: None) -> None:
    """A lookup describes the stack, reads the tables' parameter, the erasures' key and the items, and no more."""
    operations: list[str] = []
    hooks: Any = session()  # the stubs want a type for each event
    hooks.register("before-call.*", lambda model, **_: operations.append(model.name))
    run_ok("lookup", "ann@example.com", *STACK)
    assert operations == ["DescribeStacks", "GetParameter", "GetParameter", "BatchGetItem"]


def test_the_parameter_names_the_live_table(stack: None) -> None:
    """The live table is the one that the parameter names, once it exists."""
    run_ok("ingest", BOUNCE, *STACK)
    rebuilt = f"{NAME}-suppression-2"
    result = run("replay", "--into", rebuilt, *STACK)
    assert f"folding the log of the stack {NAME} into {rebuilt}, not the live one" in result.stderr
    live = json.dumps({"live": rebuilt, "shadow_tables": [TABLE]})
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=live, Type="String")
    assert f"into {rebuilt}, live" in run("replay", *STACK).stderr
    assert items(rebuilt) == items()


def test_a_shadow_table_gets_ingested_events_too(stack: None) -> None:
    """A table that is being rebuilt gets ingested events like the live one."""
    rebuilt = f"{NAME}-suppression-2"
    run_ok("replay", "--into", rebuilt, *STACK)
    value = json.dumps({"live": TABLE, "shadow_tables": [rebuilt]})
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=value, Type="String")
    run_ok("ingest", BOUNCE, *STACK)
    assert items(rebuilt) == items() == addresses_of(BOUNCE)


def test_a_new_table_has_the_templates_protections(stack: None) -> None:
    """A table that replay creates has the protections of the template's table, and the policy of the live one."""
    name, properties = f"{NAME}-suppression-2", cloudformation.template()["Resources"]["SuppressionTable"]["Properties"]
    dynamodb = boto3.client("dynamodb")
    live = dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]
    dynamodb.put_resource_policy(ResourceArn=live, Policy='{"Statement": []}')
    for _ in range(2):
        run_ok("replay", "--into", name, *STACK)
    table = dynamodb.describe_table(TableName=name)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    specification = properties["PointInTimeRecoverySpecification"]
    assert table["DeletionProtectionEnabled"] is properties["DeletionProtectionEnabled"] is True
    assert table["BillingModeSummary"]["BillingMode"] == properties["BillingMode"]
    assert dynamodb.get_resource_policy(ResourceArn=table["TableArn"])["Policy"] == '{"Statement": []}'
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert recovery["RecoveryPeriodInDays"] == specification["RecoveryPeriodInDays"]


@pytest.mark.parametrize(
    "name", ["rebuilt", f"{NAME}-suppression-", f"{NAME}-2-suppression-1", f"{NAME}-suppression-?"]
)
def test_a_table_outside_the_roles_pattern_is_rejected(stack: None, name: str) -> None:
    """A table name that the stack's roles do not allow is rejected before it is created."""
    run_failing("replay", "--into", name, *STACK)
    assert boto3.client("dynamodb").list_tables()["TableNames"] == [TABLE]


def test_the_stacks_policy_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack's policy decides, not the one in the environment."""
    monkeypatch.setenv("MAILFOLD_POLICY", '{"version": 9}')  # meant for another
    with deployed(monkeypatch, Policy='{"version": 3, "hard": null}'):
        run_ok("ingest", BOUNCE, *STACK)
        item = boto3.client("dynamodb").scan(TableName=TABLE)["Items"][0]
        assert item["policy_version"] == {"N": "3"}
        assert "clear" in run_ok("lookup", items()[0], *STACK)


def test_a_newer_published_policy_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack may have been rolled back to an older one."""
    with deployed(monkeypatch, Policy='{"version": 3}'):
        value = f'{{"live": "{TABLE}", "policy": {{"version": 4, "hard": null}}}}'
        boto3.client("ssm").put_parameter(Name=PARAMETER, Value=value, Type="String")
        run_ok("ingest", BOUNCE, *STACK)
        item = boto3.client("dynamodb").scan(TableName=TABLE)["Items"][0]
        assert item["policy_version"] == {"N": "4"}


def test_a_query_uses_the_stacks_database_and_workgroup(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query names the stack's database and workgroup, and leaves the result's place to the workgroup."""
    requests: list[dict[str, Any]] = []
    hooks: Any = session()  # the stubs want a type for each event
    hooks.register("provide-client-params.athena.StartQueryExecution", lambda params, **_: requests.append(params))
    run_ok("query", "SELECT 1", *STACK)
    [query] = requests
    assert query.pop("ClientRequestToken")
    assert query == {
        "QueryString": "SELECT 1",
        "QueryExecutionContext": {"Database": f"{NAME}_log"},
        "WorkGroup": NAME,
    }


def test_a_query_of_all_days_is_pointed_out(stack: None) -> None:
    """A query without a filter on days is pointed out on standard error."""
    assert "it reads all days of events" in run("query", "SELECT * FROM events", *STACK).stderr
    assert "all days" not in run("query", "SELECT * FROM events WHERE dt > '2026-03-01'", *STACK).stderr


def test_mail_to_the_simulator_is_sent_without_a_question(stack: None) -> None:
    """Mail to SES's mailbox simulator is sent with the stack's configuration set, without a question."""
    result = run("send", "--to", SIMULATOR, "--from", SENDER, *STACK)
    assert result.exit_code == 0
    assert re.fullmatch(r"sent: message \S+\n", result.stdout)
    assert "in the log after 60 s or so" in result.stderr


def test_mail_to_people_needs_yes(stack: None) -> None:
    """Without a terminal, mail to other addresses needs --yes."""
    command = ["send", "--to", f"ann@example.com,{SIMULATOR}", "--from", SENDER, *STACK]
    sentence = run_failing(*command)
    assert sentence.startswith("this sends real mail to 1 recipient outside simulator.amazonses.com")
    assert "sent: message" in run_ok(*command, "--yes")


@pytest.mark.parametrize("agrees", [True, False])
def test_a_terminal_is_asked_before_people_get_mail(stack: None, monkeypatch: pytest.MonkeyPatch, agrees: bool) -> None:
    """On a terminal, mail to other addresses is sent only after the answer yes."""
    monkeypatch.setattr("pipeline.cli.prompt.can_ask", lambda: True)
    result = run("send", "--to", "ann@example.com", "--from", SENDER, *STACK, stdin="y\n" if agrees else "n\n")
    assert ("sent: message" in result.stdout) == agrees
    assert "Send it? [y/N]" in result.stderr


def test_a_stack_needs_a_sender(stack: None) -> None:
    """With --stack, --from is required."""
    assert "--from" in run_failing("send", "--to", SIMULATOR, *STACK)


def test_an_unverified_sender_is_explained_without_its_address(stack: None) -> None:
    """A sender that SES rejects is explained, and the message does not repeat the address."""
    sentence = run_failing("send", "--to", SIMULATOR, "--from", "no-address@example.com", *STACK)
    assert "MessageRejected" in sentence
    assert "verified identity" in sentence
    assert "@example" not in sentence


def test_the_log_is_in_the_stacks_bucket(stack: None) -> None:
    """The log's bucket is the one of the stack."""
    run_ok("ingest", BOUNCE, *STACK)
    assert bucket().startswith(f"{NAME}-logbucket")
