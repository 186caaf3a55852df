"""Name and parameters of a stack: mistakes are found before the first request to AWS, and all are reported."""

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.deployment.parameters import CODE, check_name, check_parameters, parameter_values
from pipeline.aws.deployment.template import load_template
from pipeline.errors import UsageError
from tests.support import cloudformation

VALID = {
    "AlarmEmail": ["", "ann@example.com"],
    "ConfigurationSets": ["", "bulk", "bulk, receipts"],
    "NotificationTopic": ["", "arn:aws:sns:eu-west-1:123456789012:bounces"],
    "LogBufferSeconds": ["60", "900"],
    "StreamRetentionDays": ["1", "365"],
    "TrackEngagement": ["false"],
    "Policy": ["", '{"version":2}'],
}
INVALID = {
    "StreamShards": ["", "0", "-1", "1.5", "one", "1 "],
    "LogBufferSeconds": ["59", "901"],
    "TrackEngagement": ["yes", "True", ""],
    "StreamRetentionDays": ["8"],
    "LogFirstDay": ["1.1.2026", "2026-01-01\n"],
    "ConfigurationSets": ["bulk;receipts", "bulk,not one"],
    "NotificationTopic": ["bounces"],
    "Policy": ["{}}", '{"version":"x"}', " " * 3_001],
}


def pairs(values_by_name: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in values_by_name.items() for value in values]


@pytest.mark.parametrize("name", ["mail", "m", "mail-2", "a" * 40])
def test_a_name_that_every_resource_can_bear_is_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "Mail", "2mail", "-mail", "mail_2", "mail.2", "mäil", "a" * 41, "mail\n", "mail 2"]
)
def test_any_other_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"invalid stack name .*: use lower-case letters"):
        check_name(name)


@pytest.mark.parametrize(("name", "value"), pairs(VALID))
def test_a_value_that_the_template_allows_is_taken(name: str, value: str) -> None:
    check_parameters({name: value}, template=load_template())


@pytest.mark.parametrize(("name", "value"), pairs(INVALID))
def test_a_value_that_it_does_not_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} (must|is)"):
        check_parameters({name: value}, template=load_template())


def test_every_default_is_allowed() -> None:
    check_parameters(cloudformation.defaults(), template=load_template())


def test_every_mistake_is_named_and_no_address_is_shown() -> None:
    with pytest.raises(UsageError) as refused:
        check_parameters(
            {
                "StreamShards": "0",
                "AlarmMail": "ann@example.com",
                "CodeKey": "mine",
                "TrackEngagement": "ann@example.com",
            },
            template=load_template(),
        )
    problems = str(refused.value).split("; ")
    assert [problem.split()[0] for problem in problems] == ["StreamShards", "the", "CodeKey", "TrackEngagement"]
    assert "no parameter AlarmMail: use one of AlarmEmail, " in problems[1]
    assert "@" not in str(refused.value)


NAMES = st.sampled_from(sorted(load_template().parameters))


@given(st.dictionaries(NAMES, st.text()), st.none() | st.dictionaries(st.one_of(NAMES, st.text()), st.text()))
def test_what_is_given_is_set_what_was_there_is_kept_and_nothing_else_is_said(
    given_values: dict[str, str], previous: dict[str, str] | None
) -> None:
    values = parameter_values(given_values, template=load_template(), previous=previous)
    by_name: dict[str, Any] = {value["ParameterKey"]: value.get("ParameterValue") for value in values}
    assert len(by_name) == len(values)
    assert {name: value for name, value in by_name.items() if value is not None} == given_values
    kept = {value["ParameterKey"] for value in values if value.get("UsePreviousValue")}
    assert kept == ((previous or {}).keys() & load_template().parameters.keys()) - given_values.keys()


def test_the_template_is_read_as_cloudformation_reads_it() -> None:
    document = cloudformation.template()
    assert load_template().text == cloudformation.FILE.read_text(encoding="utf-8")
    assert load_template().parameters == document["Parameters"]
    assert load_template().parameters.keys() >= CODE
    resources = document["Resources"].values()
    functions = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::Lambda::Function"]
    assert {(function["Runtime"], *function["Architectures"]) for function in functions} == {
        (f"python{load_template().runtime.python}", load_template().runtime.architecture)
    }
    assert {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Kinesis::Stream"} <= load_template().stateful


def test_no_role_has_a_name_of_its_own_so_that_no_more_leave_than_for_roles_is_asked_for() -> None:
    """CAPABILITY_IAM covers roles whose names CloudFormation makes."""
    assert not re.search(r"^ +(RoleName|ManagedPolicyName|GroupName|UserName):", load_template().text, re.MULTILINE)


def test_the_first_day_of_the_log_is_one() -> None:
    date.fromisoformat(load_template().parameters["LogFirstDay"]["Default"])
