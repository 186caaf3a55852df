"""The outcome of an e-mail, as data that the publisher turns into SES's events.

Claims: one occurrence for each event type but Send. Leaves out: checks of types and sub-types, so that tests can
publish unknown ones. Times are milliseconds after the sending; recipients are spelled as in the event.
Types and sub-types:
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Mapping

import msgspec

MAX_DELIVERY_MS = 50_400_000  # SES gives up after 14 hours (API: DeliveryOptions.MaxDeliverySeconds)
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The remote server accepted the mail."""

    after_ms: int
    recipients: tuple[str, ...]
    smtp_response: str = "250 2.6.0 Message received"


class Bounced(msgspec.Struct, frozen=True, kw_only=True):
    """The mail was returned, or SES stopped trying, or never tried.

    Attributes:
        after_ms: Time after the sending.
        recipients: Recipients whose mail was returned; an automatic reply may name none.
        type: Permanent, Transient or Undetermined.
        sub_type: General, MailboxFull, …
        status: Enhanced status code; None: there was no delivery status notification, as with an automatic reply.
        diagnostic: Diagnostic text of the remote server.
    """

    after_ms: int
    recipients: tuple[str, ...]
    type: str = "Permanent"
    sub_type: str = "General"
    status: str | None = "5.1.1"
    diagnostic: str | None = "smtp; 550 5.1.1 user unknown"


class Complained(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient reported the mail as spam, or as not spam.

    Attributes:
        after_ms: Time after the sending.
        recipients: Candidates; several where the mailbox provider hides who complained.
        feedback_type: abuse, not-spam, …; None: there was no feedback report.
        user_agent: Feedback loop that reported it.
        sub_type: OnAccountSuppressionList if SES did not send the mail because of an earlier complaint.
    """

    after_ms: int
    recipients: tuple[str, ...]
    feedback_type: str | None = "abuse"
    user_agent: str | None = "Mailbox Provider Feedback Loop (V0.01)"
    sub_type: str | None = None


class Delayed(msgspec.Struct, frozen=True, kw_only=True):
    """The remote server deferred the mail. SES will try again."""

    after_ms: int
    recipients: tuple[str, ...]
    type: str = "TransientCommunicationFailure"
    status: str = "4.4.1"
    diagnostic: str = "smtp; 421 4.4.1 Unable to connect to remote host"


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The tracking pixel was fetched."""

    after_ms: int
    ip_address: str = "198.51.100.20"
    user_agent: str = USER_AGENT
    bot: bool = False


class Clicked(msgspec.Struct, frozen=True, kw_only=True):
    """A tracked link was followed. SES writes null for a link without tags."""

    after_ms: int
    link: str
    link_tags: Mapping[str, tuple[str, ...]] | None = None
    ip_address: str = "198.51.100.20"
    user_agent: str = USER_AGENT
    bot: bool = False


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """The recipient changed their preferences of a contact list."""

    after_ms: int
    contact_list: str
    topic: str
    unsubscribe_all: bool = True


class RejectedMail(msgspec.Struct, frozen=True, kw_only=True):
    """SES accepted the mail, found a virus in it, and did not deliver it."""

    reason: str = "Bad content"  # the only documented one


class RenderingFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Its template could not be rendered. Nothing was sent, so there is no Send."""

    template_name: str
    error_message: str


Occurrence = Delivered | Bounced | Complained | Delayed | Opened | Clicked | Subscribed | RejectedMail | RenderingFailed


class MailOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that happens to one e-mail after it was sent.

    Attributes:
        occurrences: Occurrences in any order; none: it is not delivered yet.
    """

    occurrences: tuple[Occurrence, ...] = ()
