"""Classification of boto3's errors, and their translation into Mailfold's.

Every adapter uses it. So an expired token, a denial, a missing resource and throttling read the same everywhere, and
lead to the same exit code. A denial never advises trying again, and throttling is never a usage error.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from pipeline.errors import AccessDenied, InvalidInput, MailfoldError, NotFound, ServiceUnavailable, Unavailable

T = TypeVar("T")

_NO_CODES: Mapping[str, Any] = MappingProxyType({})


class ErrorKind(StrEnum):
    """Kinds of AWS errors, by what the caller can do about them."""

    CREDENTIALS = "credentials"
    DENIED = "denied"
    MISSING = "missing"
    INVALID = "invalid"
    QUOTA = "quota"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


# AWS's error codes by kind. The numbers are S3's for HEAD, whose response has no body.
CODES: Mapping[ErrorKind, frozenset[str]] = {
    kind: frozenset(codes.split())
    for kind, codes in {
        ErrorKind.CREDENTIALS: (
            "ExpiredToken ExpiredTokenException IncompleteSignature IncompleteSignatureException InvalidAccessKeyId "
            "InvalidClientTokenId InvalidSignatureException InvalidToken MissingAuthenticationToken "
            "MissingAuthenticationTokenException RequestExpired RequestInTheFuture RequestTimeTooSkewed "
            "SignatureDoesNotMatch TokenRefreshRequired UnrecognizedClientException"
        ),
        ErrorKind.DENIED: (
            "403 AccessDenied AccessDeniedException AllAccessDisabled AuthorizationError "
            "AuthorizationErrorException UnauthorizedOperation"
        ),
        ErrorKind.MISSING: (
            "404 AWS.SimpleQueueService.NonExistentQueue ClusterNotFoundException EntityNotFoundException "
            "NoSuchBucket NoSuchBucketPolicy NoSuchEntity NoSuchKey NoSuchPublicAccessBlockConfiguration NotFound "
            "NotFoundException ParameterNotFound QueueDoesNotExist ResourceNotFoundException TableNotFoundException"
        ),
        # Some services throttle with it. Others report with it that an account has reached a limit.
        ErrorKind.QUOTA: "LimitExceededException",
        ErrorKind.THROTTLED: (
            "ProvisionedThroughputExceededException RequestLimitExceeded SlowDown ThrottledException Throttling "
            "ThrottlingException TooManyRequestsException TooManyUpdates TransactionInProgressException"
        ),
        ErrorKind.UNAVAILABLE: (
            "500 502 503 504 InternalError InternalFailure InternalServerError InternalServerException "
            "RequestTimeout RequestTimeoutException ServiceUnavailable ServiceUnavailableException"
        ),
    }.items()
}
# Each also means that the clock differs from AWS's by more than minutes, which the message then says.
_SIGNATURE_CODES = frozenset(
    {
        *("InvalidSignatureException", "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"),
        "SignatureDoesNotMatch",
    }
)
_SIGN_IN = "Sign in again, or set AWS_PROFILE, or AWS_DEFAULT_REGION and keys"
SERVER_ERROR = 500  # HTTP status codes from here on: the service failed, not the request

# By class name, because importing botocore takes a Lambda's time.
_KINDS_BY_CLASS = {
    "CredentialRetrievalError": ErrorKind.CREDENTIALS,
    "LoginError": ErrorKind.CREDENTIALS,
    "NoCredentialsError": ErrorKind.CREDENTIALS,
    "PartialCredentialsError": ErrorKind.CREDENTIALS,
    "ProfileNotFound": ErrorKind.CREDENTIALS,
    "SSOError": ErrorKind.CREDENTIALS,
    "TokenRetrievalError": ErrorKind.CREDENTIALS,
    "NoRegionError": ErrorKind.CREDENTIALS,
    "InvalidRegionError": ErrorKind.INVALID,
    "ParamValidationError": ErrorKind.INVALID,
}
_ADDRESS = re.compile(r"[^\s'\"<>()]+@[^\s'\"<>()]+")


@contextmanager
def translated(
    action: str,
    *,
    unavailable: type[Unavailable] = ServiceUnavailable,
    invalid: type[MailfoldError] = InvalidInput,
    remedies: Mapping[str, str] = _NO_CODES,
    special: Mapping[str, MailfoldError] = _NO_CODES,
) -> Iterator[None]:
    """Raise a boto3 client's error as one of Mailfold's.

    Args:
        action: What is being done, as a noun phrase or a gerund that continues "while": `reading the stack mail`.
        unavailable: The type raised for throttling, a quota, a failing service and an unreachable one.
        invalid: The type raised for a request that AWS or boto3 rejects. A port of the projection raises its
            `Unavailable` type, because an error of another type would quarantine the records.
        remedies: Advice by AWS's code, in place of the usual one.
        special: Errors by AWS's code, for codes that mean something else here.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do it.
        NotFound: The resource does not exist.
        InvalidInput: AWS or boto3 rejects the request; see `invalid`.
        Unavailable: AWS throttles, fails or cannot be reached; see `unavailable`.
    """
    from botocore import exceptions, parsers  # noqa: PLC0415 - heavy; the client that failed has loaded it

    try:
        yield
    except (exceptions.ClientError, exceptions.BotoCoreError, parsers.ResponseParserError) as error:
        if expected := special.get(error_code(error)):
            raise expected from error
        raise to_error(error, action, unavailable=unavailable, invalid=invalid, remedies=remedies) from error


def missing_ok(call: Callable[[], T], *codes: str) -> T | None:
    """Return the response of a call, or None if the resource does not exist.

    Args:
        call: Calls a boto3 client: `lambda: ssm.get_parameter(Name=name)`.
        codes: Further codes by which this service reports a missing resource, beside those in `CODES`.
    """
    return tolerate(call, *CODES[ErrorKind.MISSING], *codes)


def tolerate(call: Callable[[], T], *codes: str) -> T | None:
    """Return the response of a call, or None if it fails with one of these codes.

    Args:
        call: Calls a boto3 client: `lambda: dynamodb.create_table(**definition)`.
        codes: AWS's codes, such as `ResourceInUseException`.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy; the client that failed has loaded it

    try:
        return call()
    except ClientError as error:
        if error_code(error) in codes:
            return None
        raise


