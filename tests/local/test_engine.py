"""The views of `schemas/views`, each over a few events whose result can be counted by hand."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.local.athena import Athena
from pipeline.local.sql.engine import views
from tests.support.builders import (
    ADA,
    BOB,
    a_bounce,
    a_click,
    a_complaint,
    a_decision,
    a_delivery,
    a_send,
    a_soft_bounce,
    an_open,
)
from tests.support.log_in_s3 import ARRIVED_AT, a_bucket, keep, mock_s3

FIRST, SECOND = "mail-1", "mail-2"
SPRING = {"campaign": ["spring"], "ses:configuration-set": ["bulk"], "ses:operation": ["SendEmail"]}
LINK = "https://shop.example.org/spring"

EVENTS = (
    # The first mail goes to Ada and Bob: Ada has no mailbox, Bob reads, clicks and complains.
    a_send(messageId=FIRST, destination=[ADA, BOB], tags=SPRING),
    a_bounce(recipients=(ADA,), messageId=FIRST, tags=SPRING),
    a_delivery(recipients=(BOB,), messageId=FIRST, tags=SPRING),
    an_open(messageId=FIRST, destination=[BOB], tags=SPRING),
    a_click(link=LINK, messageId=FIRST, destination=[BOB], tags=SPRING),
    a_complaint(recipients=(BOB,), messageId=FIRST, tags=SPRING),
    # The second goes to Bob alone, whose mailbox is full.
    a_send(messageId=SECOND, destination=[BOB], tags=None),
    a_soft_bounce(recipients=(BOB,), messageId=SECOND, tags=None),
    a_decision(address=ADA),
)

FILES = {file.stem: file.read_text() for file in (Path(__file__).parents[2] / "schemas" / "views").glob("*.sql")}

EXPECTED = {
    "SELECT address, fact, fact_at, message_id FROM suppression_facts ORDER BY 1, 2": [
        (ADA, "hard", "2026-03-01 12:00:02.000", FIRST),
        (ADA, "suppress", "2026-03-01 12:00:02.000", ""),
        (BOB, "complaint", "2026-03-01 12:00:02.000", FIRST),
        (BOB, "soft", "2026-03-01 12:00:02.000", SECOND),
    ],
    "SELECT fact, count(*) FROM table_facts GROUP BY fact ORDER BY fact": [
        ("complaint", "1"),
        ("hard", "1"),
        ("soft", "1"),
        ("suppress", "1"),
    ],
    "SELECT * FROM daily_counts ORDER BY event_type": [
        ("2026-03-01", "bounce", "2", "2"),
        ("2026-03-01", "click", "1", "1"),
        ("2026-03-01", "complaint", "1", "1"),
        ("2026-03-01", "decision", "1", "0"),
        ("2026-03-01", "delivery", "1", "1"),
        ("2026-03-01", "open", "1", "1"),
        ("2026-03-01", "send", "2", "2"),
    ],
    "SELECT * FROM daily_rates ORDER BY configuration_set": [
        ("2026-03-01", "bulk", "2", "1", "1", "50.0", "50.0"),
        ("2026-03-01", None, "1", "0", "0", "0.0", "0.0"),
    ],
    "SELECT * FROM domain_counts ORDER BY recipient_domain": [
        ("2026-03-01", "example.com", "1", "0", "0", "1", "0", "0", "0"),
        ("2026-03-01", "example.net", "2", "1", "0", "0", "0", "1", "1"),
    ],
    "SELECT message_id, sent_at, source, configuration_set, delivered_at IS NULL, bounced_at, complained_at IS NULL, "
    "opened_at, clicked_at, deliveries, bounces, complaints, opens, clicks FROM mails ORDER BY message_id": [
        (
            FIRST, "2026-03-01 12:00:00.000", "news@example.org", "bulk", "false", "2026-03-01 12:00:02.000", "false",
            "2026-03-01 12:00:02.000", "2026-03-01 12:00:02.000", "1", "1", "1", "1", "1",
        ),
        (
            SECOND, "2026-03-01 12:00:00.000", "news@example.org", None, "true", "2026-03-01 12:00:02.000", "true",
            None, None, "0", "1", "0", "0", "0",
        ),
    ],
    "SELECT * FROM delivery_times": [("2026-03-01", "example.net", "1", "1.234", "1.234", "1.234")],
    "SELECT * FROM tag_counts WHERE event_type IN ('send', 'bounce') ORDER BY event_type": [
        ("2026-03-01", "campaign", "spring", "bounce", "1", "1"),
        ("2026-03-01", "campaign", "spring", "send", "1", "1"),
    ],
    "SELECT * FROM link_clicks": [("2026-03-01", LINK, "shop.example.org", "1", "0", "0", "1")],
}  # fmt: skip


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    """Athena over a log that contains each event twice, on two days."""
    with mock_s3() as s3:
        bucket = a_bucket(s3)
        keep(s3, bucket, *EVENTS)
        keep(s3, bucket, *EVENTS[::-1], arrived_at=ARRIVED_AT + timedelta(days=1))
        with Athena(s3, bucket=bucket) as athena:
            yield athena


@pytest.mark.parametrize(("statement", "rows"), EXPECTED.items(), ids=EXPECTED)
def test_a_view_counts_each_event_once(athena: Athena, statement: str, rows: list[tuple[str | None, ...]]) -> None:
    """A view's result is right although the log contains each event twice."""
    assert athena.run(statement).rows == rows


def test_every_view_is_tested_and_in_the_file_of_its_name() -> None:
    """Each view has the name of its file, and a query above."""
    tested = {name for name in FILES if any(f"FROM {name}" in statement for statement in EXPECTED)}
    assert views().keys() == FILES.keys() == tested


@pytest.mark.parametrize("name", FILES)
def test_a_views_example_runs(athena: Athena, name: str) -> None:
    """The example in a view's file is a valid query."""
    (example,) = [line for line in FILES[name].splitlines() if line.startswith("-- Example: ")]
    athena.run(example.removeprefix("-- Example: "))
