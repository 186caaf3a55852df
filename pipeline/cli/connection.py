"""The way to a cloud: what boto3 misses is told in one sentence, and before anything is tried."""

from collections.abc import Callable
from functools import cache
from typing import Any

from pipeline.aws.clients import Service
from pipeline.errors import Misuse

Connection = Callable[[Service], Any]
"""Gives a boto3 client of a service, the same one each time."""


def connection(region: str | None = None) -> Connection:
    """Return what gives clients of AWS, or of the emulator at `AWS_ENDPOINT_URL`.

    Args:
        region: None: boto3's.

    The clients are made as they are asked for, which raises `Misuse` where boto3 has no credentials or no region.
    """

    @cache
    def check_credentials() -> None:
        from boto3.session import Session  # noqa: PLC0415 - boto3 takes a third of a second
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - the same

        if Session().get_credentials() is None:  # or else every call would try again and again
            raise NoCredentialsError

    def connect(service: Service) -> Any:
        from pipeline.aws.clients import client  # noqa: PLC0415 - boto3 takes a third of a second

        check_credentials()
        return client(service, region=region)

    return explaining(connect)


def explaining(connect: Callable[[Service], Any]) -> Connection:
    """Return the same, which gives each client once, and tells what boto3 misses."""

    @cache
    def client(service: Service) -> Any:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - boto3 takes a third of a second

        try:
            return connect(service)
        except (BotoCoreError, ValueError) as error:  # a ValueError where an address or a region is no such thing
            raise Misuse(
                f"boto3 is not set up: {str(error).rstrip('.')}. Set AWS_PROFILE, or AWS_DEFAULT_REGION and keys"
            ) from error

    return client
