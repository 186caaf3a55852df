"""`mailfold destroy`: it shows the plan first, deletes only what is confirmed, and finds what remains."""

import shlex
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from pipeline.cli.destroy import destroy_command
from tests.support.command import json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME, OUTPUTS, PARAMETER, TABLE, bucket, deployed, put_behind
from tests.support.fake_ses import FakeSes

COMMAND = ["destroy", "--stack", NAME]
CONFIRMED = [*COMMAND, "--confirm", NAME]
LOOK_UP = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:GetItem","Resource":"*"}]}'
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"Service":"lambda.amazonaws.com"}}]}'
)
ATTACHED: list[dict[str, Any]] = [
    {
        "Name": "archive",
        "Enabled": True,
        "MatchingEventTypes": ["SEND"],
        "KinesisFirehoseDestination": {
            "IamRoleArn": OUTPUTS["SesRoleArn"],
            "DeliveryStreamArn": OUTPUTS["DeliveryStreamArn"],
        },
    },
    {"Name": "mine", "Enabled": True, "MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": "arn:sns"}},
]


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSes]:
    """A deployment with data, and SES with a configuration set that is not attached to it."""
    ses = FakeSes({"newsletter": []})
    with deployed(monkeypatch, has_queues=False):
        put_behind(monkeypatch, sesv2=ses.client())
        boto3.client("s3").put_object(Bucket=bucket(), Key="events/1", Body=b"x")
        boto3.client("ssm").put_parameter(Name=PARAMETER, Value=f'{{"live":"{TABLE}"}}', Type="String")
        yield ses


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal at which a user can answer."""
    monkeypatch.setattr("pipeline.cli.prompt.can_ask", lambda: True)


def stack_exists() -> bool:
    """Return True if there is a stack."""
    return bool(boto3.client("cloudformation").describe_stacks()["Stacks"])


def data() -> set[str]:
    """Return the names of all resources that hold data."""
    parameters = boto3.client("ssm").describe_parameters()["Parameters"]
    buckets, tables = boto3.client("s3").list_buckets()["Buckets"], boto3.client("dynamodb").list_tables()["TableNames"]
    return {resource["Name"] for resource in (*parameters, *buckets)} | {*tables}


def test_without_confirmation_the_plan_is_shown_only(ses: FakeSes) -> None:
    """The plan names account, configuration set and every resource with data. Nothing is deleted."""
    before, result = data(), run(*COMMAND)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith(f"use --confirm {NAME} to delete the stack")
    assert "in eu-west-1, account 123456789012) would be deleted" in result.stderr
    assert "SES then rejects mail that names the configuration set mail" in result.stderr
    assert all(name in result.stderr for name in before)
    assert stack_exists()
    assert data() == before


def test_the_stack_is_deleted_and_its_data_remains(ses: FakeSes) -> None:
    """After confirmation of the stack's name the stack is deleted, and every resource with data remains."""
    before = data()
    assert before == {bucket(), TABLE, PARAMETER}
    result = run(*CONFIRMED)
    assert result.stdout.splitlines()[0] == f"the stack {NAME} is deleted"
    assert "A deployment of the same name prints the command that adopts the log." in result.stderr
    assert not stack_exists()
    assert data() == before
    assert boto3.client("s3").list_objects_v2(Bucket=bucket())["KeyCount"] == 1


@pytest.mark.parametrize("kind", ["group", "role", "user"])
def test_an_attached_policy_is_reported_beforehand(ses: FakeSes, kind: str) -> None:
    """IAM deletes no attached policy. The message has the command that detaches it, and the command works."""
    iam = boto3.client("iam")
    arn = iam.create_policy(PolicyName=f"{NAME}-sender", PolicyDocument=LOOK_UP)["Policy"]["Arn"]
    assert arn == OUTPUTS["SenderPolicyArn"]
    name = {f"{kind.title()}Name": "sender"}
    make, hold = getattr(iam, f"create_{kind}"), getattr(iam, f"attach_{kind}_policy")
    make(**name, **({"AssumeRolePolicyDocument": TRUST} if kind == "role" else {}))
    hold(**name, PolicyArn=arn)
    sentence = run_failing(*CONFIRMED)
    command = f"aws iam detach-{kind}-policy --{kind}-name sender --policy-arn {arn}"
    assert sentence.endswith(f"First run `{command}`")
    assert stack_exists()
    getattr(iam, f"detach_{kind}_policy")(**name, PolicyArn=arn)
    run_ok(*CONFIRMED)
    assert not stack_exists()


