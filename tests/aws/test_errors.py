"""What AWS or boto3 says instead of doing what was asked is told so that whoever reads it knows what to do."""

import pytest
from botocore.exceptions import (
    CredentialRetrievalError,
    EndpointConnectionError,
    LoginTokenLoadError,
    ParamValidationError,
    PartialCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from pipeline.aws.errors import translated
from pipeline.errors import AccessDenied, InvalidInput, ServiceUnavailable
from tests.support.fake_service import client


@pytest.mark.parametrize(
    "error",
    [
        PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        CredentialRetrievalError(provider="process", error_msg="no"),
        UnauthorizedSSOTokenError(),
        TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        LoginTokenLoadError(error_msg="no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_usable_credentials_nothing_is_away_but_boto3_is_not_set_up(error: Exception) -> None:
    with pytest.raises(AccessDenied, match=r"Sign in again"), translated("looking"):
        raise error


def test_a_session_that_has_ended_says_how_to_begin_another() -> None:
    with pytest.raises(AccessDenied, match=r"run aws sso login"), translated("looking"):
        raise UnauthorizedSSOTokenError


def test_what_boto3_itself_refuses_is_a_misuse_in_its_words() -> None:
    with (
        pytest.raises(InvalidInput, match=r"Invalid length for parameter Name"),
        translated("looking"),
    ):
        raise ParamValidationError(report="Invalid length for parameter Name")


def test_where_nobody_answers_is_told_since_the_region_may_be_mistyped() -> None:
    words = r"EndpointConnectionError at https://ssm\.eu-wst-1\.amazonaws\.com, check the region"
    with pytest.raises(ServiceUnavailable, match=words), translated("looking"):
        raise EndpointConnectionError(endpoint_url="https://ssm.eu-wst-1.amazonaws.com")


def test_a_quota_is_told_in_words_since_waiting_may_not_help() -> None:
    cloudformation = client("cloudformation")
    with Stubber(cloudformation) as stubber:
        stubber.add_client_error("describe_stacks", "LimitExceededException", "Limit for stacks has been exceeded")
        with pytest.raises(ServiceUnavailable, match=r"Limit for stacks has been exceeded"), translated("looking"):
            cloudformation.describe_stacks()


def test_a_head_that_is_forbidden_is_a_denial_though_its_answer_has_no_body() -> None:
    """S3 answers a HEAD with the status alone, and boto3 makes that the code."""
    s3 = client("s3")
    with Stubber(s3) as stubber:
        stubber.add_client_error("head_bucket", "403", "Forbidden", 403)
        with (
            pytest.raises(AccessDenied, match=r"^AWS denies looking"),
            translated("looking"),
        ):
            s3.head_bucket(Bucket="mail-log")


@pytest.mark.parametrize("code", ["AccessDenied", "BadRequestException", "LimitExceededException"])
def test_an_address_in_awss_words_is_not_repeated(code: str) -> None:
    """SES names identities in what it refuses, and an identity may be somebody's address."""
    words = "not authorized on resource arn:aws:ses:eu-west-1:123456789012:identity/ann@example.com"
    ses = client("sesv2")
    with Stubber(ses) as stubber:
        stubber.add_client_error("get_account", code, words)
        with pytest.raises((AccessDenied, InvalidInput, ServiceUnavailable)) as raised, translated("looking"):
            ses.get_account()
    assert "not authorized" in str(raised.value)
    assert "ann@" not in str(raised.value)


def test_an_answer_that_is_none_of_awss_is_told_as_such() -> None:
    """Proxies and sign-in pages of networks give such answers, and boto3's error for them is none of its own kind."""
    with pytest.raises(ServiceUnavailable, match=r"what answers is not AWS"), translated("looking"):
        raise ResponseParserError
