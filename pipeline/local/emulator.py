"""Another emulator in moto's place, by its address: looked at before anything is made there."""

import socket
from urllib.parse import urlsplit

from pipeline.errors import Misuse, Outage

CONNECT_TIMEOUT_SECONDS = 3.0
PORTS = {"http": 80, "https": 443}


def reach(url: str) -> None:
    """Return if something listens at an emulator's address.

    Args:
        url: Such as http://127.0.0.1:4566.

    Raises:
        Misuse: It is no address of the web.
        Outage: Nothing listens there.
    """
    try:
        socket.create_connection(_host_and_port(url), CONNECT_TIMEOUT_SECONDS).close()
    except OSError as error:
        raise Outage(f"nothing answers at {url}: start the emulator there, or name another endpoint URL") from error


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        address = urlsplit(url)
        host, port = address.hostname or "", address.port or PORTS.get(address.scheme, 0)
    except ValueError:
        host, port = "", 0
    if not (host and port and url.startswith(("http://", "https://"))):
        raise Misuse(f"not an endpoint URL: {url!r}; write it as http://127.0.0.1:4566")
    return host, port
