"""The command's entry point: commands are put together, and errors become one clear sentence and an exit code.

Exit codes: 0 good, 1 failed, 2 misused, 130 interrupted.
"""

import sys
from typing import NoReturn

import typer

from pipeline.cli.decode import decode_command
from pipeline.cli.demo import demo_command
from pipeline.cli.ingest import ingest_command
from pipeline.cli.lookup import lookup_command
from pipeline.cli.query import query_command
from pipeline.cli.replay import replay_command
from pipeline.cli.send import send_command
from pipeline.cli.up import up_command
from pipeline.errors import MailfoldError, Misuse

EXIT_FAILED, EXIT_MISUSED = 1, 2

app = typer.Typer(
    name="mailfold",
    help="Every Amazon SES event kept for ever, and folded into a suppression list you can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("demo")(demo_command)
app.command("up")(up_command)
app.command("send")(send_command)
app.command("lookup")(lookup_command)
app.command("query")(query_command)
app.command("replay")(replay_command)
app.command("ingest")(ingest_command)
app.command("decode")(decode_command)


@app.callback()
def _mailfold() -> None:
    """Every Amazon SES event kept for ever, and folded into a suppression list you can trust."""


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        app(prog_name="mailfold")
    except MailfoldError as error:
        typer.echo(f"mailfold: {error}", err=True)
        sys.exit(EXIT_MISUSED if isinstance(error, Misuse) else EXIT_FAILED)
    sys.exit()
