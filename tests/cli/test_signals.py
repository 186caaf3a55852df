"""Interrupts end a command, start its cleanup, or stop a loop; an ignored signal stays ignored."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from pipeline.cli.signals import (
    INTERRUPTS,
    exit_at_once,
    exiting_on_interrupt,
    handle_interrupts,
    raise_interrupt,
    stop_on_signal,
)

WAIT_SECONDS = 300.0


@pytest.fixture(autouse=True)
def _restored_handlers() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in INTERRUPTS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def handlers() -> set[object]:
    return {signal.getsignal(number) for number in INTERRUPTS}


def test_an_ignored_signal_stays_ignored() -> None:
    """A handler is installed for every interrupt but the one that is ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    handle_interrupts(raise_interrupt)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert handlers() == {raise_interrupt, signal.SIG_IGN}


def test_a_second_sigterm_does_not_interrupt_the_cleanup() -> None:
    """SIGTERM raises KeyboardInterrupt once and is ignored from then on."""
    handle_interrupts(raise_interrupt)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_a_second_ctrl_c_interrupts_the_cleanup() -> None:
    """SIGINT raises KeyboardInterrupt every time, so that a person can end a long cleanup."""
    handle_interrupts(raise_interrupt)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_imports_exit_at_once() -> None:
    """While a command is imported, interrupts exit at once, and afterwards raise KeyboardInterrupt again."""
    handle_interrupts(raise_interrupt)
    with exiting_on_interrupt():
        assert handlers() == {exit_at_once}
    assert handlers() == {raise_interrupt}


def test_imports_in_another_program_change_no_handler() -> None:
    """Where another program uses the command line, its own handlers stay."""
    before = handlers()
    with exiting_on_interrupt():
        assert handlers() == before


@pytest.mark.parametrize("number", INTERRUPTS)
def test_a_loop_gets_a_byte_for_a_signal(number: signal.Signals) -> None:
    """Within `stop_on_signal` an interrupt writes a byte to the socket and raises nothing; then all is as before."""
    handle_interrupts(raise_interrupt)
    receiver, sender = socket.socketpair()
    with receiver, sender:
        sender.setblocking(False)
        receiver.settimeout(WAIT_SECONDS)
        with stop_on_signal(sender):
            os.kill(os.getpid(), number)
            assert receiver.recv(1) == bytes([number])
    assert handlers() == {raise_interrupt}
