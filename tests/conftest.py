"""What every test needs: signals as at a terminal, and botocore's service models read once."""

import functools
import signal
from collections.abc import Iterator

import botocore.session
import pytest

from pipeline.aws import service_models
from pipeline.aws.clients import session


def pytest_configure() -> None:
    """Restore signals that a shell ignores for background jobs, and share botocore's service models.

    A child process inherits ignored signals, and some tests interrupt theirs. `mock_aws` and `create_client` start new
    sessions, and each session would parse a service's model again: 100 ms and 27,000 objects for each client.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    setattr(service_models, "ServiceModels", functools.cache(service_models.ServiceModels))  # noqa: B010 - likewise
    setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))  # noqa: B010 - a test's patch


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    """Start every test without a session, which would keep the credentials of an earlier test."""
    session.cache_clear()
    yield
    session.cache_clear()
