"""Another emulator in moto's place, by its address: looked at before anything is made there.

What goes wrong in a call of AWS; `pipeline.aws.errors.error_code` says it in one word.

boto3 clients of the local cloud: with made-up credentials, and no way to AWS or through a proxy.

What the user has set up for AWS is not read: a profile that is not there, or a file that cannot be parsed, must not
stop what never leaves this machine.
"""

import os
import socket
import threading
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.clients import ATTEMPTS, CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, Service
from pipeline.errors import Unavailable, UsageError

ERRORS = (ClientError, BotoCoreError)
"""All that a boto3 client's call raises."""


ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local"  # noqa: S105 - made up: no emulator looks at it
CONNECTIONS = 16

# botocore's way to say where each of them comes from: (name in a profile, variable, default, conversion).
NOTHING_OF_THE_USER = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

# Clients may be shared by threads, but the session that makes them may not.
# docs.aws.amazon.com/boto3/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
_one_at_a_time = threading.Lock()


def local_client(service: Service, *, endpoint_url: str, region: str) -> Any:
    """Return a client of an AWS service in the local cloud; whatever credentials the user has are left alone.

    Args:
        service: Its name in boto3.
        endpoint_url: Where the cloud or its backend is.
        region: Where it claims to be.
    """
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        proxies={},
    )
    with _one_at_a_time:
        return _session(region).client(service, endpoint_url=endpoint_url, config=config)


@cache
def _session(region: str) -> Session:
    """Return the region's session: its models are read once, and not a tenth of a second long for each client."""
    return Session(
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        region_name=region,
        botocore_session=botocore.session.Session(session_vars=NOTHING_OF_THE_USER),
    )


PORTS = {"http": 80, "https": 443}


def check_emulator(url: str) -> None:
    """Return if something listens at an emulator's address.

    Args:
        url: Such as http://127.0.0.1:4566.

    Raises:
        UsageError: It is no address of the web.
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
        address = urlsplit(url)
        host, port = address.hostname or "", address.port or PORTS.get(address.scheme, 0)
    except ValueError:
        host, port = "", 0
    if not (host and port and url.startswith(("http://", "https://"))):
        raise UsageError(f"not an endpoint URL: {url!r}; write it as http://127.0.0.1:4566")
    return host, port
