"""Where the command begins: signals first, since what it imports takes a third of a second.

SIGTERM and SIGHUP, by which orchestrators and closed terminals end a process, are obeyed as Ctrl-C is: what was begun
is tidied up, and the exit code is 130. Who ignores a signal when it starts us, as nohup does, goes on ignoring it.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

EXIT_INTERRUPTED = 130
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command line and exit."""
    _on_interrupts(_leave)
    from pipeline.cli.main import app  # noqa: PLC0415 - see above

    try:
        _on_interrupts(_interrupt)
        app(prog_name="mailfold")
    except KeyboardInterrupt:  # just before typer looks out for it, or just after
        sys.exit(EXIT_INTERRUPTED)


def _on_interrupts(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(_: int, __: FrameType | None) -> None:
    """End at once: nothing is begun, and an exception in the middle of an import would be told as an error."""
    os._exit(EXIT_INTERRUPTED)


def _interrupt(number: int, _: FrameType | None) -> None:
    if number != signal.SIGINT:  # who sends it twice is impatient, but no person; what is left then lies about for ever
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