def test_a_policy_may_be_attached_to_the_stacks_own_role(ses: FakeSes) -> None:
    """CloudFormation deletes the stack's own roles first."""
    iam = boto3.client("iam")
    arn = iam.create_policy(PolicyName=f"{NAME}-sender", PolicyDocument=LOOK_UP)["Policy"]["Arn"]
    own_role = f"{NAME}-ses"  # as in the output SesRoleArn
    iam.create_role(RoleName=own_role, AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName=own_role, PolicyArn=arn)
    run_ok(*CONFIRMED)
    assert not stack_exists()


def test_data_is_deleted_by_name_and_the_rest_remains(ses: FakeSes) -> None:
    """With --data only resources whose names are confirmed are deleted."""
    log = bucket()
    [result] = json_lines(*CONFIRMED, "--data", "--confirm", TABLE, "--json")
    assert result["deleted"] == [{"kind": "table", "name": TABLE}]
    assert [resource["name"] for resource in result["left"]] == [log, PARAMETER]
    assert data() == {log, PARAMETER}


def test_remaining_data_is_found_after_the_stack_is_deleted(ses: FakeSes) -> None:
    """A second run lists what remains, and a third one deletes it."""
    log = bucket()
    run_ok(*CONFIRMED)
    result = run(*COMMAND)
    assert result.stdout.splitlines() == [
        f"the stack {NAME} was already deleted",
        f"left: bucket {log}",
        f"left: table {TABLE}",
        f"left: parameter {PARAMETER}",
    ]
    run_ok(*COMMAND, "--data", "--confirm", log, "--confirm", PARAMETER, "--confirm", TABLE)
    assert data() == set()
    assert "and no data of a deleted one" in run_failing(*COMMAND, exit_code=4)


def test_names_are_typed_at_a_terminal(ses: FakeSes, terminal: None) -> None:
    """The stack and each resource are confirmed by typing their names. A wrong or empty name keeps the resource."""
    log = bucket()
    result = run(*COMMAND, "--data", stdin=f"{NAME}\n{log}\nmail\n\n")
    assert result.exit_code == 0
    assert not stack_exists()
    assert data() == {TABLE, PARAMETER}


@pytest.mark.parametrize("typed", ["\n", "y\n", f"{NAME}2\n", f"{NAME.upper()}\n"])
def test_another_name_than_the_stacks_stops_the_deletion(ses: FakeSes, terminal: None, typed: str) -> None:
    """Nothing is deleted if the typed name differs in any character."""
    before, result = data(), run(*COMMAND, "--data", stdin=typed)
    assert (result.exit_code, data(), stack_exists()) == (2, before, True)
    assert "nothing was deleted" in result.stderr


@pytest.mark.parametrize("confirmed", [[TABLE], ["--data", "another"]])
def test_an_unknown_confirmed_name_is_reported(ses: FakeSes, confirmed: list[str]) -> None:
    """A confirmed name that matches no resource deletes nothing, and is no error."""
    before, result = data(), run(*CONFIRMED, *confirmed[:-1], "--confirm", confirmed[-1])
    assert f"{confirmed[-1]} does not exist" in result.stderr
    assert data() == before


@pytest.mark.parametrize(("option", "left"), [("--detach", ["mine"]), ("--no-detach", ["archive", "mine"])])
def test_attached_sets_are_shown_and_detached_on_request(ses: FakeSes, option: str, left: list[str]) -> None:
    """The plan names attached sets. Their destinations are deleted with --detach only."""
    ses.sets["newsletter"] = {destination["Name"]: destination for destination in ATTACHED}
    result = run(*CONFIRMED, option)
    assert "The configuration set newsletter is attached, by: archive." in result.stderr
    assert sorted(ses.sets["newsletter"]) == left
    assert not stack_exists()


def test_attached_sets_need_a_decision_without_a_terminal(ses: FakeSes) -> None:
    """Without --detach or --no-detach nothing is deleted."""
    ses.sets["newsletter"] = {destination["Name"]: destination for destination in ATTACHED}
    assert "--detach" in run(*CONFIRMED).stderr.splitlines()[-1]
    assert stack_exists()


