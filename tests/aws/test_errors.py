"""Errors of boto3 clients: their kinds, Mailfold's errors for them, and the advice in these."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    LoginTokenLoadError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
    WaiterError,
)
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from pipeline.aws.errors import CODES, ErrorKind, classify, error_code, missing_ok, to_error, tolerate, translated
from pipeline.errors import (
    AccessDenied,
    ArchiveUnavailable,
    Conflict,
    InvalidInput,
    MailfoldError,
    NotFound,
    QueryFailed,
    ServiceUnavailable,
    UsageError,
)
from tests.support.fake_service import client

ACTION = "reading the stack mail"
TYPES: dict[ErrorKind, type[MailfoldError]] = {
    ErrorKind.CREDENTIALS: AccessDenied,
    ErrorKind.DENIED: AccessDenied,
    ErrorKind.MISSING: NotFound,
    ErrorKind.INVALID: InvalidInput,
    ErrorKind.QUOTA: ServiceUnavailable,
    ErrorKind.THROTTLED: ServiceUnavailable,
    ErrorKind.UNAVAILABLE: ServiceUnavailable,
}
TRY_AGAIN = {ErrorKind.QUOTA, ErrorKind.THROTTLED, ErrorKind.UNAVAILABLE}


def a_client_error(code: str, message: str = "some detail.", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "DescribeStacks")


ERRORS: list[tuple[Exception, ErrorKind, str]] = [
    (a_client_error("ExpiredToken"), ErrorKind.CREDENTIALS, "some detail. Sign in again"),
    (a_client_error("ExpiredTokenException"), ErrorKind.CREDENTIALS, "Sign in again"),
    (
        a_client_error("InvalidClientTokenId"),
        ErrorKind.CREDENTIALS,
        "missing, expired or wrong while reading the stack",
    ),
    (a_client_error("InvalidToken"), ErrorKind.CREDENTIALS, "Sign in again"),
    (
        a_client_error("SignatureDoesNotMatch"),
        ErrorKind.CREDENTIALS,
        "some detail. Correct the clock or the secret key",
    ),
    (a_client_error("RequestTimeTooSkewed", ""), ErrorKind.CREDENTIALS, "RequestTimeTooSkewed. Correct the clock"),
    (NoCredentialsError(), ErrorKind.CREDENTIALS, "or set AWS_PROFILE"),
    (NoRegionError(), ErrorKind.CREDENTIALS, "AWS_DEFAULT_REGION"),
    (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), ErrorKind.CREDENTIALS, "Sign in again"),
    (CredentialRetrievalError(provider="process", error_msg="no"), ErrorKind.CREDENTIALS, "Sign in again"),
    (UnauthorizedSSOTokenError(), ErrorKind.CREDENTIALS, "run aws sso login"),
    (TokenRetrievalError(provider="sso", error_msg="Token has expired"), ErrorKind.CREDENTIALS, "Token has expired"),
    (LoginTokenLoadError(error_msg="no"), ErrorKind.CREDENTIALS, "Sign in again"),
    (a_client_error("AccessDenied"), ErrorKind.DENIED, "AWS denies reading the stack mail: some detail. Grant"),
    (a_client_error("AccessDeniedException", ""), ErrorKind.DENIED, "mail: AccessDeniedException. Grant"),
    (a_client_error("AllAccessDisabled"), ErrorKind.DENIED, "Grant these credentials the permission"),
    (a_client_error("NoSuchBucket"), ErrorKind.MISSING, "while reading the stack mail: NoSuchBucket: some detail"),
    (a_client_error("ResourceNotFoundException", ""), ErrorKind.MISSING, "ResourceNotFoundException"),
    (a_client_error("TableNotFoundException", ""), ErrorKind.MISSING, "TableNotFoundException"),
    (a_client_error("ValidationException"), ErrorKind.INVALID, "AWS rejects reading the stack mail: ValidationExc"),
    (a_client_error("SomethingThatAwsWillInvent"), ErrorKind.INVALID, "SomethingThatAwsWillInvent: some detail"),
    (ParamValidationError(report="Invalid length for parameter Name"), ErrorKind.INVALID, "Invalid length for par"),
    (a_client_error("LimitExceededException"), ErrorKind.QUOTA, "some detail. Try again later, or raise the limit"),
    (a_client_error("Throttling"), ErrorKind.THROTTLED, "throttles reading the stack mail with Throttling: try again"),
    (a_client_error("ProvisionedThroughputExceededException"), ErrorKind.THROTTLED, "try again later"),
    (a_client_error("TooManyRequestsException", status=429), ErrorKind.THROTTLED, "try again later"),
    (a_client_error("SlowDown", status=503), ErrorKind.THROTTLED, "try again later"),
    (a_client_error("InternalServerError"), ErrorKind.UNAVAILABLE, "unavailable while reading the stack mail: Inter"),
    (a_client_error("SomethingThatAwsWillInvent", status=500), ErrorKind.UNAVAILABLE, "try again later"),
    (a_client_error("503"), ErrorKind.UNAVAILABLE, "503: try again later"),
    (ConnectTimeoutError(endpoint_url="https://x"), ErrorKind.UNAVAILABLE, "ConnectTimeoutError at https://x, check"),
    (EndpointConnectionError(endpoint_url="https://ssm.eu-wst-1"), ErrorKind.UNAVAILABLE, "eu-wst-1, check the region"),
    (ResponseParserError(), ErrorKind.UNAVAILABLE, "what answers is not AWS: check for a proxy"),
]


@pytest.mark.parametrize(
    ("error", "kind", "phrase"), ERRORS, ids=lambda value: error_code(value) if isinstance(value, Exception) else ""
)
def test_an_error_has_its_kind_type_and_advice(error: Exception, kind: ErrorKind, phrase: str) -> None:
    """Each error has one kind, and the kind decides the type. Only temporary errors advise trying again."""
    assert classify(error) is kind
    with pytest.raises(MailfoldError) as raised, translated(ACTION):
        raise error
    assert type(raised.value) is TYPES[kind]
    assert phrase in str(raised.value)
    assert ("ry again" in str(raised.value)) is (kind in TRY_AGAIN)
    assert not isinstance(raised.value, UsageError)


def test_no_code_has_two_kinds() -> None:
    """The order of `CODES` does not matter."""
    codes = [code for codes_of_kind in CODES.values() for code in codes_of_kind]
    assert len(codes) == len(set(codes))


def test_the_callers_types_are_raised() -> None:
    """A port chooses the types for unavailable services and for rejected requests."""
    throttled, rejected = a_client_error("Throttling"), a_client_error("InvalidRequestException")
    assert type(to_error(throttled, ACTION, unavailable=ArchiveUnavailable)) is ArchiveUnavailable
    assert type(to_error(rejected, ACTION, invalid=QueryFailed)) is QueryFailed


@pytest.mark.parametrize(
    "code",
    ["ExpiredToken", "AccessDenied", "NoSuchBucket", "MessageRejected", "LimitExceededException", "Throttling", "503"],
)
def test_a_remedy_replaces_the_usual_advice(code: str) -> None:
    """A caller can say better than this module what to do about a code."""
    text = str(to_error(a_client_error(code, ""), ACTION, remedies={code: "Use the other bucket"}))
    assert text.endswith("Use the other bucket")
    assert "ry again" not in text


def test_a_special_code_raises_the_callers_error() -> None:
    """A code may mean something else for one operation."""
    special = {"ConditionalCheckFailedException": Conflict()}
    with pytest.raises(Conflict) as raised, translated(ACTION, special=special):
        raise a_client_error("ConditionalCheckFailedException")
    assert isinstance(raised.value.__cause__, ClientError)
    with pytest.raises(InvalidInput), translated(ACTION, special=special):
        raise a_client_error("ValidationException")


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        ({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, ErrorKind.DENIED),
        ({"Table": {"TableStatus": "CREATING"}}, ErrorKind.UNAVAILABLE),
    ],
)
def test_a_waiters_error_is_that_of_its_last_call(response: Any, kind: ErrorKind) -> None:
    """A waiter that was denied is a denial; one that ran out of attempts is an outage."""
    assert classify(WaiterError(name="TableExists", reason="Max attempts", last_response=response)) is kind


def test_a_forbidden_head_request_is_a_denial() -> None:
    """S3's response to HEAD has no body, and boto3 makes the status its code."""
    s3 = client("s3")
    with Stubber(s3) as stubber:
        stubber.add_client_error("head_bucket", "403", "Forbidden", 403)
        with pytest.raises(AccessDenied, match=r"^AWS denies looking"), translated("looking"):
            s3.head_bucket(Bucket="mail-log")


