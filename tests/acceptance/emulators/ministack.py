"""ministack, an emulator of AWS in its own virtual environment. `make emulator` installs it, and `make test` too.

It leaves out events of SES, EventBridge's target Kinesis, and partial batch failures. Its Firehose has no buffer and
writes an object for each record. Its services check no permissions for their own work, such as reading a stream for
Lambda or writing Lambda's logs.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import msgspec
import pytest

from tests.acceptance.emulators.certificate import write_certificate
from tests.acceptance.emulators.server import Server, free_port

ROOT = Path(__file__).parents[3]
COMMAND = ROOT / ".venv" / "ministack" / "bin" / "ministack"
REGION = "eu-west-1"
ACCOUNT_ID = "123456789012"
ANSWER_SECONDS = 2.0
ROOT_KEY = {"AWS_ACCESS_KEY_ID": "root-of-the-emulator", "AWS_SECRET_ACCESS_KEY": "made-up"}


class Ministack(msgspec.Struct, frozen=True, kw_only=True):
    """A running emulator.

    Attributes:
        endpoint_url: URL of the emulator.
        process_id: ID of its process.
        certificate: File of the certificate's authority. None: it uses HTTP.
    """

    endpoint_url: str
    process_id: int
    certificate: Path | None

    def environment(self, credentials: Mapping[str, str] = ROOT_KEY) -> dict[str, str]:
        """Return the environment in which boto3 uses the emulator.

        Args:
            credentials: Credentials; by default those of the account's root user, which has all permissions.
        """
        trust = {"AWS_CA_BUNDLE": str(self.certificate)} if self.certificate else {}
        return {"AWS_ENDPOINT_URL": self.endpoint_url, "AWS_DEFAULT_REGION": REGION, **trust, **credentials}


@contextmanager
def running(*, guarded: bool, encrypted: bool | None = None) -> Iterator[Ministack]:
    """Run an empty emulator. It stops at the end and leaves no files behind.

    With HTTPS it also listens on port 443 of the loopback interface, if its user may and the port is free.

    Args:
        guarded: Whether it enforces policies. Otherwise every user has all permissions.
        encrypted: Whether it uses HTTPS. None: if it is guarded, because policies require it.
    """
    if not COMMAND.exists():
        pytest.skip("the emulator is not installed: `make emulator` does it")
    with TemporaryDirectory(prefix="mailfold-ministack-") as name:
        folder, port = Path(name), free_port()
        encrypted = guarded if encrypted is None else encrypted
        certificate, key = write_certificate(folder) if encrypted else (None, None)
        url = f"{'https' if encrypted else 'http'}://127.0.0.1:{port}"
        secure = {"USE_SSL": "1", "MINISTACK_SSL_CERT": str(certificate), "MINISTACK_SSL_KEY": str(key)}
        environment = {
            **_environment(folder, port),
            **({"AUTH": "true"} if guarded else {}),
            **(secure if encrypted else {}),
            **({"AWS_CA_BUNDLE": str(certificate)} if certificate else {}),  # its Lambda functions call it too
        }
        with Server(
            [str(COMMAND)], environment=environment, folder=folder, answers=lambda: _answers(url, certificate)
        ) as server:
            yield Ministack(endpoint_url=url, process_id=server.process_id, certificate=certificate)


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Return the environment of the emulator and of its Lambda functions."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # it would listen on all interfaces, whatever BIND_HOST is
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        **ROOT_KEY,
    }


def _answers(url: str, certificate: Path | None) -> bool:
    """Return True if the emulator answers. The user's proxy settings are ignored."""
    trust = HTTPSHandler(context=ssl.create_default_context(cafile=certificate))
    try:
        with build_opener(ProxyHandler({}), trust).open(f"{url}/_ministack/health", timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
