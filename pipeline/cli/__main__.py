"""Entry point of `mailfold`. Handles signals before it imports the commands, so that Ctrl-C always exits with 130."""

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line and exit."""
    if sys.platform == "win32":
        sys.exit("mailfold: Windows is not supported: use Linux or macOS, or the Windows Subsystem for Linux")
    from pipeline.cli.signals import (  # noqa: PLC0415 - of signals that Windows lacks
        EXIT_INTERRUPTED,
        end_interrupted,
        exit_at_once,
        handle_interrupts,
        raise_interrupt,
    )

    handle_interrupts(exit_at_once)
    from pipeline.cli.main import app  # noqa: PLC0415 - takes a tenth of a second, in which Ctrl-C must work already

    if isinstance(sys.stdout, TextIOWrapper):
        # As standard error: a locale may lack characters of an address.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        handle_interrupts(raise_interrupt)
        app(prog_name="mailfold")
    except KeyboardInterrupt:  # outside the part in which typer catches it
        end_interrupted()
    except SystemExit as error:
        if error.code == EXIT_INTERRUPTED:
            end_interrupted()
        raise
    finally:
        handle_interrupts(exit_at_once)  # an exception while Python shuts down would be printed


if __name__ == "__main__":
    main()
