"""What the commands of `mailfold policy` share: a policy in a file, and its comparison with the one in force."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.published_policy import PolicyInForce, policy_in_force
from pipeline.aws.table_fold import table_standings
from pipeline.cli.output import counted, encodable, json_line, progress, results, say, to_people, write_json
from pipeline.cli.policy_text import change_json
from pipeline.cli.sources import STANDARD_INPUT
from pipeline.cli.target import Target
from pipeline.errors import MailfoldError, UsageError
from pipeline.policy import Policy, parse_policy
from pipeline.policy_check import policy_problems
from pipeline.policy_difference import VerdictChange
from pipeline.ports import FactScan
from pipeline.standing import Key, Standing

ITEMS_PER_UPDATE = 1_000  # of the progress display

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="A policy as JSON; -: standard input.")]

Standings = Iterator[Mapping[Key, Standing]]
Show = Callable[[str], None]


class PolicyInvalid(MailfoldError):
    """A file is no valid policy."""


def read_policy(file: Path, *, json: bool) -> Policy:
    """Return the policy in a file. If it is invalid, print all its problems.

    Raises:
        PolicyInvalid: It is no valid policy.
        OSError: The file cannot be read.
    """
    document = sys.stdin.buffer.read() if str(file) == STANDARD_INPUT else file.read_bytes()
    if problems := policy_problems(document):
        report_problems(problems, json=json)
    return parse_policy(document)


def report_problems(problems: list[str], *, json: bool) -> None:
    """Print the problems of a policy, and raise.

    Raises:
        PolicyInvalid: Always.
    """
    if json:
        write_json({"valid": False, "problems": problems})
    else:
        say(problems, to=results())
    raise PolicyInvalid(f"the policy has {counted(len(problems), 'problem')}: correct it, as schemas/policy.json shows")


def in_force(cloud: Target) -> PolicyInForce:
    """Return the policy in force of a cloud."""
    settings = cloud.settings
    parameter = settings.tables_parameter
    return policy_in_force(cloud.clients.ssm, parameter=parameter, own=settings.policy, stack=cloud.stack)


def read_table(cloud: Target, show: Show) -> Standings:
    """Return the facts of the live table."""
    items = 0

    def count() -> None:
        nonlocal items
        items += 1
        if items % ITEMS_PER_UPDATE == 0:
            show(f"{items:,} items of the table")

    return table_standings(DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table), on_item=count)


@contextmanager
def shown_progress(description: str) -> Iterator[Show]:
    """Show a line of progress until the block ends. Yield a function that changes it."""
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task(description)
        yield lambda text: display.update(task, description=text)


def fold_log(cloud: Target, show: Show, skipped: list[str]) -> Standings:
    """Yield the facts of the whole log. Name each object that is skipped."""
    from pipeline.aws.archive.fold import ArchiveFold  # noqa: PLC0415 - heavy: `show` and `check` need no log
    from pipeline.aws.archive.s3 import S3Archive  # noqa: PLC0415 - the same

    archive, rows = S3Archive(cloud.clients.s3, bucket=cloud.settings.bucket), 0

    def count(scan: FactScan) -> None:
        nonlocal rows
        rows += scan.rows
        show(f"{rows:,} rows of the log")

    yield from ArchiveFold(archive, on_scan=count).standings()
    for left_out in archive.skipped:
        skipped.append(left_out.uri)
        say([f"skipped {encodable(left_out.uri)}: {left_out.why}"], to=to_people())


@contextmanager
def changes_file(file: Path | None) -> Iterator[Callable[[VerdictChange], None]]:
    """Create a file for changes, which only its user can read. Yield a function that writes one.

    Raises:
        UsageError: The file exists.
    """
    if file is None:
        yield lambda _: None
        return
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"the file {encodable(str(file))} exists: name a new one") from error
    with os.fdopen(handle, "wb") as stream:

        def write(change: VerdictChange) -> None:
            stream.write(json_line(change_json(change)))

        yield write
