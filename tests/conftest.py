"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Hear signals again where whatever started the tests had them ignored, as a shell does for what it runs behind it.

    What is ignored is ignored by every process that a test starts, and some of those are to be interrupted.
    """
    for number, heard in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, heard)
