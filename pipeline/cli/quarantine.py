"""`mailfold quarantine`: list, show and redrive the records that a hop of the pipeline could not process."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.aws.archive.firehose import BYTES_PER_RECORD, FirehoseLog
from pipeline.aws.feedback_stream import FeedbackStream
from pipeline.aws.quarantine import S3Quarantine
from pipeline.aws.settings import DELIVERY_STREAM, STREAM
from pipeline.cli.leftover_lines import describe_leftover, describe_record, detailed_lines, leftover_lines, summary_line
from pipeline.cli.leftovers import LeftoverPlaces, Selection, open_places
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import (
    counted,
    first_few,
    progress,
    results,
    say,
    saying_on_stop,
    to_people,
    write_json,
)
from pipeline.cli.target import Target, target
from pipeline.errors import MailfoldError, NotFound, UsageError
from pipeline.leftover import Leftover, Place
from pipeline.redrive import RedriveCounts, Redriver

PlaceOption = Annotated[list[Place] | None, typer.Option("--place", help="Only this place; may be repeated.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Only reasons with this text.")]


class LeftoversRemain(MailfoldError):
    """Some records could not be redriven, and are kept. All others are on their way to the log and the table."""


def list_command(
    *,
    place: PlaceOption = None,
    reason: ReasonOption = None,
    redriven: Annotated[bool, typer.Option("--redriven", help="Also those that were redriven.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each leftover.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """List what a hop of the pipeline could not process: place, time, reason, position, size and number of records.

    The places are the quarantine, Firehose's error objects, what Lambda discarded, and the dead-letter queues of the
    rule and of notifications. An object that is none of Mailfold's or AWS's is named, and passed over.

    Example: mailfold quarantine list --place quarantine
    """
    selection = Selection(places=tuple(place or Place), reason=reason or "")
    with open_places(target(stack, region)) as places:
        found = list(_shown(places, selection, redriven=redriven))
    for leftover in found:
        if json:
            write_json(describe_leftover(leftover))
        else:
            say(leftover_lines(leftover), to=results())
    if not json:
        say([summary_line(found)], to=results())


def show_command(
    leftover_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `list` shows it.")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Print the exact bytes of a record, and nothing else.")] = False,
    record: Annotated[int | None, typer.Option("--record", min=1, help="Only this record of it, from 1.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Show one leftover: its reason, its position, what the decoder makes of it today, and its records as text.

    Example: mailfold quarantine show quarantine/06/06c0.json
    """
    with open_places(target(stack, region)) as places:
        leftover = places.find(leftover_id)
    records = leftover.records[record - 1 : record] if record else leftover.records
    if record and not records:
        raise NotFound(f"{leftover_id} has {counted(len(leftover.records), 'record')}, and no record {record}")
    if raw and len(records) != 1:
        raise UsageError(f"{leftover_id} has {counted(len(records), 'record')}: name one of them with --record")
    if raw:
        sys.stdout.buffer.write(records[0].payload)
        return
    shown = msgspec.structs.replace(leftover, records=tuple(records))
    if json:
        write_json(describe_leftover(leftover) | {"contents": [describe_record(each) for each in shown.records]})
    else:
        say(detailed_lines(shown), to=results())