@pytest.mark.parametrize("code", ["AccessDenied", "BadRequestException", "LimitExceededException"])
def test_an_address_in_awss_message_is_redacted(code: str) -> None:
    """SES names identities in its messages, and an identity may be a person's address."""
    message = "not authorized on resource arn:aws:ses:eu-west-1:123456789012:identity/ann@example.com"
    text = str(to_error(a_client_error(code, message), ACTION))
    assert "not authorized" in text
    assert "ann@" not in text


def test_an_error_of_another_origin_passes() -> None:
    """Only errors of clients are translated; the code of any other error is its type."""
    with pytest.raises(KeyError), translated(ACTION):
        raise KeyError
    assert error_code(KeyError()) == "KeyError"


def fail_with(code: str) -> str:
    raise a_client_error(code)


def test_a_missing_resource_is_none() -> None:
    """`missing_ok` returns the response, and None for a code of a missing resource, the service's own included."""
    assert missing_ok(lambda: "response") == "response"
    assert missing_ok(lambda: fail_with("ParameterNotFound")) is None
    assert missing_ok(lambda: fail_with("ValidationError"), "ValidationError") is None
    with pytest.raises(ClientError):
        missing_ok(lambda: fail_with("ValidationError"))


def test_a_tolerated_code_is_none() -> None:
    """`tolerate` returns the response, and None for the codes it is given alone."""
    assert tolerate(lambda: "response", "ResourceInUseException") == "response"
    assert tolerate(lambda: fail_with("ResourceInUseException"), "ResourceInUseException") is None
    with pytest.raises(ClientError):
        tolerate(lambda: fail_with("ParameterNotFound"), "ResourceInUseException")
