"""`mailfold cost`: what it will cost a month in AWS, by part."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from pipeline.aws.cost.estimate import Estimate, PriceList, estimate, price_list, read_prices
from pipeline.aws.cost.workload import (
    EVENTS_PER_EMAIL,
    EVENTS_PER_TRACKED_EMAIL,
    ConsumerMode,
    StreamMode,
    Workload,
    check_region,
)
from pipeline.cli.options import resolve_option
from pipeline.cli.output import counted, results, say, write_json

MOST_EMAILS = 10**10  # a day, which nobody sends


class RetentionDays(StrEnum):
    """The template's `StreamRetentionDays`."""

    ONE, TWO, THREE, SEVEN, FOURTEEN, THIRTY, YEAR = "1", "2", "3", "7", "14", "30", "365"


def cost_command(
    *,
    emails_per_day: Annotated[
        int, typer.Option(min=0, max=MOST_EMAILS, metavar="N", help="E-mails, each to one recipient.")
    ],
    region: Annotated[
        str | None, typer.Option(help="Where; otherwise where the prices are from.", callback=resolve_option)
    ] = None,
    untracked: Annotated[bool, typer.Option("--untracked", help="Opens and clicks are no events.")] = False,
    events_per_email: Annotated[
        float | None,
        typer.Option(
            min=1, max=1_000, metavar="N", help=f"{EVENTS_PER_TRACKED_EMAIL}, or {EVENTS_PER_EMAIL} if untracked."
        ),
    ] = None,
    feedback_percent: Annotated[
        float, typer.Option(min=0, max=100, metavar="N", help="E-mails that bounce or are complained of.")
    ] = 2.0,
    lookups_per_email: Annotated[
        float, typer.Option(min=0, max=1_000, metavar="N", help="How often senders ask.")
    ] = 1.0,
    stream_mode: Annotated[StreamMode, typer.Option(metavar="MODE", help="PROVISIONED or ON_DEMAND.")] = (
        StreamMode.PROVISIONED
    ),
    stream_shards: Annotated[
        int | None,
        typer.Option("--shards", min=1, max=10_000, metavar="N", help="As many as the busiest hour needs."),
    ] = None,
    stream_retention_days: Annotated[
        RetentionDays, typer.Option("--retention-days", metavar="N", help="1, 2, 3, 7, 14, 30 or 365.")
    ] = RetentionDays.SEVEN,
    consumer: Annotated[ConsumerMode, typer.Option(metavar="WHO", help="lambda, container or elsewhere.")] = (
        ConsumerMode.LAMBDA
    ),
    consumer_tasks: Annotated[
        int, typer.Option("--tasks", min=1, max=1_000, metavar="N", help="Of the container, each of the smallest size.")
    ] = 1,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other prices: a `price_list` as --json prints it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Everything as one line of JSON, usage and prices too.")] = False,
) -> None:
    """Tell what Mailfold will cost a month in AWS, by part; nobody is asked, and no account is needed.

    Example: mailfold cost --emails-per-day 100000
    """
    if region:
        check_region(region)
    listed = read_prices(prices) if prices else price_list()
    usual = EVENTS_PER_EMAIL if untracked else EVENTS_PER_TRACKED_EMAIL
    load = Workload(
        emails_per_day=emails_per_day,
        events_per_email=events_per_email or usual,
        feedback_percent=feedback_percent,
        lookups_per_email=lookups_per_email,
        stream_mode=stream_mode,
        stream_shards=stream_shards,
        stream_retention_days=int(stream_retention_days),
        consumer=consumer,
        consumer_tasks=consumer_tasks,
    )
    found = estimate(load, listed)
    if json:
        write_json(estimate_json(found, load, listed, region=region))
    else:
        results().print(_table(found, load, listed))
        say(_notes(found, load, listed, region), to=results())


