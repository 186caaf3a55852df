"""`mailfold explain`: why an address is suppressed or clear, for support staff."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated

import msgspec
import typer

from pipeline.address import canonical
from pipeline.aws.archive.address_history import read_history
from pipeline.aws.clients import limit_rate
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.ses import look_up_list
from pipeline.aws.settings import BUCKET
from pipeline.cli.options import RegionOption, StackOption, parse_moment, parse_scope
from pipeline.cli.output import encodable, results, say, to_people, write_json
from pipeline.cli.query import SCAN_LIMIT, parse_scan_limit, run_query, scan_text
from pipeline.cli.target import Target, target
from pipeline.errors import NotAnAddress, UsageError
from pipeline.explain import explain, known_spellings
from pipeline.explanation import ExplainedEvent, Explanation, ListAnswer, LogAnswer, Question
from pipeline.explanation_text import list_text, time_text
from pipeline.pseudonym import pseudonym
from pipeline.standing import EVERY_SCOPE

# By kind, where the log has no record of the event itself.
_DESCRIBED_BY_TABLE = {"": " (as the table keeps it)", "evidence": " (lost, as a table had kept it)"}


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """The days of the log to read.

    Attributes:
        first: The first one; None for all up to the last.
        last: The last one; None for all from the first.
    """

    first: date | None
    last: date | None


def explain_command(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address, in any spelling.")],
    *,
    scope: Annotated[
        str, typer.Option(help="The sender's scope, such as its SES tenant. Facts about all mail count in any case.")
    ] = EVERY_SCOPE,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Answer from what had arrived in the log by this date or time, UTC."),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="Read the log from this day on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Read the log up to and with this day.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON: schemas/explanation.json.")] = False,
    timeout_seconds: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for Athena.")] = 300.0,
    max_scan: Annotated[
        str, typer.Option("--max-scan", metavar="SIZE", help="Stop the query once it has read more: 500MB, 2TiB.")
    ] = SCAN_LIMIT,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Explain why an address is suppressed or clear: the rules, and everything that happened, in order.

    It reads the table, which senders ask; every event and decision of the log, by one Athena query; and what SES's own
    suppression lists say, in the spellings that are known. If log and table differ, it says so, with the command that
    heals them. A log or a list that does not answer, as on a sender's machine, is named, and the rest is explained.

    AWS bills what the query reads. --since and --until bound it to days: the day of arrival, or of the event where it
    was ingested. --as-of shows the verdict as it was then, from what had arrived in the log by then, with today's
    policy.

    Example: mailfold explain --scope acme bounce+ann@example.com
    """
    limit_bytes, days = parse_scan_limit(max_scan), Days(first=_day(since), last=_day(until))
    if days.first and days.last and days.first > days.last:
        raise UsageError("--since must not be later than --until")
    scope, past, key = parse_scope(scope), parse_moment(as_of), canonical(address)
    if key is None:
        raise NotAnAddress("what is asked about is not exactly one e-mail address: write it like ann@example.com")
    cloud, now = target(stack, region, unused=BUCKET), datetime.now(UTC)
    erasure_key = cloud.erasure_key()
    if past and past > now:
        raise UsageError("--as-of is in the future, and no one knows what will have arrived by then")
    question = Question(
        requested=encodable(address),
        address=key,
        scope=scope,
        moment=past or now,
        is_as_of=past is not None,
        policy=cloud.settings.policy,
        pseudonym=pseudonym(key, key=erasure_key) if erasure_key else None,
    )
    explanation = _explain(cloud, question, days, timeout_seconds=timeout_seconds, limit_bytes=limit_bytes)
    if json:
        write_json(explanation)
    else:
        say(explanation_lines(explanation), to=results())
    if explanation.log_was_read:
        to_people().print(scan_text(explanation.scanned_bytes, cloud), style="dim")


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """Yield an explanation as lines for people."""
    yield explanation.text
    for reason in explanation.reasons:
        yield f"  {reason.text}"
    yield ""
    yield "What happened, in order of time:" if explanation.events else "Nothing has happened that is known here."
    for event in explanation.events:
        yield from _event_lines(event)
    yield ""
    for answer in explanation.lists:
        yield list_text(answer, is_suppressed=explanation.suppressed)
    yield from explanation.notes


def _explain(cloud: Target, question: Question, days: Days, *, timeout_seconds: float, limit_bytes: int) -> Explanation:
    items = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table).load(question.keys)
    log = _read_log(cloud, question, days, timeout_seconds=timeout_seconds, limit_bytes=limit_bytes)
    lists = _look_up_lists(cloud, question.scope, known_spellings(question, items, log))
    return explain(question, items=items, log=log, lists=lists)


def _read_log(cloud: Target, question: Question, days: Days, *, timeout_seconds: float, limit_bytes: int) -> LogAnswer:
    if not cloud.settings.bucket:
        return LogAnswer(problem=f"{BUCKET} is not set, and no stack is named", is_whole=False)
    if not (cloud.is_local or days.first):
        say(["all days of the log are read, which AWS bills: --since DAY reads fewer"], to=to_people())
    # What had arrived by a time lies in the partition of that day or, if it was ingested, of an earlier one.
    last_days = [day for day in (days.last, question.moment.date() if question.is_as_of else None) if day]
    return read_history(
        partial(run_query, cloud, timeout_seconds=timeout_seconds, limit_bytes=limit_bytes),
        question.forms,
        first_day=days.first or date.min,
        last_day=min(last_days, default=date.max),
        is_whole=not (days.first or days.last),
    )


def _look_up_lists(cloud: Target, scope: str, spellings: Sequence[str]) -> list[ListAnswer]:
    tenants, ses = [None] if scope == EVERY_SCOPE else [None, scope], cloud.clients.sesv2
    if not cloud.is_local:
        limit_rate(ses)
    with to_people().status("asking SES"):
        return [look_up_list(ses, spellings, tenant=tenant) for tenant in tenants]


def _day(text: str | None) -> date | None:
    moment = parse_moment(text)
    return moment.date() if moment else None


def _event_lines(event: ExplainedEvent) -> Iterator[str]:
    """Yield what happened, the mail that it was about, the server's words, who decided, and what it does."""
    yield f"  {time_text(event.at) if event.at else 'at an unknown time'}  {event.text}"
    if event.message_id:
        subject = f' "{event.subject}"' if event.subject else ""
        sender = f" from {event.sender}" if event.sender else ""
        yield f"    mail{subject}{sender} ({event.message_id})"
    if words := " ".join(filter(None, (event.sub_type, event.status, event.diagnostic))):
        yield f"    report: {words}"
    if event.decided_by or event.because or event.batch:
        batch = f", batch {event.batch}" if event.batch else ""
        yield f"    decided by {event.decided_by or 'an unnamed operator'}: {event.because or 'no reason'}{batch}"
    for fact in event.facts:
        yield f"    {fact.fact}: {fact.text}"
    yield f"    event {event.event_id}{_DESCRIBED_BY_TABLE.get(event.kind, '')}"
