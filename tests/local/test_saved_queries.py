"""The queries that a deployment saves in Athena: each is right although the log contains every event twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.aws.archive.sql_files import sql_files
from pipeline.batch import group_by_key
from pipeline.digest import digest
from pipeline.local.athena import Athena
from pipeline.local.sql.parameters import bind
from pipeline.row import row_facts
from pipeline.timestamp import format_time
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_decision, a_delivery, a_record, a_send
from tests.support.log_in_s3 import a_bucket, keep, mock_s3
from tests.support.rows import rows_of

NOW = datetime.now(UTC).replace(microsecond=0)
MAIL = "mail-1"
DELAY = {"timestamp": "2026-03-01T12:00:01Z", "delayType": "General", "delayedRecipients": [{"emailAddress": BOB}]}
EVENTS = (
    a_send(messageId=MAIL, destination=[ADA, BOB], timestamp=format_time(NOW)),
    a_bounce(recipients=(ADA,), messageId=MAIL, at=NOW, timestamp=format_time(NOW)),
    a_record("DeliveryDelay", {"deliveryDelay": DELAY}, messageId=MAIL),
    a_delivery(recipients=(BOB,), messageId=MAIL),
    a_complaint(recipients=(BOB,), messageId=MAIL, at=NOW, timestamp=format_time(NOW)),
    a_send(messageId="mail-2", destination=[BOB], timestamp=format_time(NOW)),
    a_decision(address="eve@example.org", batch="019cbd709d0070008000000000000001", batchSize=1),
    a_decision(address="eve@example.org", batch="019cbd709d0070008000000000000002", decision_id="1" * 32),
)
OLD = a_bounce(recipients=(BOB,), messageId="old")
DIGEST = digest(group_by_key(fact for row in rows_of(*EVENTS, OLD) for fact in row_facts(row)).items())

# Placeholders in a query, and the values that a reader puts there.
PARAMETERS = {"events_of_an_address": ("'2000-01-01'", "'9999-12-31'", *(f"'{ADA}'",) * 4)}
PLACEHOLDERS = {"0100018f00000000-00000000-0000-0000-0000-000000000000-000000": MAIL, "ann@example.com": ADA}

EXPECTED: dict[str, list[tuple[str, ...]]] = {
    "addresses_by_fact": [("hard", "2"), ("complaint", "1"), ("suppress", "1")],
    "bounce_rate_by_day": [(f"{NOW:%Y-%m-%d}", "3", "1", "1")],
    "bounce_surges": [("example.com", "5.1.1", "1", "1", "1")],
    "bounces_by_domain": [("example.com", "hard", "1")],
    "decisions_of_a_request": [("suppress",)],
    "delays_by_domain": [("example.net", "1", "1")],
    "events_of_an_address": [(EVENTS[0].decode(),), (EVENTS[1].decode(),)],
    "history_of_a_mail": [("send",), ("bounce",), ("delivery",), ("delivery_delay",), ("complaint",)],
    "history_of_an_address": [("hard",)],
    "table_digest": [(DIGEST,)],
}
COLUMNS = {
    "addresses_by_fact": ("fact", "addresses"),
    "bounce_rate_by_day": ("day", "recipients", "bounced_recipients", "complaints"),
    "bounce_surges": ("recipient_domain", "status", "bounces", "hour_bounces", "hour_sends"),
    "bounces_by_domain": ("recipient_domain", "fact", "bounces"),
    "decisions_of_a_request": ("decision",),
    "delays_by_domain": ("recipient_domain", "delays", "mails"),
    "events_of_an_address": ("raw",),
    "history_of_a_mail": ("event_type",),
    "history_of_an_address": ("fact",),
    "table_digest": ("digest",),
}
QUERIES = {file.name: file.sql for file in sql_files("queries")}


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    """Athena over a log that contains each event twice, and an old one that no query may count."""
    with mock_s3() as s3:
        bucket = a_bucket(s3)
        keep(s3, bucket, *EVENTS, arrived_at=NOW)
        keep(s3, bucket, *EVENTS[::-1], arrived_at=NOW)
        keep(s3, bucket, OLD, arrived_at=NOW - timedelta(days=40))
        with Athena(s3, bucket=bucket) as athena:
            yield athena


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_has_its_expected_result(athena: Athena, name: str) -> None:
    """A saved query, with its placeholders replaced, counts each event once."""
    sql = QUERIES[name]
    for placeholder, value in PLACEHOLDERS.items():
        sql = sql.replace(placeholder, value)
    result = athena.run(bind(sql, PARAMETERS.get(name, ())))
    names = [column.name for column in result.columns]
    rows = [tuple(row[names.index(column)] for column in COLUMNS[name]) for row in result.rows]
    assert sorted(map(str, rows)) == sorted(map(str, EXPECTED[name]))


def test_every_query_is_tested() -> None:
    """Each saved query has an expected result above."""
    assert QUERIES.keys() == EXPECTED.keys() == COLUMNS.keys()
