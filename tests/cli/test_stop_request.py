"""A signal becomes a request to stop, and raises nothing."""

import signal

import pytest

from pipeline.cli.stop_request import stop_requested_by_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_makes_the_request(number: signal.Signals) -> None:
    """The request stays made, and waiting for it ends, however often the signal arrives."""
    with stop_requested_by_signal() as stop:
        assert not stop.is_made()
        signal.raise_signal(number)
        signal.raise_signal(number)
        stop.wait()
        assert stop.is_made()
        assert stop.is_made()


def test_the_handlers_are_restored_at_the_end() -> None:
    """After the block, signals have the effect that they had before."""
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_requested_by_signal():
        pass
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_an_ignored_signal_stays_ignored() -> None:
    """SIGHUP makes no request under nohup."""
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requested_by_signal() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.is_made()
    finally:
        signal.signal(signal.SIGHUP, handler)
