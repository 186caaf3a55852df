"""Which cloud the commands work on: the one that the environment names, or else the local one that runs.

The environment is read here, at the entry point, and nowhere deeper; nothing of it is changed.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from pipeline.aws.clients import Service
from pipeline.aws.settings import BUCKET, TABLE, Settings, read_settings
from pipeline.errors import Misuse

ENDPOINT = "AWS_ENDPOINT_URL"
REGION = "AWS_DEFAULT_REGION"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A cloud, and where the pipeline keeps things there.

    Attributes:
        settings: Table, bucket and policy.
        client: Gives a boto3 client of a service there. Raises `Misuse` where boto3 misses something, such as a region.
        is_local: Whether nothing that is done there reaches AWS.
    """

    settings: Settings
    client: Callable[[Service], Any]
    is_local: bool


def target() -> Target:
    """Return what the commands work on. A local cloud that `mailfold up` runs is found by itself.

    Raises:
        Misuse: The environment names nothing, or names it wrongly, and no local cloud runs.
    """
    if {TABLE, BUCKET} & os.environ.keys():
        return Target(settings=read_settings(), client=_explaining(_connect_to_aws), is_local=ENDPOINT in os.environ)
    return _running()


def local_target() -> Target:
    """Return the local cloud, for what must never reach AWS by accident.

    Raises:
        Misuse: The environment names AWS, or nothing, and no local cloud runs.
    """
    found = target()
    if not found.is_local:
        raise Misuse(f"this works on a local cloud only: unset {TABLE} and {BUCKET}, and start one with `mailfold up`")
    return found


def moment(text: str | None) -> datetime | None:
    """Return the moment that an option names, a date or a time, UTC unless it says otherwise.

    Raises:
        Misuse: It is neither.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misuse(f"not a date or a time: {text!r}; write 2026-03-01 or 2026-03-01T10:00:00Z") from error


def _running() -> Target:
    from pipeline.local.client import local_client  # noqa: PLC0415 - heavy, and only where no cloud is named
    from pipeline.local.discovery import find  # noqa: PLC0415

    found = find()
    if found is None:
        raise Misuse(f"no local cloud is running: start one with `mailfold up`, or set {TABLE} and {BUCKET} for AWS")

    connect = partial(local_client, endpoint_url=found[ENDPOINT], region=found[REGION])
    return Target(settings=read_settings({**os.environ, **found}), client=_explaining(connect), is_local=True)


def _connect_to_aws(service: Service) -> Any:
    from boto3.session import Session  # noqa: PLC0415 - boto3 takes a third of a second
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

    from pipeline.aws.clients import client  # noqa: PLC0415

    if Session().get_credentials() is None:  # or else every call would try again and again
        raise NoCredentialsError
    return client(service)


def _explaining(connect: Callable[[Service], Any]) -> Callable[[Service], Any]:
    def client(service: Service) -> Any:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - boto3 takes a third of a second

        try:
            return connect(service)
        except BotoCoreError as error:
            raise Misuse(
                f"boto3 is not set up: {str(error).rstrip('.')}. Set AWS_PROFILE, or AWS_DEFAULT_REGION and keys"
            ) from error

    return client
