"""`mailfold cost`: estimate the monthly cost in AWS, by part."""

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
    firehose_quota_bytes,
)
from pipeline.cli.options import resolve_option
from pipeline.cli.output import counted, results, say, write_json

MAX_EMAILS_PER_DAY = 10**10  # more than any account sends


class RetentionDays(StrEnum):
    """The template's `StreamRetentionDays`."""

    ONE, TWO, THREE, SEVEN, FOURTEEN, THIRTY, YEAR = "1", "2", "3", "7", "14", "30", "365"


def cost_command(
    *,
    emails_per_day: Annotated[
        int, typer.Option(min=0, max=MAX_EMAILS_PER_DAY, metavar="N", help="E-mails, each to one recipient.")
    ],
    region: Annotated[
        str | None,
        typer.Option(help="Region of the deployment. Default: the region of the prices.", callback=resolve_option),
    ] = None,
    untracked: Annotated[bool, typer.Option("--untracked", help="Do not count opens and clicks as events.")] = False,
    events_per_email: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=1_000,
            metavar="N",
            help=f"Default: {EVENTS_PER_TRACKED_EMAIL}, or {EVENTS_PER_EMAIL} if untracked.",
        ),
    ] = None,
    feedback_percent: Annotated[
        float, typer.Option(min=0, max=100, metavar="N", help="Percentage that bounces or causes a complaint.")
    ] = 2.0,
    lookups_per_email: Annotated[
        float, typer.Option(min=0, max=1_000, metavar="N", help="Reads of the table by senders.")
    ] = 1.0,
    stream_mode: Annotated[StreamMode, typer.Option(metavar="MODE", help="PROVISIONED or ON_DEMAND.")] = (
        StreamMode.PROVISIONED
    ),
    stream_shards: Annotated[
        int | None,
        typer.Option("--shards", min=1, max=10_000, metavar="N", help="Default: enough for the busiest hour."),
    ] = None,
    stream_retention_days: Annotated[
        RetentionDays, typer.Option("--retention-days", metavar="N", help="1, 2, 3, 7, 14, 30 or 365.")
    ] = RetentionDays.SEVEN,
    consumer: Annotated[ConsumerMode, typer.Option(metavar="MODE", help="lambda, container or elsewhere.")] = (
        ConsumerMode.LAMBDA
    ),
    consumer_tasks: Annotated[
        int,
        typer.Option("--tasks", min=1, max=1_000, metavar="N", help="Tasks of the container, of the smallest size."),
    ] = 1,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A price list, like `price_list` in the output of --json.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print everything as one line of JSON, with usage and prices.")
    ] = False,
) -> None:
    """Estimate the monthly cost of Mailfold in AWS, by part. Makes no request to AWS and needs no account.

    Example: mailfold cost --emails-per-day 100000
    """
    if region:
        check_region(region)
    price_data = read_prices(prices) if prices else price_list()
    default_events = EVENTS_PER_EMAIL if untracked else EVENTS_PER_TRACKED_EMAIL
    workload = Workload(
        emails_per_day=emails_per_day,
        events_per_email=events_per_email or default_events,
        feedback_percent=feedback_percent,
        lookups_per_email=lookups_per_email,
        stream_mode=stream_mode,
        stream_shards=stream_shards,
        stream_retention_days=int(stream_retention_days),
        consumer=consumer,
        consumer_tasks=consumer_tasks,
    )
    result = estimate(workload, price_data)
    if json:
        write_json(estimate_json(result, workload, price_data, region=region))
    else:
        results().print(_table(result, workload, price_data))
        say(_notes(result, workload, price_data, region), to=results())


def estimate_json(result: Estimate, workload: Workload, prices: PriceList, *, region: str | None) -> dict[str, Any]:
    """Return an estimate as the JSON object that `mailfold cost --json` prints."""
    return {
        "region": region or prices.region,
        "prices_are_of_region": (region or prices.region) == prices.region,
        "workload": {**msgspec.to_builtins(workload), "stream_shards": workload.shards},
        "firehose_peak_bytes_per_second": workload.peak_bytes_per_second,
        "firehose_quota_bytes_per_second": firehose_quota_bytes(region or prices.region),
        "first_usd": result.first_usd,
        "twelfth_usd": result.twelfth_usd,
        "first_usd_per_1000_emails": result.per_thousand(result.first_usd),
        "twelfth_usd_per_1000_emails": result.per_thousand(result.twelfth_usd),
        "ses_usd": result.ses_usd,
        "athena_query_usd": result.query_usd,
        "rebuild_usd": result.rebuild_usd,
        "costs": msgspec.to_builtins(result.costs),
        "price_list": msgspec.to_builtins(prices),
    }


