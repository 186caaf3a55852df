"""Services that the emulator lacks, from `pipeline.local`. Each reads the deployed settings and acts as its role.

The emulator's services cannot assume a role, so a user with the same permissions acts instead.
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
from tests.acceptance.deployment.use import ClientsOfUser
from tests.acceptance.emulators.ministack import ACCOUNT_ID, REGION

ARCHIVE, FEEDBACK = "KinesisFirehoseDestination", "EventBridgeDestination"


def acting_as(deployment: Deployment, output: str) -> ClientsOfUser:
    """Return clients of a user with the permissions of a deployed role."""
    account = deployment.account
    allowed = [permission.statement() for permission in granted(account, deployment[output])]
    user = account.user(f"{deployment.stack.name}-{output}", allowed)
    return partial(account.client, credentials=user)


class Ses:
    """SES and EventBridge: mail sent with a configuration set becomes events.

    Args:
        deployment: Deployment with the EventBridge rule.
        configuration_set: Set with the event destinations. None: the deployment's own set.
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
        """Send an e-mail to each recipient, and return all events."""
        emails = [
            Email(sender="news@example.org", to=(recipient,), configuration_set=self._set) for recipient in recipients
        ]
        events = [event for email in emails for event in self._publisher.publish(email, sent_at=datetime.now(UTC))]
        for destination in self._destinations():
            matching = [event for event in events if _type(event) in _types(destination["MatchingEventTypes"])]
            if ARCHIVE in destination:
                self._archive(destination[ARCHIVE]["DeliveryStreamArn"], matching)
            if FEEDBACK in destination:
                self._relay.deliver([event for event in matching if self._matches(event)])
        assert not self._relay.dead_letters
        return events

    def _destinations(self) -> Sequence[Mapping[str, Any]]:
        ses = self._deployment.client("sesv2")
        answer = ses.get_configuration_set_event_destinations(ConfigurationSetName=self._set)
        return [destination for destination in answer.get("EventDestinations", []) if destination["Enabled"]]

    def _archive(self, arn: str, events: Sequence[bytes]) -> None:
        records = [{"Data": event} for event in events]
        answer = self._firehose.put_record_batch(DeliveryStreamName=arn.rpartition("/")[2], Records=records)
        assert answer["FailedPutCount"] == 0

    def _matches(self, event: bytes) -> bool:
        """Return True if the deployed rule selects an event, according to the emulator."""
        rules = self._deployment.client("events")
        pattern = rules.describe_rule(Name=self._deployment["FeedbackRule"])["EventPattern"]
        enveloped = to_eventbridge_event(event, account_id=ACCOUNT_ID, region=REGION).decode()
        return bool(rules.test_event_pattern(EventPattern=pattern, Event=enveloped)["Result"])


@contextmanager
def athena_of(deployment: Deployment) -> Iterator[str]:
    """Run an Athena over the deployed log, and yield its URL."""
    s3, database = deployment.client("s3"), deployment["Database"]
    with Athena(s3, bucket=deployment["LogBucket"], database=database) as athena:
        api = AthenaApi(athena, s3, database=database)
        with closing(api), Server(Gateway(Response(status=501), handlers=(api.handle,))) as server:
            yield server.url


def _type(event: bytes) -> str:
    return str(json.loads(event)["eventType"]).replace(" ", "").upper()


def _types(matching: Sequence[str]) -> Iterator[str]:
    """Return normalized event types: the API has RENDERING_FAILURE, CloudFormation renderingFailure."""
    return (name.replace("_", "").upper() for name in matching)