def estimate_json(found: Estimate, load: Workload, prices: PriceList, *, region: str | None) -> dict[str, Any]:
    """Return an estimate as the JSON object that `mailfold cost --json` prints."""
    return {
        "region": region or prices.region,
        "prices_are_of_region": (region or prices.region) == prices.region,
        "workload": {**msgspec.to_builtins(load), "stream_shards": load.shards},
        "first_usd": found.first_usd,
        "twelfth_usd": found.twelfth_usd,
        "first_usd_per_1000_emails": found.per_thousand(found.first_usd),
        "twelfth_usd_per_1000_emails": found.per_thousand(found.twelfth_usd),
        "ses_usd": found.ses_usd,
        "athena_query_usd": found.query_usd,
        "costs": msgspec.to_builtins(found.costs),
        "price_list": msgspec.to_builtins(prices),
    }


def _table(found: Estimate, load: Workload, prices: PriceList) -> Table:
    shown = Table(title=f"Mailfold at {load.emails_per_day:,} e-mails a day, in US dollars", title_justify="left")
    shown.add_column(f"a month, prices of {prices.region}")
    for name in ("first month", "twelfth month", "per 1,000"):
        shown.add_column(name, justify="right")
    for cost in found.costs:
        shown.add_row(cost.part, *_dollars(found, cost.first_usd, cost.twelfth_usd))
    shown.add_section()
    shown.add_row("together", *_dollars(found, found.first_usd, found.twelfth_usd), style="bold")
    shown.add_row("SES itself, to compare", *_dollars(found, found.ses_usd, found.ses_usd))
    return shown


def _dollars(found: Estimate, first_usd: float, twelfth_usd: float) -> tuple[str, str, str]:
    """Return the columns of a row; the last is of the twelfth month, and blank if no e-mail is sent."""
    per_thousand = found.per_thousand(twelfth_usd)
    return f"{first_usd:,.2f}", f"{twelfth_usd:,.2f}", "" if per_thousand is None else f"{per_thousand:,.4f}"


def _notes(found: Estimate, load: Workload, prices: PriceList, region: str | None) -> Iterator[str]:
    if region and region != prices.region:
        yield ""
        yield f"These are prices of {prices.region}. Those of {region} differ, and are not known here: AWS's pages"
        yield "below have them, and --prices takes them."
    yield from ("", "Assumed:")
    yield from (f"  {line}" for line in _assumptions(load))
    yield from ("", "Not certain, so counted at the usual price:")
    yield "  EventBridge: AWS does not say whether it charges for SES's events, as it does for S3's"
    yield "  CloudWatch: nor whether for what Lambda counts of the mapping from stream to projector"
    yield from ("", "Not counted:")
    yield "  free tiers, discounts, taxes; e-mails of alarms; what crosses regions"
    if load.consumer is ConsumerMode.CONTAINER:
        yield "  the container's image and network: a NAT gateway, VPC endpoints or a public address"
    elif load.consumer is ConsumerMode.ELSEWHERE:
        yield "  wherever `mailfold consume` runs, and what it logs and counts there"
    yield f"  Athena: ${found.query_usd:,.4f} for one question about a month's bounces that reads no more than it needs"
    yield from ("", "Prices, by AWS's page and the month in which they were read:")
    for source, (oldest, newest) in prices.sources().items():
        yield f"  {source}  {oldest if oldest == newest else f'{oldest} to {newest}'}"


def _assumptions(load: Workload) -> Iterator[str]:
    yield f"{load.events_per_email:g} events of each e-mail, of {load.event_bytes:,} bytes"
    yield f"senders' look-ups for each e-mail: {load.lookups_per_email:g}"
    yield f"{load.feedback_percent:g} % of e-mails bounce or are complained of, each at another address"
    shards = f", {counted(load.shards, 'shard')}" if load.stream_mode is StreamMode.PROVISIONED else ""
    yield f"a stream of mode {load.stream_mode}{shards}, kept for {counted(load.stream_retention_days, 'day')}"
    if load.consumer is ConsumerMode.CONTAINER:
        yield f"a container reads it: {counted(load.consumer_tasks, 'task')}, a quarter of a processor and 1 GB, arm64"
    yield "the log takes a fifth of SES's bytes, is kept for ever, and is not read after 30 days"
    yield "e-mails come evenly, three times as many in the busiest hour"
    yield "everything else is as in the template"
