"""Entry point of `mailfold`. Handles signals before it imports the commands, so that Ctrl-C always exits with 130."""

import sys

from pipeline.cli.signals import EXIT_INTERRUPTED, exit_at_once, handle_interrupts, raise_interrupt


def main() -> None:
    """Run the command line and exit."""
    handle_interrupts(exit_at_once)
    from pipeline.cli.main import app  # noqa: PLC0415 - takes a tenth of a second, in which Ctrl-C must work already

    try:
        handle_interrupts(raise_interrupt)
        app(prog_name="mailfold")
    except KeyboardInterrupt:  # outside the part in which typer catches it
        sys.exit(EXIT_INTERRUPTED)
    finally:
        handle_interrupts(exit_at_once)  # an exception while Python shuts down would be printed


if __name__ == "__main__":
    main()
