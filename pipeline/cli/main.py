"""The commands put together, and errors become one clear sentence and an exit code. `entry` runs them.

Exit codes: 0 good, 1 failed, 2 misused, 130 interrupted.
"""

import sys
from typing import Any

import typer

from pipeline.cli.attach import attach_command
from pipeline.cli.consume import consume_command
from pipeline.cli.cost import cost_command
from pipeline.cli.decode import decode_command
from pipeline.cli.demo import demo_command
from pipeline.cli.deploy import deploy_command
from pipeline.cli.destroy import destroy_command
from pipeline.cli.doctor import doctor_command
from pipeline.cli.import_list import import_command
from pipeline.cli.ingest import ingest_command
from pipeline.cli.lookup import lookup_command
from pipeline.cli.options import GroupRegionOption, GroupStackOption, check_use
from pipeline.cli.output import printable
from pipeline.cli.query import query_command
from pipeline.cli.replay import replay_command
from pipeline.cli.send import send_command
from pipeline.cli.up import up_command
from pipeline.errors import MailfoldError, UsageError

EXIT_FAILED, EXIT_MISUSED = 1, 2


class Commands(typer.core.TyperGroup):
    """The commands, whose errors are told in one sentence. typer itself does so for options and interrupts."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            super().invoke(ctx)
            sys.stdout.flush()
        except MailfoldError as error:
            _tell(str(error))
            raise typer.Exit(EXIT_MISUSED if isinstance(error, UsageError) else EXIT_FAILED) from error
        except ModuleNotFoundError as error:
            _tell(f"this command needs {error.name}, which is not installed: pip install 'mailfold[local]'")
            raise typer.Exit(EXIT_FAILED) from error
        except BrokenPipeError:  # whoever reads has seen enough: typer ends quietly
            raise
        except OSError as error:
            _tell(f"the system refuses: {error.strerror or error}")
            raise typer.Exit(EXIT_FAILED) from error


def _tell(sentence: str) -> None:
    typer.echo(f"mailfold: {printable(sentence)}", err=True)


app = typer.Typer(
    name="mailfold",
    cls=Commands,
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
app.command("import")(import_command)
app.command("decode")(decode_command)
app.command("consume")(consume_command)
app.command("deploy")(deploy_command)
app.command("attach")(attach_command)
app.command("doctor")(doctor_command)
app.command("cost")(cost_command)
app.command("destroy")(destroy_command)


@app.callback()
def _mailfold(context: typer.Context, *, stack: GroupStackOption = None, region: GroupRegionOption = None) -> None:
    """Every Amazon SES event kept for ever, and folded into a suppression list you can trust."""
    check_use(context, stack=stack, region=region)
