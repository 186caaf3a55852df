"""Tests of what a policy document allows a service."""

from typing import Any

import pytest

from pipeline.aws.doctor.policy_document import allows

CONFIGURATION_SET = "arn:aws:ses:eu-west-1:123456789012:configuration-set/mail"
TRUST = {"Effect": "Allow", "Principal": {"Service": "ses.amazonaws.com"}, "Action": "sts:AssumeRole"}


def allows_ses(*statements: Any) -> bool:
    """Return True if the statements allow SES to assume the role for the configuration set."""
    return allows(
        {"Version": "2012-10-17", "Statement": list(statements)},
        service="ses.amazonaws.com",
        action="sts:AssumeRole",
        context={"aws:SourceAccount": "123456789012", "aws:SourceArn": CONFIGURATION_SET},
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
        {"ArnEquals": {"aws:SourceArn": CONFIGURATION_SET}, "StringEquals": {"aws:SourceAccount": "123456789012"}},
    ],
)
def test_condition_is_met(condition: Any) -> None:
    """A statement applies if each operator matches one of its values; keys ignore case."""
    assert allows_ses(TRUST | {"Condition": condition})


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceAccount": "210987654321"}},
        {"StringEquals": {"aws:SourceArn": "arn:aws:ses:*"}},  # this operator knows no wildcards
        {"ArnLike": {"aws:SourceArn": "arn:*:ses:*:*:configuration-set/mai"}},
        {"ArnEquals": {"aws:SourceArn": CONFIGURATION_SET}, "StringEquals": {"aws:SourceAccount": "210987654321"}},
        {"StringEquals": {"sts:ExternalId": "123456789012"}},  # a key without a known value
        {"StringNotEquals": {"aws:SourceAccount": "1"}},  # an unsupported operator
    ],
)
def test_condition_is_not_met(condition: Any) -> None:
    """A different value, a key without a value and an unsupported operator keep a statement from applying."""
    assert not allows_ses(TRUST | {"Condition": condition})


@pytest.mark.parametrize(
    "change",
    [
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "sts:TagSession"},
        {"Effect": "Deny"},
    ],
)
def test_statement_about_something_else(change: Any) -> None:
    """A statement with another principal, action or effect allows nothing."""
    assert not allows_ses(TRUST | change)


def test_denial_overrides_permission() -> None:
    """A denial counts more than any statement that allows the same."""
    assert not allows_ses(TRUST, TRUST | {"Effect": "Deny"})


def test_lists_and_wildcards() -> None:
    """A statement may list several services, and actions with wildcards."""
    several = {"Principal": {"Service": ["sns.amazonaws.com", "ses.amazonaws.com"]}, "Action": ["sts:*"]}
    assert allows_ses(TRUST | several)


def test_principal_of_everyone() -> None:
    """The principal `*` includes every service."""
    assert allows_ses(TRUST | {"Principal": "*"})
