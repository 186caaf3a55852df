"""In a local cloud that loses feedback, the log heals the table, and the drill proves that both are equal."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from pipeline.aws.archive.comparison import all_sides
from pipeline.aws.archive.fold import ArchiveFold
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.reconciliation import surges_since
from pipeline.drill import DrillResult, drill
from pipeline.local.cloud import LocalCloud
from pipeline.local.traffic.chaos import Chaos
from pipeline.local.traffic.generator import generate_traffic
from pipeline.policy import DEFAULT_POLICY
from pipeline.reconcile import ReconcileResult, reconcile
from pipeline.surge import SurgeRule
from pipeline.timestamp import to_ms
from tests.support.builders import a_bounce, a_send

SETTLED_SECONDS = 300.0
NOW = datetime.now(UTC)


class Flow:
    """A cloud's log and table."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.store = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.names.table)
        self.fold = ArchiveFold(S3Archive(cloud.clients.s3, bucket=cloud.names.bucket))

    def reconcile(self, *, heal: bool) -> ReconcileResult:
        """Reconcile the hours from that before the test began."""
        since = NOW - timedelta(hours=1)
        return reconcile(self.fold, store=self.store, policy=DEFAULT_POLICY, heal=heal, since=since, until=None)

    def drill(self) -> DrillResult:
        """Drill, with nothing in flight."""
        sides = all_sides(self.fold, self.store, newest_since=None, keys_held=10)
        return drill(sides, store=self.store, visible_before_ms=to_ms(NOW + timedelta(days=1)))


@contextmanager
def a_flow(chaos: Chaos | None) -> Iterator[Flow]:
    with LocalCloud(seed=1, chaos=chaos) as cloud:
        yield Flow(cloud)


def test_feedback_that_was_lost_is_counted_healed_and_proved() -> None:
    """EventBridge drops half of the feedback, repeats and delays the rest; the log has all of it."""
    with a_flow(Chaos(seed=1, drop=0.5)) as flow:
        for events in generate_traffic(emails=200, seed=1, start=NOW):
            flow.cloud.publish(events)
        flow.cloud.settle(SETTLED_SECONDS)
        before, counted = flow.drill(), flow.reconcile(heal=False)
        healed, after = flow.reconcile(heal=True), flow.drill()

    assert not before.is_proved
    assert (before.missing, before.stale) == (counted.missing, counted.stale) == (healed.missing, healed.stale)
    assert healed.healed == counted.missing + counted.stale > 0
    assert after.is_proved
    assert after.log_digest == after.table_digest == before.log_digest


def test_a_provider_that_rejects_its_own_users_is_found() -> None:
    """By hour and domain, from the log; the same events twice count once."""
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    mails = {f"mail-{number}": f"user-{number}@example.org" for number in range(10)}
    with a_flow(None) as flow:
        sends = [a_send(messageId=mail, destination=[to], timestamp=hour.isoformat()) for mail, to in mails.items()]
        bounces = [
            a_bounce(recipients=[to], messageId=mail, feedback_id=mail, at=hour, timestamp=hour.isoformat())
            for mail, to in [*mails.items()][:6]
        ]
        flow.cloud.publish([*sends, *sends, *bounces, *bounces])
        flow.cloud.settle(SETTLED_SECONDS)
        names, location = flow.cloud.names, f"s3://{flow.cloud.names.bucket}/athena-results/"
        found = [
            surges_since(
                flow.cloud.clients,
                since,
                rule=SurgeRule(share=share, bounces=6),
                database=names.database,
                workgroup="primary",
                output_location=location,
            )
            for since, share in ((None, 0.5), (NOW, 0.5), (NOW, 0.6), (NOW + timedelta(days=2), 0.5))
        ]

    [surge] = found[0]
    assert (surge.domain, surge.hour, surge.bounces, surge.sends) == ("example.org", hour, 6, 10)
    assert surge.statuses == {"5.1.1": 6}
    assert [len(surges) for surges in found] == [1, 1, 0, 0]
