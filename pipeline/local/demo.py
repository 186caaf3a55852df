"""The demo: send e-mails through a local cloud, and compare what arrives with what was published.

Nothing is compared with itself: expectations come from `pipeline.local.oracle`, results from log and table.
The caller may stop a demo from its `progress` callback, which is called between all steps and while they wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.archive.athena import QueryResult, query
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.errors import Unavailable
from pipeline.local.traffic.generator import generate_traffic
from pipeline.lookup import LookupResult, lookup
from pipeline.policy import Policy
from pipeline.replay import ReplayResult, replay, store_digest
from pipeline.verdict import Reason

if TYPE_CHECKING:
    from pipeline.local.cloud import LocalCloud
    from pipeline.local.oracle import Oracle

START = datetime(2026, 3, 1, tzinfo=UTC)  # fixed, so that a seed gives the same events on any day
EMAILS_PER_CALL = 100
SETTLE_STEPS = 120  # of a second each; an overloaded machine needs minutes for 100,000 e-mails
SIMULATOR = ("success", "bounce", "ooto", "complaint", "suppressionlist")
BY_KIND = "SELECT event_type, count(DISTINCT event_id) AS events FROM events GROUP BY 1 ORDER BY 2 DESC, 1"
BY_DOMAIN = """SELECT recipient_domain,
  sum(sends) AS sends, sum(hard_bounces) AS hard_bounces, sum(complaints) AS complaints
FROM domain_counts GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1 LIMIT 5"""
SUPPRESSED = """SELECT count(DISTINCT address || ' ' || scope) FROM suppression_facts
WHERE fact IN ('hard', 'blocked', 'inferred', 'listed', 'complaint', 'uncertain_complaint')
  AND NOT address LIKE '%@simulator.amazonses.com'"""

DemoProgress = Callable[[str, int, int], None]
"""Called with the step that runs, how much of it is done, and how much there is. It may raise an error to stop."""


class AgreementCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Two values that must be equal.

    Attributes:
        name: What the values count or identify.
        expected: Value derived from what was published.
        actual: Value that arrived.
    """

    name: str
    expected: str
    actual: str

    @property
    def agrees(self) -> bool:
        """True if the values are equal."""
        return self.expected == self.actual


class DemoReport(msgspec.Struct, kw_only=True):
    """Result of a demo.

    Attributes:
        emails: E-mails sent, those to the mailbox simulator included.
        records_published: Records that SES published.
        events: Distinct events in the log, by type.
        objects: Parquet objects of the log.
        object_bytes: Their total size.
        feedback_published: Bounces and complaints published.
        feedback_consumed: Records that the projection consumed.
        suppressed: Addresses suppressed, by reason.
        sql: A query of the log.
        answer: Its result.
        lookups: Lookups of three addresses, as a sender makes them.
        replayed: Replay of the whole log into an empty table.
        healed: Replay of the log into the live table; None without chaos.
        digest: Digest of the live table.
        checks: Values that must be equal.
    """

    emails: int
    records_published: int
    events: dict[str, int]
    objects: int
    object_bytes: int
    feedback_published: int
    feedback_consumed: int
    suppressed: dict[str, int]
    sql: str
    answer: QueryResult
    lookups: Sequence[LookupResult]
    replayed: ReplayResult
    healed: ReplayResult | None
    digest: str
    checks: Sequence[AgreementCheck]