def test_detaching_is_offered_at_a_terminal(ses: FakeSes, terminal: None) -> None:
    """Enter means yes."""
    ses.sets["newsletter"] = {destination["Name"]: destination for destination in ATTACHED}
    assert run(*COMMAND, stdin=f"{NAME}\n\n").exit_code == 0
    assert sorted(ses.sets["newsletter"]) == ["mine"]


IDENTITIES = {"a.example": NAME, "b.example": "newsletter", "c.example": None, "d.example": NAME}


def test_identities_that_send_with_the_stacks_set_stop_the_deletion(ses: FakeSes) -> None:
    """SES would reject their mail. The plan names them, and the message has the option."""
    ses.identities = dict(IDENTITIES)
    result = run(*CONFIRMED)
    assert result.exit_code == 2
    assert "identities, whose mail SES then rejects too:\n  a.example\n  d.example\n" in result.stderr
    assert "SES would reject the mail of 2 identities" in result.stderr.splitlines()[-1]
    assert "--clear-default-set" in result.stderr.splitlines()[-1]
    assert stack_exists()
    assert ses.identities == IDENTITIES


def test_identities_are_cleared_by_option(ses: FakeSes) -> None:
    """Only those of the stack's set are left without one."""
    ses.identities = dict(IDENTITIES)
    run_ok(*CONFIRMED, "--clear-default-set")
    assert ses.identities == {**IDENTITIES, "a.example": None, "d.example": None}
    assert not stack_exists()


@pytest.mark.parametrize(("typed", "deletes"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_clearing_identities_is_offered_at_a_terminal(ses: FakeSes, terminal: None, typed: str, deletes: bool) -> None:
    """Enter means no, and then nothing is deleted."""
    ses.identities = {"a.example": NAME}
    result = run(*COMMAND, stdin=f"{NAME}\n{typed}")
    assert result.exit_code == (0 if deletes else 2)
    assert stack_exists() == (not deletes)
    assert ses.identities == {"a.example": None if deletes else NAME}


@pytest.mark.parametrize(("number", "is_limited"), [(5, False), (6, True)])
def test_many_identities_are_read_once_a_second(
    ses: FakeSes, monkeypatch: pytest.MonkeyPatch, number: int, is_limited: bool
) -> None:
    """SES answers one call a second, so the rate is limited where there are more than a handful."""
    limited: list[object] = []
    monkeypatch.setattr("pipeline.aws.deployment.identities.limit_rate", limited.append)
    ses.identities = dict.fromkeys(f"{index}.example" for index in range(number))
    run_ok(*CONFIRMED)
    assert bool(limited) is is_limited


def test_an_interrupted_deletion_can_be_continued(ses: FakeSes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt prints the advice, and the same command completes the deletion."""
    log = bucket()
    everything = [*CONFIRMED, "--data", "--confirm", log, "--confirm", TABLE, "--confirm", PARAMETER]
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.aws.deployment.retained._delete_table", _interrupt)
        result = run(*everything)
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr
    assert data() == {TABLE, PARAMETER}
    run_ok(*everything)
    assert data() == set()


def _interrupt(*_: object) -> None:
    """Raise an interrupt."""
    raise KeyboardInterrupt


def test_a_stack_of_another_owner_is_not_deleted(ses: FakeSes) -> None:
    """A stack without Mailfold's resources is rejected, even if its name is confirmed."""
    template = '{"Resources": {"LogBucket": {"Type": "AWS::S3::Bucket"}}}'
    boto3.client("cloudformation").create_stack(StackName="other", TemplateBody=template)
    assert "does not belong to Mailfold" in run_failing("destroy", "--stack", "other", "--confirm", "other")


def test_a_stack_must_be_named_and_exist(ses: FakeSes) -> None:
    """A missing option and a missing stack have different messages."""
    assert run_failing("destroy").startswith("which stack?")
    assert (
        run_failing("destroy", "--stack", "another", exit_code=4)
        == "there is no stack another in eu-west-1, and no data of a deleted one: name another --region"
    )


def test_the_example_in_the_help_runs_at_a_terminal(ses: FakeSes, terminal: None) -> None:
    """The example deletes the stack after its name is typed."""
    example = (destroy_command.__doc__ or "").partition("Example: ")[2].strip()
    assert run(*shlex.split(example)[1:], stdin=f"{NAME}\n").exit_code == 0
    assert not stack_exists()
