"""`mailfold destroy`: it shows the plan first, deletes only what is confirmed, and finds what remains."""

import shlex
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from pipeline.cli.destroy import destroy_command
from tests.support.command import good, refused, run, told
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
    with deployed(monkeypatch):
        put_behind(monkeypatch, sesv2=ses.client())
        boto3.client("s3").put_object(Bucket=bucket(), Key="events/1", Body=b"x")
        boto3.client("ssm").put_parameter(Name=PARAMETER, Value=f'{{"live":"{TABLE}"}}', Type="String")
        yield ses


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal at which a user can answer."""
    monkeypatch.setattr("pipeline.cli.prompt.can_ask", lambda: True)


def stack_exists() -> bool:
    return bool(boto3.client("cloudformation").describe_stacks()["Stacks"])


def data() -> set[str]:
    """Return the names of all resources that hold data."""
    parameters = boto3.client("ssm").describe_parameters()["Parameters"]
    buckets, tables = boto3.client("s3").list_buckets()["Buckets"], boto3.client("dynamodb").list_tables()["TableNames"]
    return {resource["Name"] for resource in (*parameters, *buckets)} | {*tables}


def test_without_a_name_typed_nothing_goes_but_all_is_said(ses: FakeSes) -> None:
    before, result = data(), run(*COMMAND)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith(f"use --confirm {NAME} to delete the stack")
    assert "in eu-west-1, account 123456789012) would be deleted" in result.stderr
    assert "SES then rejects mail that names the configuration set mail" in result.stderr
    assert all(name in result.stderr for name in before)
    assert stack_exists()
    assert data() == before


def test_the_stack_goes_and_all_data_stays(ses: FakeSes) -> None:
    before = data()
    assert before == {bucket(), TABLE, PARAMETER}
    output = good(*CONFIRMED)
    assert output.splitlines()[0] == f"the stack {NAME} is deleted"
    assert not stack_exists()
    assert data() == before
    assert boto3.client("s3").list_objects_v2(Bucket=bucket())["KeyCount"] == 1


@pytest.mark.parametrize("kind", ["group", "role", "user"])
def test_a_policy_that_somebody_holds_is_told_before_the_deletion_stops_at_it(ses: FakeSes, kind: str) -> None:
    """IAM deletes none, and senders are told to hold it."""
    iam = boto3.client("iam")
    arn = iam.create_policy(PolicyName=f"{NAME}-sender", PolicyDocument=LOOK_UP)["Policy"]["Arn"]
    assert arn == OUTPUTS["SenderPolicyArn"]
    name = {f"{kind.title()}Name": "sender"}
    make, hold = getattr(iam, f"create_{kind}"), getattr(iam, f"attach_{kind}_policy")
    make(**name, **({"AssumeRolePolicyDocument": TRUST} if kind == "role" else {}))
    hold(**name, PolicyArn=arn)
    sentence = refused(*CONFIRMED, exit_code=1)
    command = f"aws iam detach-{kind}-policy --{kind}-name sender --policy-arn {arn}"
    assert sentence.endswith(f"First run `{command}`")
    assert stack_exists()
    getattr(iam, f"detach_{kind}_policy")(**name, PolicyArn=arn)
    good(*CONFIRMED)
    assert not stack_exists()


def test_a_role_of_the_stacks_own_may_hold_its_policy(ses: FakeSes) -> None:
    """CloudFormation deletes it first."""
    iam = boto3.client("iam")
    arn = iam.create_policy(PolicyName=f"{NAME}-sender", PolicyDocument=LOOK_UP)["Policy"]["Arn"]
    own_role = f"{NAME}-ses"  # as in the output SesRoleArn
    iam.create_role(RoleName=own_role, AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName=own_role, PolicyArn=arn)
    good(*CONFIRMED)
    assert not stack_exists()


def test_with_data_each_goes_by_its_own_name_and_the_rest_stays(ses: FakeSes) -> None:
    log = bucket()
    [result] = told(*CONFIRMED, "--data", "--confirm", TABLE, "--json")
    assert result["deleted"] == [{"kind": "table", "name": TABLE}]
    assert [resource["name"] for resource in result["left"]] == [log, PARAMETER]
    assert data() == {log, PARAMETER}


def test_what_is_left_is_found_again_when_the_stack_is_gone(ses: FakeSes) -> None:
    log = bucket()
    good(*CONFIRMED)
    result = run(*COMMAND)
    assert result.stdout.splitlines() == [
        f"the stack {NAME} was already deleted",
        f"left: bucket {log}",
        f"left: table {TABLE}",
        f"left: parameter {PARAMETER}",
    ]
    good(*COMMAND, "--data", "--confirm", log, "--confirm", PARAMETER, "--confirm", TABLE)
    assert data() == set()
    assert "and no data of a deleted one" in refused(*COMMAND)


def test_on_a_terminal_names_are_typed(ses: FakeSes, terminal: None) -> None:
    """One for the stack, one for each that holds data; here, one of those is mistyped and one passed over."""
    log = bucket()
    result = run(*COMMAND, "--data", given=f"{NAME}\n{log}\nmail\n\n")
    assert result.exit_code == 0
    assert not stack_exists()
    assert data() == {TABLE, PARAMETER}


@pytest.mark.parametrize("typed", ["\n", "y\n", f"{NAME}2\n", f"{NAME.upper()}\n"])
def test_anything_but_the_stacks_name_stops_it(ses: FakeSes, terminal: None, typed: str) -> None:
    before, result = data(), run(*COMMAND, "--data", given=typed)
    assert (result.exit_code, data(), stack_exists()) == (2, before, True)
    assert "nothing was deleted" in result.stderr


@pytest.mark.parametrize("confirmed", [[TABLE], ["--data", "another"]])
def test_a_name_that_names_nothing_of_it_deletes_nothing_and_is_told(ses: FakeSes, confirmed: list[str]) -> None:
    before, result = data(), run(*CONFIRMED, *confirmed[:-1], "--confirm", confirmed[-1])
    assert f"{confirmed[-1]} does not exist" in result.stderr
    assert data() == before


@pytest.mark.parametrize(("option", "left"), [("--detach", ["mine"]), ("--no-detach", ["archive", "mine"])])
def test_sets_that_were_attached_are_named_and_detached_where_that_is_said(
    ses: FakeSes, option: str, left: list[str]
) -> None:
    ses.sets["newsletter"] = {destination["Name"]: destination for destination in ATTACHED}
    result = run(*CONFIRMED, option)
    assert "The configuration set newsletter is attached, by: archive." in result.stderr
    assert sorted(ses.sets["newsletter"]) == left
    assert not stack_exists()


def test_sets_that_were_attached_stop_a_program_that_does_not_say_what_becomes_of_them(ses: FakeSes) -> None:
    ses.sets["newsletter"] = {destination["Name"]: destination for destination in ATTACHED}
    assert "--detach" in run(*CONFIRMED).stderr.splitlines()[-1]
    assert stack_exists()


def test_on_a_terminal_detaching_is_offered(ses: FakeSes, terminal: None) -> None:
    ses.sets["newsletter"] = {destination["Name"]: destination for destination in ATTACHED}
    assert run(*COMMAND, given=f"{NAME}\n\n").exit_code == 0
    assert sorted(ses.sets["newsletter"]) == ["mine"]


def test_an_interrupt_says_how_to_go_on_and_the_same_again_ends_it(
    ses: FakeSes, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = bucket()
    everything = [*CONFIRMED, "--data", "--confirm", log, "--confirm", TABLE, "--confirm", PARAMETER]
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.aws.deployment.retained._delete_table", _interrupted)
        result = run(*everything)
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr
    assert data() == {TABLE, PARAMETER}
    good(*everything)
    assert data() == set()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_stack_of_somebody_elses_is_left_alone(ses: FakeSes) -> None:
    template = '{"Resources": {"LogBucket": {"Type": "AWS::S3::Bucket"}}}'
    boto3.client("cloudformation").create_stack(StackName="other", TemplateBody=template)
    assert "does not belong to Mailfold" in refused("destroy", "--stack", "other", "--confirm", "other")


def test_a_stack_has_to_be_named_and_to_have_been_there(ses: FakeSes) -> None:
    assert refused("destroy").startswith("which stack?")
    assert (
        refused("destroy", "--stack", "another")
        == "there is no stack another in eu-west-1, and no data of a deleted one"
    )


def test_the_example_of_its_help_is_for_a_terminal(ses: FakeSes, terminal: None) -> None:
    example = (destroy_command.__doc__ or "").partition("Example: ")[2].strip()
    assert run(*shlex.split(example)[1:], given=f"{NAME}\n").exit_code == 0
    assert not stack_exists()