class Demo:
    """Runs once in a fresh local cloud.

    Args:
        cloud: The cloud. Its observer is `oracle.observe`.
        oracle: Source of all expected values.
        policy: The cloud's policy.
        chaotic: True if the cloud loses events on purpose. The log then heals the live table.
        progress: See `DemoProgress`.
    """

    def __init__(
        self, cloud: LocalCloud, *, oracle: Oracle, policy: Policy, chaotic: bool, progress: DemoProgress
    ) -> None:
        self._cloud, self._oracle, self._policy = cloud, oracle, policy
        self._chaotic, self._progress = chaotic, progress
        self._live = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.names.table)
        self._archive = S3Archive(cloud.clients.s3, bucket=cloud.names.bucket)

    def run(self, *, emails: int, seed: int) -> DemoReport:
        """Send the e-mails, wait until they are in log and table, replay the log, and compare.

        Raises:
            MailfoldError: A part of the cloud fails.
        """
        self._send(emails, seed)
        self._settle()
        healed = self._replay(self._live, "replaying the log into the live table") if self._chaotic else None
        rebuilt = self._create_empty_table()
        replayed = self._replay(rebuilt, "replaying the log into an empty table")
        events = {str(kind): int(count or 0) for kind, count in self._query(BY_KIND).rows}
        suppressed = Counter(str(item.verdict.reason) for _, item in self._live.scan() if item.verdict.suppressed)
        digest = store_digest(self._live)
        checks = [
            *self._check_events(events),
            *self._check_feedback(),
            *self._check_suppressed(suppressed),
            *self._check_digests(digest, store_digest(rebuilt)),
        ]
        counters = self._cloud.delivery_stream.counters
        return DemoReport(
            emails=emails + len(SIMULATOR),
            records_published=self._oracle.records,
            events=events,
            objects=counters.objects,
            object_bytes=counters.object_bytes,
            feedback_published=self._oracle.feedback,
            feedback_consumed=self._cloud.mapping.finished,
            suppressed=dict(suppressed),
            sql=BY_DOMAIN,
            answer=self._query(BY_DOMAIN),
            lookups=self._look_up(),
            replayed=replayed,
            healed=healed,
            digest=digest,
            checks=checks,
        )

    def _send(self, emails: int, seed: int) -> None:
        traffic, sent = generate_traffic(emails=emails, seed=seed, start=START), 0
        while mails := list(islice(traffic, EMAILS_PER_CALL)):
            self._cloud.publish(list(chain.from_iterable(mails)))
            sent += len(mails)
            self._progress("sending e-mails", sent, emails)
        for name in SIMULATOR:
            self._cloud.clients.sesv2.send_email(
                FromEmailAddress="news@example.com",
                Destination={"ToAddresses": [f"{name}+demo@simulator.amazonses.com"]},
                Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello."}}}},
                ConfigurationSetName=self._cloud.names.configuration_set,
            )

    def _settle(self) -> None:
        """Wait in short steps, so that `progress` can stop it."""
        for _ in range(SETTLE_STEPS - 1):
            self._progress("delivering events to log and table", 0, 1)
            with suppress(Unavailable):
                self._cloud.settle(1.0)
                return
        self._cloud.settle(1.0)

    def _create_empty_table(self) -> DynamoSuppressionStore:
        name = f"{self._cloud.names.table}-rebuilt"
        ensure_table(self._cloud.clients.dynamodb, name)
        return DynamoSuppressionStore(self._cloud.clients.dynamodb, table=name)

    def _replay(self, store: DynamoSuppressionStore, step: str) -> ReplayResult:
        self._progress(step, 0, 1)
        return replay(self._archive, store=store, policy=self._policy, progress=lambda _: self._progress(step, 0, 1))

    def _query(self, sql: str) -> QueryResult:
        step = "querying the log"
        self._progress(step, 0, 1)
        return query(
            self._cloud.clients.athena,
            sql,
            database=self._cloud.names.database,
            output_location=f"s3://{self._cloud.names.bucket}/athena-results/",
            progress=lambda _: self._progress(step, 0, 1),
        )

    def _look_up(self) -> list[LookupResult]:
        """Look up an address that bounced, one that complained, and one that may be mailed, as far as there are any."""
        by_reason = dict(sorted((reason, key) for key, reason in self._oracle.suppressed()))
        keys = [by_reason[reason] for reason in (Reason.HARD, Reason.COMPLAINT) if reason in by_reason]
        keys += islice(self._oracle.not_suppressed(), 3 - len(keys))
        now = datetime.now(UTC)
        return [result for key in keys for result in lookup([key.address], store=self._live, now=now, scope=key.scope)]

    def _check_events(self, events: dict[str, int]) -> Iterator[AgreementCheck]:
        for kind, count in self._oracle.events_by_kind().most_common():
            yield _check_count(f"{kind} events in the log", count, events.get(kind, 0))
        yield _check_count("records in error objects", 0, self._cloud.delivery_stream.counters.failed)

    def _check_feedback(self) -> Iterator[AgreementCheck]:
        mapping, relay = self._cloud.mapping, self._cloud.relay
        if not self._chaotic:
            yield _check_count("feedback records consumed", self._oracle.feedback, mapping.finished)
        yield _check_count("feedback records given up", 0, mapping.given_up + len(relay.dead_letters))

    def _check_suppressed(self, suppressed: Counter[str]) -> Iterator[AgreementCheck]:
        expected = Counter(reason.value for _, reason in self._oracle.suppressed())
        for reason, count in expected.most_common():
            yield _check_count(f"addresses suppressed: {reason}", count, suppressed[reason])
        [[by_sql]] = self._query(SUPPRESSED).rows
        yield _check_count("addresses suppressed, by SQL over the log", expected.total(), int(by_sql or 0))

    def _check_digests(self, live: str, rebuilt: str) -> Iterator[AgreementCheck]:
        yield AgreementCheck(name="digest of the live table", expected=self._oracle.digest(), actual=live)
        yield AgreementCheck(name="digest of the table replayed from the log", expected=live, actual=rebuilt)


def _check_count(name: str, expected: int, actual: int) -> AgreementCheck:
    return AgreementCheck(name=name, expected=f"{expected:,}", actual=f"{actual:,}")
