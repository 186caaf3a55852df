"""Name and parameters of a stack: mistakes are found before the first request to AWS, and all are reported."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.deployment.parameters import check_name, check_parameters, parameter_values
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
    """Return each name with each of its values."""
    return [(name, value) for name, values in values_by_name.items() for value in values]


@pytest.mark.parametrize("name", ["mail", "m", "mail-2", "a" * 40])
def test_a_valid_stack_name_is_accepted(name: str) -> None:
    """A name that satisfies the rules of every resource is accepted."""
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "Mail", "2mail", "-mail", "mail_2", "mail.2", "mäil", "a" * 41, "mail\n", "mail 2"]
)
def test_an_invalid_stack_name_is_rejected(name: str) -> None:
    """A name that one of the resources cannot have is rejected, with the rule."""
    with pytest.raises(UsageError, match=r"invalid stack name .*: use lower-case letters"):
        check_name(name)


@pytest.mark.parametrize(("name", "value"), pairs(VALID))
def test_an_allowed_value_is_accepted(name: str, value: str) -> None:
    """A value that satisfies the declaration of its parameter is accepted."""
    check_parameters({name: value}, template=load_template())


@pytest.mark.parametrize(("name", "value"), pairs(INVALID))
def test_a_value_that_is_not_allowed_is_rejected(name: str, value: str) -> None:
    """The message begins with the name of the parameter."""
    with pytest.raises(UsageError, match=f"^{name} (must|is)"):
        check_parameters({name: value}, template=load_template())


def test_every_default_is_allowed() -> None:
    """The template's defaults satisfy their own declarations."""
    check_parameters(cloudformation.defaults(), template=load_template())


def test_all_mistakes_are_reported_without_addresses() -> None:
    """One message names every wrong parameter, and quotes no value."""
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
def test_given_values_are_set_and_others_are_kept(
    given_values: dict[str, str], previous: dict[str, str] | None
) -> None:
    """Given values are set, previous ones of existing parameters are kept, and no other parameter is sent."""
    values = parameter_values(given_values, template=load_template(), previous=previous)
    by_name: dict[str, Any] = {value["ParameterKey"]: value.get("ParameterValue") for value in values}
    assert len(by_name) == len(values)
    assert {name: value for name, value in by_name.items() if value is not None} == given_values
    kept = {value["ParameterKey"] for value in values if value.get("UsePreviousValue")}
    assert kept == ((previous or {}).keys() & load_template().parameters.keys()) - given_values.keys()