def to_error(
    error: Exception,
    action: str,
    *,
    unavailable: type[Unavailable] = ServiceUnavailable,
    invalid: type[MailfoldError] = InvalidInput,
    remedies: Mapping[str, str] = _NO_CODES,
) -> MailfoldError:
    """Return Mailfold's error for an error that a boto3 client raised. See `translated`."""
    code, detail = error_code(error), _detail(error)
    remedy = remedies.get(code, "")
    match classify(error):
        case ErrorKind.CREDENTIALS:
            advice = remedy or ("Correct the clock or the secret key" if code in _SIGNATURE_CODES else _SIGN_IN)
            return AccessDenied(
                f"AWS credentials or region are missing, expired or wrong while {action}: {detail or code}. {advice}"
            )
        case ErrorKind.DENIED:
            advice = remedy or "Grant these credentials the permission"
            return AccessDenied(f"AWS denies {action}: {detail or code}. {advice}")
        case ErrorKind.MISSING:
            return NotFound(_sentences(f"not found while {action}: {code}", detail, remedy))
        case ErrorKind.INVALID:
            return invalid(_sentences(f"AWS rejects {action}: {code}", detail, remedy))
        case ErrorKind.QUOTA:
            advice = remedy or "Try again later, or raise the limit it names"
            return unavailable(_sentences(f"AWS limits {action}: {code}", detail, advice))
        case ErrorKind.THROTTLED:
            return unavailable(f"AWS throttles {action} with {code}: {remedy or 'try again later'}")
        case ErrorKind.UNAVAILABLE:
            return unavailable(
                f"AWS is unavailable while {action}: {code}{_place(error)}: {remedy or 'try again later'}"
            )


def classify(error: Exception) -> ErrorKind:
    """Return the kind of an error that a boto3 client raised.

    An unlisted code is `INVALID`, or `UNAVAILABLE` where the HTTP status code says that the service failed.
    """
    response = _response(error)
    if response is None:
        names = [cls.__name__ for cls in type(error).__mro__]
        return next((_KINDS_BY_CLASS[name] for name in names if name in _KINDS_BY_CLASS), ErrorKind.UNAVAILABLE)
    code = error_code(error)
    for kind, codes in CODES.items():
        if code in codes:
            return kind
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return ErrorKind.UNAVAILABLE if status >= SERVER_ERROR else ErrorKind.INVALID


def error_code(error: Exception) -> str:
    """Return AWS's code for a client's error, or the error's type. It quotes nothing, so it may be logged."""
    response = _response(error) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def redact_addresses(text: str) -> str:
    """Return a text of AWS's without anything that looks like an e-mail address."""
    return _ADDRESS.sub("…@…", text)


def _response(error: Exception) -> dict[str, Any] | None:
    """Return AWS's error response, that of a waiter's last call too; None if the call failed before there was one."""
    response = getattr(error, "response", None) or getattr(error, "last_response", None)
    return response if isinstance(response, dict) and "Error" in response else None


def _detail(error: Exception) -> str:
    """Return AWS's or boto3's explanation, without addresses and without a full stop."""
    response = _response(error)
    if response is not None:
        text = str(response.get("Error", {}).get("Message", ""))
    else:
        text = str(getattr(error, "kwargs", {}).get("report") or error)
    return redact_addresses(text.strip().rstrip("."))


def _sentences(statement: str, detail: str, advice: str) -> str:
    return (f"{statement}: {detail}" if detail else statement) + (f". {advice}" if advice else "")


def _place(error: Exception) -> str:
    if type(error).__name__ == "ResponseParserError":
        return ", what answers is not AWS: check for a proxy"
    url = getattr(error, "kwargs", {}).get("endpoint_url")
    return f" at {url}, check the region" if url else ""
