"""boto3 clients of the local cloud, with made-up credentials, and a check that an emulator listens.

Nothing of the user's AWS configuration is read: a missing profile or a broken file must not stop a local cloud. No
request of it may reach AWS or go through a proxy.
"""

import os
import socket
import threading
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from pipeline.aws.clients import ATTEMPTS, CONNECT_TIMEOUT_SECONDS, Service
from pipeline.errors import Unavailable, UsageError

ERRORS = (ClientError, BotoCoreError)
"""All errors that a call of a boto3 client raises, for callers that need AWS's code and handle it themselves."""

ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local"  # noqa: S105 - made up: nothing checks it
CONNECTIONS = 16
READ_TIMEOUT_SECONDS = 60  # moto answers one request at a time, and a page of a large table's Scan takes it seconds
DEFAULT_PORTS = {"http": 80, "https": 443}

# How botocore describes the source of a setting: (name in a profile, variable, default, conversion).
_NO_USER_SETTINGS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

# Threads may share clients, but not the session that creates them.
# docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
_session_lock = threading.Lock()


def local_client(service: Service, *, endpoint_url: str, region: str, access_key_id: str = ACCESS_KEY_ID) -> Any:
    """Return a new client of a service in the local cloud. It does not use the user's credentials.

    Args:
        service: Its name in boto3.
        endpoint_url: Endpoint of the cloud or of its backend.
        region: Region that the cloud claims to be in.
        access_key_id: Access key of the cloud. An emulator checks none.
    """
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        proxies={},
    )
    with _session_lock:
        return _session().create_client(
            service,
            endpoint_url=endpoint_url,
            region_name=region,
            config=config,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=SECRET_ACCESS_KEY,
        )


@cache
def _session() -> Session:
    """Return the session. It reads the services' models once, which saves a tenth of a second for each client."""
    return Session(session_vars=_NO_USER_SETTINGS)


def check_emulator(url: str) -> None:
    """Check that an emulator listens at a URL, before anything is created there.

    Args:
        url: Its endpoint, such as http://127.0.0.1:4566.

    Raises:
        UsageError: The URL is not an HTTP endpoint.
        Unavailable: Nothing listens there.
    """
    try:
        socket.create_connection(_host_and_port(url), CONNECT_TIMEOUT_SECONDS).close()
    except OSError as error:
        raise Unavailable(
            f"nothing answers at {url}: start the emulator there, or name another endpoint URL"
        ) from error


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = "", 0
    if not (host and port and url.startswith(("http://", "https://"))):
        raise UsageError(f"not an endpoint URL: {url!r}; write it as http://127.0.0.1:4566")
    return host, port
