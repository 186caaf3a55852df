"""A gateway before moto that an application sends to with boto3's `ses` and `sesv2`, and the events it publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.decode import decode
from pipeline.event import Event, EventKind
from pipeline.local.client import local_client
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.configuration_sets import ConfigurationSetApi
from pipeline.local.gateway.server import Gateway, Server
from pipeline.local.gateway.ses import Outbox, SesApi
from pipeline.local.gateway.ses_account import SesAccountApi
from pipeline.local.gateway.ses_backend import SesBackend
from pipeline.local.gateway.suppression_list import SuppressionApi
from pipeline.local.gateway.tenants import TenantApi
from pipeline.local.ses.publisher import Publisher

if TYPE_CHECKING:
    from mypy_boto3_ses import SESClient
    from mypy_boto3_sesv2 import SESV2Client

REGION = "eu-west-1"
SENDER = "News <news@example.com>"
DELIVERY_STREAM = f"arn:aws:firehose:{REGION}:123456789012:deliverystream/mailfold-events"
EVENT_BUS = f"arn:aws:events:{REGION}:123456789012:event-bus/default"
SUBJECT = "Seven things"
MESSAGE: Any = {"Subject": {"Data": SUBJECT}, "Body": {"Text": {"Data": "one"}, "Html": {"Data": "<p>one</p>"}}}
TO_ANN: Any = {"ToAddresses": ["Ann <ann@example.com>"]}
RAW = b"From: News <news@example.com>\r\nTo: Ann <ann@example.com>\r\nSubject: Seven things\r\n\r\none"
TEMPLATE: Any = {"TemplateName": "hello", "SubjectPart": "Hello {{name}}", "TextPart": "one", "HtmlPart": "one"}
DATA = '{"name": "Ann"}'


class SesCloud:
    """The gateway.

    Attributes:
        records: The event records that it has published to Firehose.
        feedback: Those that it has published to EventBridge.
    """

    def __init__(self, moto: Moto, *, verify_senders: bool = True) -> None:
        self.records: list[bytes] = []
        self.feedback: list[bytes] = []
        publisher = Publisher(seed=1, region=REGION)
        outbox = Outbox(publisher, self._keep)
        backend = SesBackend(moto, verify_senders=verify_senders)
        apis = (
            SuppressionApi(publisher.account_list, publisher.tenants),
            TenantApi(publisher.tenants, account_id="123456789012", region=REGION),
            ConfigurationSetApi(
                publisher.configuration_sets, backend, delivery_stream_arn=DELIVERY_STREAM, event_bus_arn=EVENT_BUS
            ),
            SesApi(backend, outbox=outbox, tenants=publisher.tenants),
            SesAccountApi(backend),
        )
        self.server = Server(Gateway(moto, handlers=[api.handle for api in apis]))
        self.ses: SESClient = local_client("ses", endpoint_url=self.server.url, region=REGION)
        self.sesv2: SESV2Client = local_client("sesv2", endpoint_url=self.server.url, region=REGION)

    def _keep(self, records: Sequence[bytes], feedback: Sequence[bytes]) -> None:
        self.records += records
        self.feedback += feedback

    def events(self) -> list[Event]:
        """Return all published events."""
        outcomes = [outcome for record in self.records for outcome in decode(record)]
        events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
        assert len(events) == len(self.records)
        return events

    def sent(self) -> Event:
        """Return the only Send event."""
        (sent,) = [event for event in self.events() if event.kind is EventKind.SEND]
        return sent


def tag(event: Event, name: str) -> list[str] | None:
    """Return an event's values of a tag."""
    return (event.mail.tags or {}).get(name)


def subject(event: Event) -> str | None:
    """Return an event's subject."""
    return event.mail.common_headers.subject if event.mail.common_headers else None
