"""What every test needs: signals as at a terminal, and botocore's service models read once."""

import functools
import signal

import botocore.session


def pytest_configure() -> None:
    """Restore signals that a shell ignores for background jobs, and share botocore's service models.

    A child process inherits ignored signals, and some tests interrupt theirs. `mock_aws` and `create_client` start new
    sessions, and each session would parse a service's model again: 100 ms and 27,000 objects for each client.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))  # noqa: B010 - a test's patch
