"""boto3 clients of the local cloud: with made-up credentials, and no way to AWS or through a proxy."""

from typing import Any

from boto3.session import Session
from botocore.config import Config

from pipeline.aws.clients import ATTEMPTS, CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, Service

ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local"  # noqa: S105 - made up: no emulator looks at it
CONNECTIONS = 16


def local_client(service: Service, *, endpoint_url: str, region: str) -> Any:
    """Return a client of an AWS service in the local cloud; whatever credentials the user has are left alone.

    Args:
        service: Its name in boto3.
        endpoint_url: Where the cloud or its backend is.
        region: Where it claims to be.
    """
    session = Session(aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=region)
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        proxies={},
    )
    return session.client(service, endpoint_url=endpoint_url, config=config)
