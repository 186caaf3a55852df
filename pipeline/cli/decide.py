"""Carry out decisions about addresses: show them, ask, publish them, wait for the table, and change SES's list.

`suppress`, `release`, `revert` and `undo` differ in what they select. All else is here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.progress import BarColumn, TimeElapsedColumn

from pipeline.aws.archive.firehose import FirehoseLog
from pipeline.aws.clients import limit_rate
from pipeline.aws.decisions import DecisionPublisher, wait_until_shown
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.feedback_stream import FeedbackStream
from pipeline.aws.quarantine import S3Quarantine
from pipeline.aws.retry import Backoff
from pipeline.aws.service_clock import ServiceClock
from pipeline.aws.ses_list import SuppressionList
from pipeline.aws.settings import DELIVERY_STREAM, STREAM
from pipeline.cli.decision_options import DecisionOptions
from pipeline.cli.decision_output import (
    LeftAlone,
    SesChanges,
    decision_json,
    left_json,
    outcome_lines,
    plan_lines,
    question,
)
from pipeline.cli.output import counted, progress, results, say, saying_on_stop, to_people, write_json
from pipeline.cli.prompt import ask_yes_no
from pipeline.cli.target import Target, target
from pipeline.decision_batch import DecisionBatch, PlannedDecision
from pipeline.errors import STOPS_BATCH, MailfoldError, UsageError
from pipeline.standing import EVERY_SCOPE, FactKind
from pipeline.verdict import Reason

WAIT_SECONDS = 60.0  # for the table, without progress; a Lambda needs about two
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.2, 3.0


class ListUnchanged(MailfoldError):
    """The decisions are made, but some entries of SES's list were not changed."""


class DecisionTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A cloud in which decisions are made.

    Attributes:
        cloud: The cloud.
        store: Its live table.
        clock: Its time, once the table was read.
    """

    cloud: Target
    store: DynamoSuppressionStore
    clock: ServiceClock
    stream: str
    delivery_stream: str


def decision_target(stack: str | None, region: str | None) -> DecisionTarget:
    """Return the cloud in which a command decides.

    Raises:
        UsageError: It is not known where decisions go. Or another error of `target`.
    """
    cloud = target(stack, region)
    delivery_stream, stream = cloud.settings.delivery_stream, cloud.stream
    if not (delivery_stream and stream):
        raise UsageError(
            "a decision goes into the event log and the feedback stream: name a stack with --stack, or set "
            f"{DELIVERY_STREAM} and {STREAM}"
        )
    dynamodb = cloud.clients.dynamodb
    return DecisionTarget(
        cloud=cloud,
        clock=ServiceClock(dynamodb, service="dynamodb"),
        store=DynamoSuppressionStore(dynamodb, table=cloud.settings.table),
        stream=stream,
        delivery_stream=delivery_stream,
    )


def carry_out(
    at: DecisionTarget,
    batch: DecisionBatch,
    decisions: Sequence[PlannedDecision],
    options: DecisionOptions,
    *,
    left_alone: Sequence[LeftAlone] = (),
) -> None:
    """Show decisions, ask, and carry them out.

    Args:
        at: Where.
        batch: The request.
        decisions: Its decisions.
        options: The command's options.
        left_alone: Addresses about which nothing is decided, and why.

    Raises:
        UsageError: The answer is no, or there is no terminal to ask on; nothing was decided.
        DecisionsUnfinished: The decisions are made in part; the message says how to go on.
        ListUnchanged: The decisions are made; some entries of SES's list are not changed.
    """
    now = at.clock.now()
    is_result = options.dry_run and not options.json
    say(plan_lines(decisions, left_alone, now=now), to=results() if is_result else to_people())
    shown: frozenset[str] | None = None
    changes = SesChanges()
    if decisions and not options.dry_run:
        ses_list = _ses_list(at, decisions) if options.also_ses else None
        _confirm(decisions, options)
        _publish(at, batch, decisions)
        shown = None if options.no_wait else _wait(at, decisions)
        if ses_list:
            changes = _change_list(ses_list, decisions)
    if options.json:
        for planned in decisions:
            write_json(decision_json(batch, planned, options, shown=shown, changes=changes, now=now))
        for left in left_alone:
            write_json(left_json(left))
    elif decisions and not options.dry_run:
        stack = at.cloud.stack
        lines = outcome_lines(batch, decisions, shown=shown, changes=changes, options=stack.options if stack else "")
        say(lines, to=results())
    _say_late(shown, decisions)
    if changes.failures:
        raise ListUnchanged(
            f"{counted(len(changes.failures), 'address', 'addresses')} of SES's list not changed: "
            f"{next(iter(changes.failures.values()))}; the decisions are made, so repeat the command with "
            f"--id {batch.id}"
        )


def _confirm(decisions: Sequence[PlannedDecision], options: DecisionOptions) -> None:
    if options.yes or not (text := question(decisions)):
        return
    no_terminal = f"{text[0].lower()}{text[1:]}, and there is no terminal to ask on: add --yes to do it"
    if not ask_yes_no(f"{text}. Do it?", no_terminal=no_terminal):
        raise UsageError("nothing was decided")


def _publish(at: DecisionTarget, batch: DecisionBatch, decisions: Sequence[PlannedDecision]) -> None:
    clients, bucket = at.cloud.clients, at.cloud.settings.bucket
    publisher = DecisionPublisher(
        log=FirehoseLog(
            clients.firehose, delivery_stream=at.delivery_stream, quarantine=S3Quarantine(clients.s3, bucket=bucket)
        ),
        stream=FeedbackStream(clients.kinesis, stream=at.stream),
    )
    with (
        saying_on_stop(lambda: f"stopped: repeat the command with --id {batch.id}, which decides nothing twice"),
        progress(
            "{task.description}", BarColumn(), "{task.completed:,}/{task.total:,}", TimeElapsedColumn()
        ) as display,
    ):
        tasks = {
            destination: display.add_task(f"into the {destination}", total=len(decisions))
            for destination in ("log", "stream")
        }
        publisher.publish(batch, decisions, progress=lambda where, number: display.advance(tasks[where], number))


def _wait(at: DecisionTarget, decisions: Sequence[PlannedDecision]) -> frozenset[str]:
    """Wait until the table contains the decisions, and return the ids of those that it contains."""
    backoff = Backoff(
        WAIT_SECONDS, first_wait_seconds=FIRST_LOOK_SECONDS, longest_wait_seconds=LONGEST_LOOK_SECONDS, wait=_sleep
    )
    with progress("{task.description}", BarColumn(), "{task.completed:,}/{task.total:,}") as display:
        task = display.add_task("in the table", total=len(decisions))
        try:
            return wait_until_shown(
                at.store, decisions, backoff=backoff, progress=lambda number: display.advance(task, number)
            )
        except STOPS_BATCH as error:
            say([f"the table cannot be read: {error}"], to=to_people())
            return frozenset()


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def _say_late(shown: frozenset[str] | None, decisions: Sequence[PlannedDecision]) -> None:
    if shown is None or len(shown) == len(decisions):
        return
    line = (
        f"the table shows {len(shown):,} of {counted(len(decisions), 'decision')} so far, because the projector is "
        "late: they are safe in the log and the stream, and `mailfold lookup` will agree; see `mailfold doctor`"
    )
    say([line], to=to_people())


def _ses_list(at: DecisionTarget, decisions: Sequence[PlannedDecision]) -> SuppressionList:
    """Return the list of the decisions' scope, which is the same for all.

    Raises:
        UsageError: The scope has no list.
    """
    ses = at.cloud.clients.sesv2
    if not at.cloud.is_local:
        limit_rate(ses)
    scope = decisions[0].key.scope
    return SuppressionList(ses, tenant=None if scope == EVERY_SCOPE else scope)


def _change_list(ses_list: SuppressionList, decisions: Sequence[PlannedDecision]) -> SesChanges:
    changes = SesChanges()
    with (
        saying_on_stop(lambda: "stopped: the decisions are made, but not all entries of SES's list are changed"),
        progress(
            "{task.description}", BarColumn(), "{task.completed:,}/{task.total:,}", TimeElapsedColumn()
        ) as display,
    ):
        for planned in display.track(decisions, description="changing SES's list"):
            try:
                changes.done[planned.event_id] = _change(ses_list, planned)
            except MailfoldError as error:
                changes.failures[planned.event_id] = str(error)
    return changes


def _change(ses_list: SuppressionList, planned: PlannedDecision) -> dict[str, Any]:
    if planned.action is FactKind.RELEASE:
        return dict(ses_list.remove_all(planned.spellings))
    has_complained = Reason.COMPLAINT in (held.reason for held in planned.before.reasons)
    spelling = planned.spellings[0]
    return {spelling: ses_list.add(spelling, "COMPLAINT" if has_complained else "BOUNCE")}
