"""The one classification of botocore's errors.

Every adapter uses it, so that an expired token, a denial, a missing resource and throttling read the same everywhere
and lead to the same exit code. A denial never advises trying again, and throttling is never a usage error.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeVar

from pipeline.errors import (
    AccessDenied,
    InvalidInput,
    MailfoldError,
    NotFound,
    ServiceUnavailable,
    Unavailable,
)

T = TypeVar("T")


class ErrorKind(StrEnum):
    """Kinds of AWS errors, by what the caller can do about them."""

    CREDENTIALS = "credentials"
    DENIED = "denied"
    MISSING = "missing"
    INVALID = "invalid"
    QUOTA = "quota"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


CODES = {
    ErrorKind.CREDENTIALS: frozenset(
        {
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnrecognizedClientException",
        }
    ),
    ErrorKind.DENIED: frozenset(
        {
            "403",  # S3's answer to HEAD, which has no body
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationError",
            "AuthorizationErrorException",
            "UnauthorizedOperation",
        }
    ),
    ErrorKind.MISSING: frozenset(
        {
            "404",  # S3's answer to HEAD
            "AWS.SimpleQueueService.NonExistentQueue",
            "ClusterNotFoundException",
            "EntityNotFoundException",
            "NoSuchBucket",
            "NoSuchBucketPolicy",
            "NoSuchEntity",
            "NoSuchKey",
            "NoSuchPublicAccessBlockConfiguration",
            "NotFound",
            "NotFoundException",
            "ParameterNotFound",
            "QueueDoesNotExist",
            "ResourceNotFoundException",
        }
    ),
    # Some services throttle with it, others report with it that an account has reached a limit.
    ErrorKind.QUOTA: frozenset({"LimitExceededException"}),
    ErrorKind.THROTTLED: frozenset(
        {
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
            "TooManyUpdates",
        }
    ),
}
SERVER_ERROR = 500  # HTTP: from here on the service failed, not the request

# By class name, so that nothing here loads botocore before a call has failed.
_CLASSES = {
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


def classify(error: Exception) -> ErrorKind:
    """Return the kind of an error that a boto3 client raised.

    A code that is not listed is `INVALID`, or `UNAVAILABLE` where the HTTP status says that the service failed.
    """
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        names = [cls.__name__ for cls in type(error).__mro__]
        return next((_CLASSES[name] for name in names if name in _CLASSES), ErrorKind.UNAVAILABLE)
    code = error_code(error)
    for kind, codes in CODES.items():
        if code in codes:
            return kind
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return ErrorKind.UNAVAILABLE if status >= SERVER_ERROR else ErrorKind.INVALID


@contextmanager
def translated(action: str, *, unavailable: type[Unavailable] = ServiceUnavailable) -> Iterator[None]:
    """Raise a boto3 client's error as one of Mailfold's.

    Args:
        action: What is being done, as a noun phrase or a gerund that continues "while": `reading the stack mail`.
        unavailable: The type raised for throttling, a quota, a failing service and an unreachable one.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do it.
        NotFound: The resource does not exist.
        InvalidInput: AWS or boto3 rejects the request.
        Unavailable: AWS throttles, fails or cannot be reached.
    """
    from botocore import exceptions, parsers  # noqa: PLC0415 - heavy; whoever made the client has loaded it

    try:
        yield
    except (exceptions.ClientError, exceptions.BotoCoreError, parsers.ResponseParserError) as error:
        raise to_error(error, action, unavailable=unavailable) from error


def to_error(error: Exception, action: str, *, unavailable: type[Unavailable] = ServiceUnavailable) -> MailfoldError:
    """Return Mailfold's error for an error that a boto3 client raised. See `translated`."""
    code, detail = error_code(error), _detail(error)
    match classify(error):
        case ErrorKind.CREDENTIALS:
            return AccessDenied(
                f"AWS credentials or region are missing or expired while {action}: {detail or code}. "
                "Sign in again, or set AWS_PROFILE, or AWS_DEFAULT_REGION and keys"
            )
        case ErrorKind.DENIED:
            return AccessDenied(f"AWS denies {action}: {detail or code}. Grant these credentials the permission")
        case ErrorKind.MISSING:
            return NotFound(f"not found while {action}: {code}: {detail}")
        case ErrorKind.INVALID:
            return InvalidInput(f"AWS rejects {action}: {code}: {detail}")
        case ErrorKind.QUOTA:
            return unavailable(f"AWS limits {action}: {code}: {detail}. Try again later, or raise the limit it names")
        case ErrorKind.THROTTLED:
            return unavailable(f"AWS throttles {action} with {code}: try again later")
        case ErrorKind.UNAVAILABLE:
            return unavailable(f"AWS is unavailable while {action}: {code}{_place(error)}: try again later")


def missing_ok(call: Callable[[], T], *codes: str) -> T | None:
    """Return the answer of a call, or None if the resource does not exist.

    Args:
        call: Calls a boto3 client: `lambda: ssm.get_parameter(Name=name)`.
        codes: Further codes by which this service says so, beside those in `CODES`.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy; whoever made the client has loaded it

    try:
        return call()
    except ClientError as error:
        if classify(error) is ErrorKind.MISSING or error_code(error) in codes:
            return None
        raise


def error_code(error: Exception) -> str:
    """Return AWS's code for an error of a client, or else its type. Fit for a log, because it quotes nothing."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def redact_addresses(text: str) -> str:
    """Return a text of AWS's without anything that looks like an e-mail address."""
    return _ADDRESS.sub("…@…", text)


def _detail(error: Exception) -> str:
    """Return AWS's or boto3's explanation, without addresses and without a full stop."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        text = str(response.get("Error", {}).get("Message", ""))
    else:
        text = str(getattr(error, "kwargs", {}).get("report") or error)
    return redact_addresses(text.strip().rstrip("."))


def _place(error: Exception) -> str:
    if type(error).__name__ == "ResponseParserError":
        return ", what answers is not AWS: check for a proxy"
    url = getattr(error, "kwargs", {}).get("endpoint_url")
    return f" at {url}, check the region" if url else ""
