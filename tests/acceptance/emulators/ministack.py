"""ministack, an emulator of AWS, in its own virtual environment: `make emulator` installs it, as `make test` does.

What it lacks of AWS, as far as this project meets it: it publishes no events of SES, hands no event of EventBridge to
Kinesis, buffers nothing in Firehose (an object for each record), takes a batch of Kinesis that failed in part for
done, and asks nobody's permission for what a service does itself: reading a stream for Lambda, writing Lambda's logs.
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
    """An emulator that runs.

    Attributes:
        endpoint_url: Its address.
        process_id: Its process.
        certificate: The file of the authority that its certificate is from; None: it speaks HTTP.
    """

    endpoint_url: str
    process_id: int
    certificate: Path | None

    def environment(self, credentials: Mapping[str, str] = ROOT_KEY) -> dict[str, str]:
        """Return what boto3, in this process or another, has to find in its environment to use it.

        Args:
            credentials: Whose; those of the account's root unless said otherwise, whom nothing is denied.
        """
        trust = {"AWS_CA_BUNDLE": str(self.certificate)} if self.certificate else {}
        return {"AWS_ENDPOINT_URL": self.endpoint_url, "AWS_DEFAULT_REGION": REGION, **trust, **credentials}


@contextmanager
def running(*, guarded: bool, encrypted: bool | None = None) -> Iterator[Ministack]:
    """Start an empty one, and stop it at the end; nothing is left of it then.

    Where its user may, it also takes the loopback interface's port 443, if that is free and it speaks HTTPS.

    Args:
        guarded: Whether it enforces what policies say; otherwise it takes everybody for root.
        encrypted: Whether it speaks HTTPS; None: if it is guarded, as policies ask for that.
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
            **({"AWS_CA_BUNDLE": str(certificate)} if certificate else {}),  # its Lambdas call it too
        }
        with Server(
            [str(COMMAND)], environment=environment, folder=folder, answers=lambda: _answers(url, certificate)
        ) as server:
            yield Ministack(endpoint_url=url, process_id=server.process_id, certificate=certificate)


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Return all that it, and the Lambdas that it runs, find in their environment."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",  # which listens to the whole network, whatever the host above
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker",
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        **ROOT_KEY,
    }


def _answers(url: str, certificate: Path | None) -> bool:
    """Tell whether it can be used. No proxy that the user may have is asked."""
    trust = HTTPSHandler(context=ssl.create_default_context(cafile=certificate))
    try:
        with build_opener(ProxyHandler({}), trust).open(f"{url}/_ministack/health", timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
