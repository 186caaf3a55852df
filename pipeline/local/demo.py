"""The pipeline at work: e-mails of mixed fate, what became of them, and the proof that all of it agrees.

What must be true at the end, worked out from the events as they were published, by the core alone.

Nothing that is on the way to log and table has a part in it, so it can bear witness against all of it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from threading import Lock

import msgspec

from pipeline.address import is_simulator
from pipeline.aws.archive.athena import QueryResult, query
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.digest import digest
from pipeline.event import Event, EventKind
from pipeline.fact import facts
from pipeline.local.cloud import LocalCloud
from pipeline.local.traffic.generator import generate_traffic
from pipeline.lookup import LookupResult, lookup
from pipeline.policy import Policy, Reason, verdict
from pipeline.replay import ReplayResult, replay, store_digest
from pipeline.standing import Key, Standing, join

FEEDBACK = frozenset({EventKind.BOUNCE, EventKind.COMPLAINT})


class Oracle:
    """Sees every event once, in any order; safe to use from several threads.

    Attributes:
        records: Records seen.
        feedback: Bounces and complaints among them.
    """

    def __init__(self, *, policy: Policy) -> None:
        self.records = 0
        self.feedback = 0
        self._policy = policy
        self._kinds: dict[str, str] = {}
        self._standings: dict[Key, Standing] = {}
        self._lock = Lock()

    def see(self, events: Sequence[bytes]) -> None:
        """Take note of events."""
        seen = [outcome for payload in events for outcome in decode(payload) if isinstance(outcome, Event)]
        changes = group_by_key(finding for event in seen for finding in facts(event))
        with self._lock:
            self.records += len(events)
            self.feedback += sum(event.kind in FEEDBACK for event in seen)
            self._kinds.update((event.id, event.kind.value) for event in seen)
            for key, change in changes.items():
                self._standings[key] = join(self._standings[key], change) if key in self._standings else change

    def events_by_kind(self) -> Counter[str]:
        """Return how many distinct events there were of each kind."""
        return Counter(self._kinds.values())

    def digest(self) -> str:
        """Return the digest that the table must have."""
        return digest(self._standings.items())

    def suppressed(self) -> Iterator[tuple[Key, Reason]]:
        """Give who must be suppressed, and why."""
        for key, known in self._standings.items():
            judged = verdict(known, self._policy, address=key.address)
            if judged.reason:
                yield key, judged.reason

    def spared(self) -> Iterator[Key]:
        """Give those of whom something is known, and who may be mailed all the same."""
        guilty = {key for key, _ in self.suppressed()}
        return (key for key in self._standings if key not in guilty and not is_simulator(key.address))


START = datetime(2026, 3, 1, tzinfo=UTC)  # fixed, so that a seed gives the same events on any day
EMAILS_PER_CALL = 100
SETTLE_SECONDS = 120.0
SIMULATOR = ("success", "bounce", "ooto", "complaint", "suppressionlist")
BY_KIND = "SELECT event_type, count(DISTINCT event_id) AS events FROM events GROUP BY 1 ORDER BY 2 DESC, 1"
BY_DOMAIN = """SELECT recipient_domain,
  sum(sends) AS sends, sum(hard_bounces) AS hard_bounces, sum(complaints) AS complaints
FROM domain_counts GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1 LIMIT 5"""
SUPPRESSED = """SELECT count(DISTINCT address) FROM suppression_facts
WHERE fact IN ('hard', 'complaint', 'uncertain_complaint') AND NOT address LIKE '%@simulator.amazonses.com'"""

DemoProgress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is."""


class AgreementCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Two numbers that must agree.

    Attributes:
        what: What they say.
        expected: What was published, or what it means.
        found: What arrived.
    """

    what: str
    expected: str
    found: str

    @property
    def agrees(self) -> bool:
        """Tell whether they do."""
        return self.expected == self.found


class DemoReport(msgspec.Struct, kw_only=True):
    """What happened.

    Attributes:
        emails: E-mails sent, those to the mailbox simulator included.
        records_published: Records that SES published.
        events: Distinct events in the log, by type.
        objects: Parquet objects of the log.
        object_bytes: Their size together.
        feedback_published: Bounces and complaints published.
        feedback_consumed: Records that the projection consumed.
        suppressed: Addresses suppressed, by reason.
        sql: A question to the log.
        answer: Its answer.
        lookups: What senders are told of three addresses.
        replayed: What the replay of the whole log into an empty table did.
        healed: What its replay into the live table did; None if nothing went astray on purpose.
        digest: The live table's digest.
        checks: What must agree.
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
    """Sends e-mails through a local cloud, and compares what arrives with what was published.

    Args:
        cloud: A fresh cloud, whose witness is `expectation.see`.
        expectation: What it was shown.
        policy: The cloud's policy.
        chaotic: Whether events go astray on purpose; then the log heals the live table.
        progress: Is told how far it is.
    """

    def __init__(
        self, cloud: LocalCloud, *, expectation: Oracle, policy: Policy, chaotic: bool, progress: DemoProgress
    ) -> None:
        self._cloud, self._expectation, self._policy = cloud, expectation, policy
        self._chaotic, self._progress = chaotic, progress
        self._dynamodb = cloud.client("dynamodb")
        self._live = DynamoSuppressionStore(self._dynamodb, table=cloud.names.table)
        self._archive = S3Archive(cloud.client("s3"), bucket=cloud.names.bucket)

    def run(self, *, emails: int, seed: int) -> DemoReport:
        """Do all of it.

        Raises:
            MailfoldError: A part of the cloud does not do its part.
        """
        self._send(emails, seed)
        self._progress("bringing everything to log and table", 0, 1)
        self._cloud.settle(SETTLE_SECONDS)
        healed = self._replay(self._live, "replaying the log into the live table") if self._chaotic else None
        rebuilt = self._empty_table()
        replayed = self._replay(rebuilt, "replaying the log into an empty table")
        self._progress("asking the log", 0, 1)
        events = {str(kind): int(count or 0) for kind, count in self._ask(BY_KIND).rows}
        suppressed = Counter(str(item.verdict.reason) for _, item in self._live.scan() if item.verdict.suppressed)
        digest = store_digest(self._live)
        checks = [
            *self._check_events(events),
            *self._check_feedback(),
            *self._check_suppressed(suppressed),
            *self._check_digests(digest, store_digest(rebuilt)),
        ]
        written = self._cloud.delivery_stream.counters
        return DemoReport(
            emails=emails + len(SIMULATOR),
            records_published=self._expectation.records,
            events=events,
            objects=written.objects,
            object_bytes=written.object_bytes,
            feedback_published=self._expectation.feedback,
            feedback_consumed=self._cloud.mapping.finished,
            suppressed=dict(suppressed),
            sql=BY_DOMAIN,
            answer=self._ask(BY_DOMAIN),
            lookups=self._look_up(),
            replayed=replayed,
            healed=healed,
            digest=digest,
            checks=checks,
        )

    def _send(self, emails: int, seed: int) -> None:
        made, sent = generate_traffic(emails=emails, seed=seed, start=START), 0
        while lot := list(islice(made, EMAILS_PER_CALL)):
            self._cloud.destinations(list(chain.from_iterable(lot)))
            sent += len(lot)
            self._progress("sending e-mails", sent, emails)
        ses = self._cloud.client("sesv2")
        for name in SIMULATOR:
            ses.send_email(
                FromEmailAddress="news@example.com",
                Destination={"ToAddresses": [f"{name}+demo@simulator.amazonses.com"]},
                Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello."}}}},
                ConfigurationSetName=self._cloud.names.configuration_set,
            )

    def _empty_table(self) -> DynamoSuppressionStore:
        name = f"{self._cloud.names.table}-rebuilt"
        ensure_table(self._dynamodb, name)
        return DynamoSuppressionStore(self._dynamodb, table=name)

    def _replay(self, store: DynamoSuppressionStore, what: str) -> ReplayResult:
        self._progress(what, 0, 1)
        return replay(self._archive, store=store, policy=self._policy)

    def _ask(self, sql: str) -> QueryResult:
        output = f"s3://{self._cloud.names.bucket}/athena-results/"
        athena = self._cloud.client("athena")
        return query(athena, sql, database=self._cloud.names.database, output_location=output)

    def _look_up(self) -> list[LookupResult]:
        guilty = dict(sorted((reason, key.address) for key, reason in self._expectation.suppressed()))
        asked = [guilty[reason] for reason in (Reason.HARD, Reason.COMPLAINT) if reason in guilty]
        asked += [key.address for key in islice(self._expectation.spared(), 3 - len(asked))]
        return lookup(asked, store=self._live, now=datetime.now(UTC))

    def _check_events(self, events: dict[str, int]) -> Iterator[AgreementCheck]:
        for kind, count in self._expectation.events_by_kind().most_common():
            yield AgreementCheck(
                what=f"{kind} events in the log", expected=f"{count:,}", found=f"{events.get(kind, 0):,}"
            )
        yield AgreementCheck(
            what="records in error objects", expected="0", found=f"{self._cloud.delivery_stream.counters.failed:,}"
        )

    def _check_feedback(self) -> Iterator[AgreementCheck]:
        mapping, relay = self._cloud.mapping, self._cloud.relay
        if not self._chaotic:
            yield AgreementCheck(
                what="feedback records consumed",
                expected=f"{self._expectation.feedback:,}",
                found=f"{mapping.finished:,}",
            )
        lost = mapping.given_up + len(relay.dead_letters)
        yield AgreementCheck(what="feedback records given up", expected="0", found=f"{lost:,}")

    def _check_suppressed(self, suppressed: Counter[str]) -> Iterator[AgreementCheck]:
        expected = Counter(reason.value for _, reason in self._expectation.suppressed())
        for reason, count in expected.most_common():
            yield AgreementCheck(
                what=f"addresses suppressed: {reason}", expected=f"{count:,}", found=f"{suppressed[reason]:,}"
            )
        [[by_sql]] = self._ask(SUPPRESSED).rows
        yield AgreementCheck(
            what="addresses suppressed, by SQL over the log",
            expected=f"{expected.total():,}",
            found=f"{int(by_sql or 0):,}",
        )

    def _check_digests(self, live: str, rebuilt: str) -> Iterator[AgreementCheck]:
        expected = self._expectation.digest()
        yield AgreementCheck(what="digest of the live table", expected=expected, found=live)
        yield AgreementCheck(what="digest of the table replayed from the log", expected=live, found=rebuilt)