def redrive_command(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as `list` shows them.")] = None,
    *,
    redrive_all: Annotated[bool, typer.Option("--all", help="All leftovers.")] = False,
    place: PlaceOption = None,
    reason: ReasonOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be redriven, and change nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Send leftovers back through the pipeline, by the path of live traffic: to Firehose, then to the feedback stream.

    Correct the cause before, and update the deployment if Mailfold had to learn a format: its transform and projector
    decode what arrives. A record that the decoder of this command rejects is not sent, and stays; if others beside it
    in one object are sent, it moves to the quarantine. The exit code is then 1.

    What was redriven is kept below redriven/ in the log's bucket, leaves its place, and is not sent again. Safe to
    interrupt and to repeat: a record that arrives twice changes nothing.

    Example: mailfold quarantine redrive --all --dry-run
    """
    if bool(ids) == redrive_all or (ids and (place or reason)):
        raise UsageError("name the ids of leftovers, or --all of them, which --place and --reason restrict")
    cloud = target(stack, region)
    selection = Selection(places=tuple(place or Place), reason=reason or "", ids=tuple(ids or ()))
    redriver = _redriver(cloud)
    with (
        open_places(cloud) as places,
        saying_on_stop(lambda: _stop_line(redriver.counts), is_begun=lambda: redriver.counts.leftovers > 0),
        progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display,
    ):
        task = display.add_task("reading leftovers")
        redriver.counts.redriven_before = places.check_ids(selection.ids)
        for kept, of_place in places.waiting(selection):
            redriver.redrive(
                kept,
                place=of_place,
                is_dry_run=dry_run,
                progress=lambda counts: display.update(task, description=_progress_line(counts)),
            )
    _report(redriver.counts, dry_run=dry_run, json=json)


QUARANTINE_COMMANDS = {"list": list_command, "show": show_command, "redrive": redrive_command}


def redrive_lines(counts: RedriveCounts, *, dry_run: bool) -> Iterator[str]:
    """Yield the result as lines for people."""
    done = "would be redriven" if dry_run else "redriven"
    yield f"{counted(counts.leftovers, 'leftover')} {done}, with {counted(counts.records, 'record')}"
    if counts.redriven_before:
        yield f"{counted(counts.redriven_before, 'leftover')} redriven before, and not again"
    if counts.ignored:
        yield f"{counted(counts.ignored, 'record')} not about a sent e-mail, and not sent"
    for why, number in counts.rejected.most_common():
        yield f"{counted(number, 'record')} still rejected: {why}"
    if counts.moved:
        yield f"{counts.moved:,} of them {'would be ' if dry_run else ''}moved to the quarantine"
    if counts.expired:
        yield (
            f"{counted(counts.expired, 'record')} expired in the stream: they are in the log; restore the table with "
            "`mailfold replay`, then delete the object"
        )


def _shown(places: LeftoverPlaces, selection: Selection, *, redriven: bool) -> Iterator[Leftover]:
    groups = [places.waiting(selection), *([places.redriven(selection)] if redriven else [])]
    foreign: list[str] = []
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task, number = display.add_task("reading leftovers"), 0
        for group in groups:
            for kept, _ in group:
                for item in kept:
                    number += 1
                    display.update(task, description=f"read {number:,}")
                    if isinstance(item, Leftover):
                        yield item
                    else:
                        foreign.append(f"skipped {item.id}: {item.why}")
    say(first_few(foreign), to=to_people())


def _redriver(cloud: Target) -> Redriver:
    clients, settings = cloud.clients, cloud.settings
    if not (cloud.stream and settings.delivery_stream):
        raise UsageError(f"the streams are unknown: name a stack with --stack, or set {STREAM} and {DELIVERY_STREAM}")
    quarantine = S3Quarantine(clients.s3, bucket=settings.bucket)
    return Redriver(
        log=FirehoseLog(clients.firehose, delivery_stream=settings.delivery_stream, quarantine=quarantine),
        stream=FeedbackStream(clients.kinesis, stream=cloud.stream),
        quarantine=quarantine,
        max_record_bytes=BYTES_PER_RECORD,
        now=datetime.now(UTC),
    )


def _report(counts: RedriveCounts, *, dry_run: bool, json: bool) -> None:
    if json:
        write_json(msgspec.to_builtins(counts) | {"dry_run": dry_run})
    else:
        say(redrive_lines(counts, dry_run=dry_run), to=results())
    say(first_few([f"skipped {item.id}: {item.why}" for item in counts.foreign]), to=to_people())
    if counts.remaining and not dry_run:
        raise LeftoversRemain(f"{counts.remaining:,} could not be redriven: `mailfold quarantine list` shows them")


def _stop_line(counts: RedriveCounts) -> str:
    return f"stopped after {counted(counts.leftovers, 'leftover')}: repeat the command to go on"


def _progress_line(counts: RedriveCounts) -> str:
    return f"{counted(counts.leftovers, 'leftover')} redriven, {counts.rejected.total():,} records still rejected"
