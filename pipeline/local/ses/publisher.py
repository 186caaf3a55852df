"""The SES publisher: a send becomes the events that SES would publish, in SES's exact JSON.

No emulator publishes configuration-set events. This does, in event publishing's vocabulary (`eventType`), one line of
JSON each, as SES hands them to Data Firehose, to EventBridge (as `detail`) and to SNS. There is no clock here: times
follow from the time of sending. docs.aws.amazon.com/ses/latest/dg/monitor-using-event-publishing.html
"""

from datetime import datetime
from random import Random

from pipeline.errors import UsageError
from pipeline.local.ses.account import Account
from pipeline.local.ses.account_list import AccountList
from pipeline.local.ses.email import Email
from pipeline.local.ses.mail import MailObject, Message
from pipeline.local.ses.outcome import MailOutcome, Occurrence, RejectedMail, RenderingFailed
from pipeline.local.ses.record import RecordContext, record, send_record
from pipeline.local.ses.simulator import is_infected, simulated_outcome
from pipeline.timestamp import to_ms

__all__ = ["Email", "MailOutcome", "Publisher"]

INFECTED = MailOutcome(occurrences=(RejectedMail(),))


class Publisher:
    """One account's SES in one region.

    All the events of a mail are made when it is sent, whenever they happen; so the account's own suppression list knows
    of a bounce or a complaint at once, and the next mail to that address is not delivered.

    Attributes:
        account_list: That list.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        account_id: str = "123456789012",
        region: str = "us-east-1",
        account_list: bool = True,
    ) -> None:
        """Set up an account that has sent nothing yet.

        Args:
            seed: The same seed and the same calls give the same bytes; None: unforeseeable.
            account_id: The sending account.
            region: Shows in message ids, ARNs and host names.
            account_list: Whether the account-level suppression list is on, as it is in accounts since 2019.
        """
        self._random = Random(seed)  # noqa: S311 - a simulation
        self._account = Account(id=account_id, region=region)
        self.account_list = AccountList()
        self._is_list_on = account_list

    def publish(
        self, email: Email, *, sent_at: datetime, message_id: str | None = None, fate: MailOutcome | None = None
    ) -> list[bytes]:
        r"""Return the events of one e-mail, in the order in which they happen; each ends in "\n".

        Args:
            email: What is sent.
            sent_at: When SES accepts it.
            message_id: SES's id of the message, where the sender has been told one; None: a fresh one.
            fate: What becomes of it, whatever the account's list says; None: its content, that list and its addresses
                decide, see `pipeline.local.ses.simulator`.

        Raises:
            UsageError: `sent_at` has no time zone.
        """
        if sent_at.tzinfo is None:
            raise UsageError("sent_at has no time zone: pass an aware datetime")
        sent_ms = to_ms(sent_at)
        message = Message(
            email=email,
            id=message_id or self._account.ses_id(sent_ms, self._random),
            sent_ms=sent_ms,
            account=self._account,
        )
        occurrences = sorted((fate or self._fate(email)).occurrences, key=_after_ms)
        if self._is_list_on:
            self.account_list.note(occurrences, sent_ms=sent_ms)
        return self._events(message, occurrences)

    def keeps_back(self, address: str) -> bool:
        """Tell whether the account's own suppression list keeps mail to `address` back."""
        return self._is_list_on and self.account_list.why(address) is not None

    def _fate(self, email: Email) -> MailOutcome:
        if any(map(is_infected, email.content)):
            return INFECTED
        account_list = self.account_list if self._is_list_on else None
        return simulated_outcome(email.destination, account_list=account_list, random=self._random)

    def _events(self, message: Message, occurrences: list[Occurrence]) -> list[bytes]:
        mail = MailObject(message)
        # What could not be rendered was never sent. What is rejected for a virus was: the scan comes after.
        rendered = not any(isinstance(occurrence, RenderingFailed) for occurrence in occurrences)
        sent = [send_record(mail)] if rendered else []
        return sent + [record(occurrence, mail, self._circumstances(message, occurrence)) for occurrence in occurrences]

    def _circumstances(self, message: Message, occurrence: Occurrence) -> RecordContext:
        return RecordContext(
            sent_ms=message.sent_ms,
            feedback_id=self._account.ses_id(message.sent_ms + _after_ms(occurrence), self._random),
            route=self._account.route(self._random),
        )


def _after_ms(occurrence: Occurrence) -> int:
    return 0 if isinstance(occurrence, RejectedMail | RenderingFailed) else occurrence.after_ms
