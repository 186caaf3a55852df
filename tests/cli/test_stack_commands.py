"""The commands work on a deployment that its stack's outputs describe, and say which one they mean."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support import cloudformation
from tests.support.cloud_process import CloudProcess
from tests.support.command import ROOT, good, refused, run, told
from tests.support.deployed import NAME, OUTPUTS, PARAMETER, REGION, SENDER, TABLE, bucket, deployed, items, objects

BOUNCE = str(ROOT / "schemas/wire/examples/v1.bounce-permanent-general.pass.json")
STACK = ("--stack", NAME)
SIMULATOR = "bounce@simulator.amazonses.com"
COMMANDS = {
    "lookup": ["lookup", "ann@example.com"],
    "query": ["query", "SELECT 1"],
    "replay": ["replay"],
    "ingest": ["ingest", BOUNCE],
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
    return sorted(one["emailAddress"] for one in recipients)


def test_every_output_that_the_code_reads_is_one_of_the_template() -> None:
    read = set[str]()
    for file in (ROOT / "pipeline").rglob("*.py"):
        read |= {*re.findall(r"\boutputs?(?:\.get)?\(\s*\"(\w+)\"", file.read_text(encoding="utf-8"))}
    assert {"TablesParameter", "LogBucket", "SesRoleArn"} <= read
    assert read <= cloudformation.template()["Outputs"].keys()
    assert OUTPUTS.keys() <= cloudformation.template()["Outputs"].keys()


@pytest.mark.parametrize("before", [True, False])
def test_it_is_named_before_the_command_or_after_it(stack: None, before: bool) -> None:
    command = ["lookup", "ann@example.com"]
    assert good(*([*STACK, *command] if before else [*command, *STACK])) == "ann@example.com: clear\n"


def test_it_is_named_by_the_environment_too_unless_said_otherwise(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFOLD_STACK", NAME)
    assert good("lookup", "ann@example.com") == "ann@example.com: clear\n"
    assert "no stack another" in refused("lookup", "ann@example.com", "--stack", "another")
    assert json.loads(good("decode", BOUNCE))["kind"] == "bounce"


def test_two_names_are_refused(stack: None) -> None:
    sentence = refused("--stack", "one", "lookup", "ann@example.com", "--stack", "two")
    assert sentence == "--stack is one before the command and two after it: say it once"


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_command_that_works_on_no_deployment_does_not_pass_over_its_name(command: str) -> None:
    assert refused(*STACK, command) == f"{command} takes no --stack: it works on no deployment"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stack_that_is_not_there_is_named_with_the_region(stack: None, command: str) -> None:
    sentence = refused("--stack", "another", "--region", "eu-central-1", *COMMANDS[command])
    assert sentence.startswith("there is no stack another in eu-central-1")


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "destroy"])
def test_a_stack_of_something_else_is_told(stack: None, command: str) -> None:
    template = json.dumps({"Resources": {"Any": {"Type": "AWS::SQS::Queue"}}})
    boto3.client("cloudformation").create_stack(StackName="other", TemplateBody=template)
    assert "the stack other (CREATE_COMPLETE) has no output" in refused("--stack", "other", *COMMANDS[command])


@pytest.mark.parametrize("command", COMMANDS)
def test_without_credentials_it_says_what_to_set(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    assert refused(*STACK, *COMMANDS[command]).startswith("boto3 is not set up: Unable to locate credentials")


def test_without_a_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert refused(*STACK, "lookup", "ann@example.com").startswith("boto3 is not set up: You must specify a region")


def test_a_region_without_a_stack_is_not_taken_for_a_local_cloud(cloud: CloudProcess) -> None:
    """Or else a forgotten --stack would ask another table, and get another answer."""
    assert refused("lookup", "ann@example.com", "--region", REGION).startswith("--region says where a stack is")


def test_a_stack_that_was_named_comes_before_what_the_environment_names(
    stack: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    good("ingest", BOUNCE, *STACK)
    monkeypatch.setenv("MAILFOLD_TABLE", "another-table")
    monkeypatch.setenv("MAILFOLD_BUCKET", "another-bucket")
    [answer] = told("lookup", addresses_of(BOUNCE)[0], "--json", *STACK)
    assert answer["suppressed"]


def test_what_is_taken_in_is_in_log_and_table_and_looked_up(stack: None) -> None:
    good("ingest", BOUNCE, *STACK)
    assert items() == addresses_of(BOUNCE)
    assert len(objects("events/dt=")) == 1
    assert "suppressed (hard)" in good("lookup", items()[0], *STACK)


def test_a_look_up_reads_and_nothing_more(stack: None) -> None:
    seen: list[str] = []
    boto3.setup_default_session()
    events: Any = boto3.DEFAULT_SESSION.events  # type: ignore[union-attr]  # set up above
    events.register("before-call.*", lambda model, **_: seen.append(model.name))
    good("lookup", "ann@example.com", *STACK)
    assert seen == ["DescribeStacks", "GetParameter", "BatchGetItem"]


def test_the_live_table_is_what_the_parameter_says(stack: None) -> None:
    good("ingest", BOUNCE, *STACK)
    rebuilt = f"{NAME}-suppression-2"
    result = run("replay", "--into", rebuilt, *STACK)
    assert f"folding the log of the stack {NAME} into {rebuilt}, not the live one" in result.stderr
    live = json.dumps({"live": rebuilt, "shadow_tables": [TABLE]})
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=live, Type="String")
    assert f"into {rebuilt}, live" in run("replay", *STACK).stderr
    assert items(rebuilt) == items()


def test_what_is_taken_in_reaches_a_table_that_is_being_rebuilt(stack: None) -> None:
    rebuilt = f"{NAME}-suppression-2"
    good("replay", "--into", rebuilt, *STACK)
    value = json.dumps({"live": TABLE, "shadow_tables": [rebuilt]})
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=value, Type="String")
    good("ingest", BOUNCE, *STACK)
    assert items(rebuilt) == items() == addresses_of(BOUNCE)


def test_another_table_is_protected_as_the_template_protects_its_own(stack: None) -> None:
    name, properties = f"{NAME}-suppression-2", cloudformation.template()["Resources"]["SuppressionTable"]["Properties"]
    for _ in range(2):
        good("replay", "--into", name, *STACK)
    dynamodb = boto3.client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    wanted = properties["PointInTimeRecoverySpecification"]
    assert table["DeletionProtectionEnabled"] is properties["DeletionProtectionEnabled"] is True
    assert table["BillingModeSummary"]["BillingMode"] == properties["BillingMode"]
    assert table["SSEDescription"]["Status"] == "ENABLED"
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert recovery["RecoveryPeriodInDays"] == wanted["RecoveryPeriodInDays"]


@pytest.mark.parametrize(
    "name", ["rebuilt", f"{NAME}-suppression-", f"{NAME}-2-suppression-1", f"{NAME}-suppression-?"]
)
def test_a_table_that_the_roles_may_not_write_to_is_refused(stack: None, name: str) -> None:
    refused("replay", "--into", name, *STACK)
    assert boto3.client("dynamodb").list_tables()["TableNames"] == [TABLE]


def test_the_stacks_policy_gives_the_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFOLD_POLICY", '{"version": 9}')  # meant for another
    with deployed(monkeypatch, Policy='{"version": 3, "hard": false}'):
        good("ingest", BOUNCE, *STACK)
        item = boto3.client("dynamodb").scan(TableName=TABLE)["Items"][0]
        assert item["policy_version"] == {"N": "3"}
        assert "clear" in good("lookup", items()[0], *STACK)


def test_a_query_runs_in_the_stacks_database_and_workgroup_which_keeps_the_answer(
    stack: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    boto3.setup_default_session()
    events: Any = boto3.DEFAULT_SESSION.events  # type: ignore[union-attr]  # set up above
    events.register("provide-client-params.athena.StartQueryExecution", lambda params, **_: asked.append(params))
    good("query", "SELECT 1", *STACK)
    [query] = asked
    assert query.pop("ClientRequestToken")
    assert query == {
        "QueryString": "SELECT 1",
        "QueryExecutionContext": {"Database": f"{NAME}_log"},
        "WorkGroup": NAME,
    }


def test_a_query_of_all_days_is_remarked_upon(stack: None) -> None:
    assert "all days of events are read" in run("query", "SELECT * FROM events", *STACK).stderr
    assert "all days" not in run("query", "SELECT * FROM events WHERE dt > '2026-03-01'", *STACK).stderr


def test_mail_goes_to_the_simulator_with_the_stacks_set_and_without_a_question(stack: None) -> None:
    result = run("send", "--to", SIMULATOR, "--from", SENDER, *STACK)
    assert result.exit_code == 0
    assert re.fullmatch(r"sent: message \S+\n", result.stdout)
    assert "in the log after 60 s or so" in result.stderr


def test_mail_to_people_is_sent_only_where_that_is_said(stack: None) -> None:
    command = ["send", "--to", f"ann@example.com,{SIMULATOR}", "--from", SENDER, *STACK]
    sentence = refused(*command)
    assert sentence.startswith("this sends real mail to 1 recipient outside simulator.amazonses.com")
    assert "sent: message" in good(*command, "--yes")


@pytest.mark.parametrize("agrees", [True, False])
def test_on_a_terminal_somebody_is_asked_before_people_get_mail(
    stack: None, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    monkeypatch.setattr("pipeline.cli.prompt.can_ask", lambda: True)
    result = run("send", "--to", "ann@example.com", "--from", SENDER, *STACK, given="y\n" if agrees else "n\n")
    assert ("sent: message" in result.stdout) == agrees
    assert "Send it? [y/N]" in result.stderr


def test_somebody_has_to_send(stack: None) -> None:
    assert "--from" in refused("send", "--to", SIMULATOR, *STACK)


def test_a_sender_that_ses_does_not_know_is_told_what_to_do_and_not_repeated(stack: None) -> None:
    sentence = refused("send", "--to", SIMULATOR, "--from", "nobody@example.com", *STACK)
    assert "MessageRejected" in sentence
    assert "verified identity" in sentence
    assert "@example" not in sentence


def test_the_bucket_of_the_log_is_the_stacks(stack: None) -> None:
    good("ingest", BOUNCE, *STACK)
    assert bucket().startswith(f"{NAME}-logbucket")
