"""SES's records as pydantic models, with the fields that the log's columns need."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class CommonHeaders(Wire):
    from_: list[str] = Field(default=[], alias="from")
    subject: str | None = None


class Header(Wire):
    name: str
    value: str


class Mail(Wire):
    timestamp: datetime
    message_id: str
    source: str | None = None
    source_arn: str | None = None
    sending_account_id: str | None = None
    destination: list[str] = []
    headers: list[Header] = []
    common_headers: CommonHeaders | None = None
    tags: dict[str, list[str]] | None = None


class Recipient(Wire):
    email_address: str
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(Wire):
    bounce_type: str
    bounce_sub_type: str
    bounced_recipients: list[Recipient]
    timestamp: datetime
    feedback_id: str
    reporting_mta: str | None = Field(default=None, alias="reportingMTA")
    remote_mta_ip: str | None = None


class Complaint(Wire):
    complained_recipients: list[Recipient] = []
    timestamp: datetime
    feedback_id: str
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    user_agent: str | None = None
    arrival_date: datetime | None = None


class Delivery(Wire):
    timestamp: datetime
    processing_time_millis: int | None = None
    recipients: list[str]
    smtp_response: str | None = None
    reporting_mta: str | None = Field(default=None, alias="reportingMTA")
    remote_mta_ip: str | None = None


class Reject(Wire):
    reason: str | None = None


class Open(Wire):
    timestamp: datetime
    ip_address: str | None = None
    user_agent: str | None = None
    is_bot_event: str | None = None


class Click(Open):
    link: str | None = None
    link_tags: dict[str, list[str]] | None = None


class Failure(Wire):
    template_name: str | None = None
    error_message: str | None = None


class DeliveryDelay(Wire):
    timestamp: datetime
    delay_type: str | None = None
    delayed_recipients: list[Recipient] = []
    expiration_time: datetime | None = None
    reporting_mta: str | None = Field(default=None, alias="reportingMTA")


class TopicPreferences(Wire):
    unsubscribe_all: bool | None = None


class Subscription(Wire):
    timestamp: datetime
    contact_list: str | None = None
    source: str | None = None
    new_topic_preferences: TopicPreferences | None = None


class SesEvent(Wire):
    event_type: str
    mail: Mail
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None
    reject: Reject | None = None
    open: Open | None = None
    click: Click | None = None
    failure: Failure | None = None
    delivery_delay: DeliveryDelay | None = None
    subscription: Subscription | None = None
