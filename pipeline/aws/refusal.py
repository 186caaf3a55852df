"""What AWS says instead of doing what a command asked for, as errors of ours.

For looking at a deployment and changing it; the store, the log and the quarantine tell their own outages apart.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import CloudUnavailable, Misuse

THROTTLES = frozenset(
    {
        "LimitExceededException",
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
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
    }
)
SERVER_ERROR = 500  # HTTP: from here on the fault is the service's


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raise what boto3 raises as an error of ours.

    Args:
        what: What is asked for, in words that go on after "while": `reading the stack`.

    Raises:
        Misuse: AWS denies or refuses it, or boto3 is not set up for it; with AWS's code and words.
        CloudUnavailable: AWS throttles, fails, or cannot be reached.
    """
    from botocore.exceptions import (  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        NoRegionError,
    )

    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in THROTTLES or status >= SERVER_ERROR:
            raise CloudUnavailable(f"AWS answers {code} while {what}: try again later") from error
        words = error.response["Error"].get("Message", "").strip().rstrip(".")
        if code in DENIALS:
            raise Misuse(f"AWS denies {what}, these credentials may not do it: {words}") from error
        raise Misuse(f"AWS refuses {what}: {code}: {words}") from error
    except (NoCredentialsError, NoRegionError) as error:
        raise Misuse(f"boto3 is not set up: {str(error).rstrip('.')}. Set AWS_PROFILE, or a region and keys") from error
    except BotoCoreError as error:
        raise CloudUnavailable(f"AWS cannot be reached while {what}: {type(error).__name__}") from error


def code_of(error: Exception) -> str:
    """Return AWS's code for an error of a client, or else its kind: fit for a log, since it quotes nothing."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)
