"""A deployment is found by its stack's name, and what AWS says instead becomes an error of ours."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError
from botocore.stub import Stubber

from pipeline.aws.errors import error_code, translated
from pipeline.aws.stack import Stack, deployed_stack, find_stack
from pipeline.errors import AccessDenied, InvalidInput, ServiceUnavailable, UsageError
from tests.support.fake_service import client

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/mail/6b2d"


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    cloudformation = client("cloudformation")
    with Stubber(cloudformation) as stubber:
        yield cloudformation, stubber


def described(**changes: Any) -> dict[str, Any]:
    stack = {"StackName": "mail", "StackId": STACK_ID, "StackStatus": "CREATE_COMPLETE", "CreationTime": "2026-01-01"}
    return {"Stacks": [stack | changes]}


def test_a_stack_is_what_cloudformation_says_of_it(stubbed: tuple[Any, Stubber]) -> None:
    cloudformation, stubber = stubbed
    outputs = [{"OutputKey": "LogBucket", "OutputValue": "mail-log"}]
    parameters = [{"ParameterKey": "StreamMode", "ParameterValue": "PROVISIONED"}]
    stubber.add_response("describe_stacks", described(Outputs=outputs, Parameters=parameters), {"StackName": "mail"})
    found = find_stack(cloudformation, name="mail")
    assert found is not None
    assert (found.region, found.account_id) == ("eu-west-1", "123456789012")
    assert (found.output("LogBucket"), found.parameters) == ("mail-log", {"StreamMode": "PROVISIONED"})


def test_a_missing_output_says_how_to_get_it() -> None:
    stack = Stack(name="mail", id=STACK_ID, status="CREATE_COMPLETE", parameters={}, outputs={})
    with pytest.raises(UsageError, match="mailfold deploy --stack mail --region eu-west-1`"):
        stack.output("LogBucket")


def test_no_stack_is_none_and_its_command_says_where_it_looked(stubbed: tuple[Any, Stubber]) -> None:
    cloudformation, stubber = stubbed
    for _ in range(2):
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id mail does not exist", 400)
    assert find_stack(cloudformation, name="mail") is None
    with pytest.raises(UsageError, match="no stack mail in eu-west-1"):
        deployed_stack(cloudformation, name="mail")


def test_a_deleted_stack_is_none(stubbed: tuple[Any, Stubber]) -> None:
    cloudformation, stubber = stubbed
    stubber.add_response("describe_stacks", described(StackStatus="DELETE_COMPLETE"))
    assert find_stack(cloudformation, name="mail") is None


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, AccessDenied),
        ("ValidationException", 400, InvalidInput),
        ("Throttling", 400, ServiceUnavailable),
        ("InternalFailure", 500, ServiceUnavailable),
    ],
)
def test_what_aws_answers_decides_whether_to_try_again(
    stubbed: tuple[Any, Stubber], code: str, status: int, kind: type[Exception]
) -> None:
    cloudformation, stubber = stubbed
    stubber.add_client_error("describe_stacks", code, "no", status)
    with pytest.raises(kind, match="reading the stack mail"):
        find_stack(cloudformation, name="mail")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(NoCredentialsError(), AccessDenied), (ConnectTimeoutError(endpoint_url="https://x"), ServiceUnavailable)],
)
def test_what_keeps_boto3_from_asking_is_told_apart(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind), translated("looking"):
        raise error


def test_an_error_that_no_client_raised_passes() -> None:
    with pytest.raises(KeyError), translated("looking"):
        raise KeyError
    assert error_code(KeyError()) == "KeyError"