def _table(result: Estimate, workload: Workload, prices: PriceList) -> Table:
    table = Table(title=f"Mailfold at {workload.emails_per_day:,} e-mails a day, in US dollars", title_justify="left")
    table.add_column(f"a month, prices of {prices.region}")
    for name in ("first month", "twelfth month", "per 1,000"):
        table.add_column(name, justify="right")
    for cost in result.costs:
        table.add_row(cost.part, *_dollars(result, cost.first_usd, cost.twelfth_usd))
    table.add_section()
    table.add_row("total", *_dollars(result, result.first_usd, result.twelfth_usd), style="bold")
    table.add_row("SES itself, for comparison", *_dollars(result, result.ses_usd, result.ses_usd))
    return table


def _dollars(result: Estimate, first_usd: float, twelfth_usd: float) -> tuple[str, str, str]:
    """Return the columns of a row. The last one is for the twelfth month, and empty if no e-mail is sent."""
    per_thousand = result.per_thousand(twelfth_usd)
    return f"{first_usd:,.2f}", f"{twelfth_usd:,.2f}", "" if per_thousand is None else f"{per_thousand:,.4f}"


def _notes(result: Estimate, workload: Workload, prices: PriceList, region: str | None) -> Iterator[str]:
    if region and region != prices.region:
        yield ""
        yield f"These are prices of {prices.region}. Those of {region} differ and are not included: AWS's pages"
        yield "below state them, and --prices reads them from a file."
    yield from ("", "Assumed:")
    yield from (f"  {line}" for line in _assumptions(workload))
    yield from ("", "Quota:", f"  {_quota(workload, region or prices.region)}")
    yield from ("", "Uncertain, so included at the regular price:")
    yield "  EventBridge: AWS does not state whether it charges for events of SES, as it does for those of S3"
    yield "  CloudWatch: AWS does not state whether it charges for metrics of event source mappings"
    yield from ("", "Not included:")
    yield "  free tiers, discounts, taxes; alarm e-mails; transfer between regions"
    if workload.consumer is ConsumerMode.CONTAINER:
        yield "  the container's image and network: a NAT gateway, VPC endpoints or a public address"
    elif workload.consumer is ConsumerMode.ELSEWHERE:
        yield "  the machine that runs `mailfold consume`, its logs and its metrics"
    yield f"  Athena: ${result.query_usd:,.4f} for one query for a month's bounces that reads only the columns it needs"
    yield f"  Rebuild of the table in the twelfth month: ${result.rebuild_usd:,.2f}, in the region of the log, to write"
    yield "  every address, and for the log, which S3 bills as read for months"
    yield from ("", "Sources of the prices, and the month in which they were read:")
    for source, (oldest, newest) in prices.sources().items():
        yield f"  {source}  {oldest if oldest == newest else f'{oldest} to {newest}'}"


def _quota(workload: Workload, region: str) -> str:
    """Return how much of Firehose's quota the busiest hour needs. A throttled event may be lost."""
    quota_bytes = firehose_quota_bytes(region)
    share = workload.peak_bytes_per_second / quota_bytes
    advice = ": request a higher one before you deploy (Service Quotas, Firehose, direct PUT)" if share > 1 else ""
    return f"Firehose accepts {quota_bytes >> 20} MiB/s in {region}; the busiest hour needs {share:.0%} of it{advice}"


def _assumptions(workload: Workload) -> Iterator[str]:
    yield f"{workload.events_per_email:g} events per e-mail, of {workload.event_bytes:,} bytes"
    yield f"look-ups by senders per e-mail: {workload.lookups_per_email:g}"
    yield f"{workload.feedback_percent:g} % of e-mails bounce or cause a complaint, each at another address"
    shards = f", {counted(workload.shards, 'shard')}" if workload.stream_mode is StreamMode.PROVISIONED else ""
    yield f"a stream of mode {workload.stream_mode}{shards}, retention {counted(workload.stream_retention_days, 'day')}"
    if workload.consumer is ConsumerMode.CONTAINER:
        yield f"a container with {counted(workload.consumer_tasks, 'task')} of a quarter of a processor and 1 GB, arm64"
    yield "the log has a fifth of SES's bytes, is kept forever, and is not read after 30 days"
    yield "mail is sent evenly, with three times as much in the busiest hour"
    yield "all other parameters have the template's defaults"
