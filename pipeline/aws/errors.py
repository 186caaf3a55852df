"""What AWS says instead of doing what a command asked for, as errors of ours.

For looking at a deployment and changing it; the store, the log and the quarantine tell their own outages apart.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# Some services throttle by it, and others say by it that an account has as many of something as it may.
QUOTA = "LimitExceededException"

THROTTLES = frozenset(
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
)
DENIALS = frozenset(
    {
        "403",  # S3's to a HEAD, whose answer has no body
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
    }
)
# What AWS's services call a thing that is not there.
MISSING = frozenset(
    {
        "404",  # S3's to a HEAD
        "AWS.SimpleQueueService.NonExistentQueue",
        "EntityNotFoundException",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchPublicAccessBlockConfiguration",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
SERVER_ERROR = 500  # HTTP: from here on the fault is the service's

_ADDRESS = re.compile(r"[^\s'\"<>()]+@[^\s'\"<>()]+")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what boto3 raises as an error of ours.

    Args:
        what: What is asked for, in words that go on after "while": `reading the stack`.

    Raises:
        UsageError: AWS denies or refuses it, or boto3 is not set up for it; with AWS's code and words.
        ServiceUnavailable: AWS throttles, fails, or cannot be reached.
    """
    from botocore import exceptions, parsers  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    # A profile that is signed out, an assumed role that may not be, … are found when the first call is signed.
    unready = (
        exceptions.CredentialRetrievalError,
        exceptions.LoginError,
        exceptions.NoCredentialsError,
        exceptions.NoRegionError,
        exceptions.PartialCredentialsError,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
    )
    try:
        yield
    except exceptions.ClientError as error:
        raise _answered(error, what) from error
    except unready as error:
        raise UsageError(
            f"boto3 is not set up: {str(error).rstrip('.')}. Set AWS_PROFILE, or a region and keys"
        ) from error
    except exceptions.ParamValidationError as error:
        raise UsageError(f"boto3 refuses {what}: {redact_addresses(error.kwargs['report'])}") from error
    except parsers.ResponseParserError as error:
        raise ServiceUnavailable(f"what answers while {what} is not AWS: is there a proxy between?") from error
    except exceptions.BotoCoreError as error:
        place = f" at {url}, see that the region is right" if (url := error.kwargs.get("endpoint_url")) else ""
        raise ServiceUnavailable(f"AWS cannot be reached while {what}: {type(error).__name__}{place}") from error


def _answered(error: ClientError, what: str) -> ServiceUnavailable | UsageError:
    code = error.response["Error"].get("Code", "")
    words = redact_addresses(error.response["Error"].get("Message", "").strip().rstrip("."))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == QUOTA:
        return ServiceUnavailable(f"AWS answers {code} while {what}: {words}. Try again later, or mend what it names")
    if code in THROTTLES or status >= SERVER_ERROR:
        return ServiceUnavailable(f"AWS answers {code} while {what}: try again later")
    if code in DENIALS:
        return UsageError(f"AWS denies {what}, these credentials may not do it: {words}")
    return UsageError(f"AWS refuses {what}: {code}: {words}")


def redact_addresses(text: str) -> str:
    """Return words of AWS's with everything that looks like an e-mail address taken out."""
    return _ADDRESS.sub("…@…", text)


def error_code(error: Exception) -> str:
    """Return AWS's code for an error of a client, or else its kind: fit for a log, since it quotes nothing."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)
