"""The edges that the emulator lacks, from `pipeline.local`: each reads what was deployed, and acts as its role.

The emulator's services cannot act for somebody else's: so whoever acts is a user who may do what the role may.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from werkzeug.wrappers import Response

from pipeline.local.athena import Athena
from pipeline.local.eventbridge import Relay, to_eventbridge_event
from pipeline.local.gateway.athena import AthenaApi
from pipeline.local.gateway.server import Gateway, Server
from pipeline.local.ses.email import Email
from pipeline.local.ses.publisher import Publisher
from tests.acceptance.deployment.deployment import Deployment
from tests.acceptance.deployment.permission import granted
from tests.acceptance.deployment.use import Clients
from tests.acceptance.emulators.ministack import ACCOUNT_ID, REGION

ARCHIVE, FEEDBACK = "KinesisFirehoseDestination", "EventBridgeDestination"


def acting_as(deployment: Deployment, output: str) -> Clients:
    """Return the clients of somebody who may do what a deployed role may."""
    account = deployment.account
    allowed = [each.statement() for each in granted(account, deployment[output])]
    user = account.user(f"{deployment.stack.name}-{output}", allowed)
    return partial(account.client, credentials=user)


class Ses:
    """SES, and the EventBridge behind it: mail sent with a configuration set becomes events.

    Args:
        deployment: Whose rule is obeyed.
        configuration_set: Whose destinations are; None: those of the deployment's own set.
    """

    def __init__(self, deployment: Deployment, *, configuration_set: str | None = None) -> None:
        self._deployment = deployment
        self._set = configuration_set or deployment["ConfigurationSet"]
        self._publisher = Publisher(seed=1, account_id=ACCOUNT_ID, region=REGION)
        self._firehose = acting_as(deployment, "SesRoleArn")("firehose")
        self._relay = Relay(
            acting_as(deployment, "FeedbackRuleRoleArn")("kinesis"),
            stream=deployment["FeedbackStream"],
            account_id=ACCOUNT_ID,
        )

    def send(self, *recipients: str) -> list[bytes]:
        """Send an e-mail to each, and return all events that it leads to."""
        emails = [Email(sender="news@example.org", to=(one,), configuration_set=self._set) for one in recipients]
        events = [event for email in emails for event in self._publisher.publish(email, sent_at=datetime.now(UTC))]
        for destination in self._destinations():
            wanted = [event for event in events if _type(event) in _types(destination["MatchingEventTypes"])]
            if ARCHIVE in destination:
                self._archive(destination[ARCHIVE]["DeliveryStreamArn"], wanted)
            if FEEDBACK in destination:
                self._relay.deliver([event for event in wanted if self._matches(event)])
        assert not self._relay.dead_letters
        return events

    def _destinations(self) -> Sequence[Mapping[str, Any]]:
        ses = self._deployment.client("sesv2")
        found = ses.get_configuration_set_event_destinations(ConfigurationSetName=self._set)
        return [each for each in found.get("EventDestinations", []) if each["Enabled"]]

    def _archive(self, arn: str, events: Sequence[bytes]) -> None:
        records = [{"Data": event} for event in events]
        answer = self._firehose.put_record_batch(DeliveryStreamName=arn.rpartition("/")[2], Records=records)
        assert answer["FailedPutCount"] == 0

    def _matches(self, event: bytes) -> bool:
        """Ask the emulator whether the deployed rule selects an event."""
        rules = self._deployment.client("events")
        pattern = rules.describe_rule(Name=self._deployment["FeedbackRule"])["EventPattern"]
        enveloped = to_eventbridge_event(event, account_id=ACCOUNT_ID, region=REGION).decode()
        return bool(rules.test_event_pattern(EventPattern=pattern, Event=enveloped)["Result"])


@contextmanager
def athena_of(deployment: Deployment) -> Iterator[str]:
    """Run an Athena over the deployed log, and give its address."""
    s3, database = deployment.client("s3"), deployment["Database"]
    with Athena(s3, bucket=deployment["LogBucket"], database=database) as athena:
        api = AthenaApi(athena, s3, database=database)
        with closing(api), Server(Gateway(Response(status=501), handlers=(api.handle,))) as server:
            yield server.url


def _type(event: bytes) -> str:
    return str(json.loads(event)["eventType"]).replace(" ", "").upper()


def _types(matching: Sequence[str]) -> Iterator[str]:
    """Give an event destination's types as the API has them, or CloudFormation: RENDERING_FAILURE, renderingFailure."""
    return (each.replace("_", "").upper() for each in matching)
