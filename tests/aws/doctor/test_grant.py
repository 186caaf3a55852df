"""What a policy document lets a service do."""

from typing import Any

import pytest

from pipeline.aws.doctor.iam import granted_actions

SET = "arn:aws:ses:eu-west-1:123456789012:configuration-set/mail"
TRUST = {"Effect": "Allow", "Principal": {"Service": "ses.amazonaws.com"}, "Action": "sts:AssumeRole"}


def ses_may_take_on(*statements: Any) -> bool:
    return granted_actions(
        {"Version": "2012-10-17", "Statement": list(statements)},
        service="ses.amazonaws.com",
        action="sts:AssumeRole",
        context={"aws:SourceAccount": "123456789012", "aws:SourceArn": SET},
    )


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"StringEquals": {"AWS:SourceAccount": "123456789012"}},
        {"StringEquals": {"aws:SourceAccount": ["210987654321", "123456789012"]}},
        {"StringLike": {"aws:SourceArn": "arn:aws:ses:*:123456789012:configuration-set/*"}},
        {
            "ArnLike": {
                "aws:SourceArn": ["arn:*:ses:*:*:configuration-set/other", "arn:*:ses:*:*:configuration-set/mail"]
            }
        },
        {"ArnEquals": {"aws:SourceArn": SET}, "StringEquals": {"aws:SourceAccount": "123456789012"}},
    ],
)
def test_a_condition_that_is_met(condition: Any) -> None:
    assert ses_may_take_on(TRUST | {"Condition": condition})


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceAccount": "210987654321"}},
        {"StringEquals": {"aws:SourceArn": "arn:aws:ses:*"}},  # no pattern, by this operator
        {"ArnLike": {"aws:SourceArn": "arn:*:ses:*:*:configuration-set/mai"}},
        {"ArnEquals": {"aws:SourceArn": SET}, "StringEquals": {"aws:SourceAccount": "210987654321"}},
        {"StringEquals": {"sts:ExternalId": "123456789012"}},  # of which nothing is known
        {"StringNotEquals": {"aws:SourceAccount": "1"}},  # no operator that is understood
    ],
)
def test_a_condition_that_is_not_met_or_not_understood(condition: Any) -> None:
    assert not ses_may_take_on(TRUST | {"Condition": condition})


@pytest.mark.parametrize(
    "change",
    [
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "sts:TagSession"},
        {"Effect": "Deny"},
    ],
)
def test_a_statement_about_something_else(change: Any) -> None:
    assert not ses_may_take_on(TRUST | change)


def test_what_is_denied_is_not_allowed_whatever_else_is_said() -> None:
    assert not ses_may_take_on(TRUST, TRUST | {"Effect": "Deny"})


def test_one_of_several_services_and_actions() -> None:
    several = {"Principal": {"Service": ["sns.amazonaws.com", "ses.amazonaws.com"]}, "Action": ["sts:*"]}
    assert ses_may_take_on(TRUST | several)


def test_everybody() -> None:
    assert ses_may_take_on(TRUST | {"Principal": "*"})
