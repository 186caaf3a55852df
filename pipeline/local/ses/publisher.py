"""The SES publisher: it turns a sent e-mail into the events that SES would publish, in SES's exact JSON.

Claims: event publishing's vocabulary (`eventType`), one line of JSON for each event, as SES sends them to Data
Firehose, to EventBridge (as `detail`) and to SNS. No emulator publishes these events.
Leaves out: identity notifications. There is no clock here: times are derived from the time of sending.
docs.aws.amazon.com/ses/latest/dg/monitor-using-event-publishing.html
"""

from datetime import datetime
from random import Random

from pipeline.errors import UsageError
from pipeline.local.ses.account import Account
from pipeline.local.ses.account_list import AccountList
from pipeline.local.ses.configuration_sets import ConfigurationSets
from pipeline.local.ses.email import Email
from pipeline.local.ses.mail import MailObject, Message
from pipeline.local.ses.outcome import MailOutcome, Occurrence, RejectedMail, RenderingFailed
from pipeline.local.ses.record import RecordContext, record, send_record
from pipeline.local.ses.simulator import is_infected, simulated_outcome
from pipeline.local.ses.tenants import ListScope, Tenants
from pipeline.timestamp import to_ms

INFECTED = MailOutcome(occurrences=(RejectedMail(),))


class Publisher:
    """SES of one account in one region.

    All events of a mail are created when it is sent, whenever they happen. So its bounces and complaints are on the
    account's suppression list at once, and the next mail to those addresses is not delivered.

    Attributes:
        account_list: The account's suppression list.
        tenants: The account's tenants.
        configuration_sets: The account's configuration sets.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        account_id: str = "123456789012",
        region: str = "us-east-1",
        account_list: bool = True,
    ) -> None:
        """Set up an account that has sent no mail.

        Args:
            seed: The same seed and the same calls yield the same bytes; None: random.
            account_id: Sending account.
            region: Region in message ids, ARNs and host names.
            account_list: True if the account-level suppression list is on, as in accounts since 2019.
        """
        self._random = Random(seed)  # noqa: S311 - a simulation
        self._account = Account(id=account_id, region=region)
        self.account_list, self.tenants = AccountList(), Tenants()
        self.configuration_sets = ConfigurationSets()
        self._is_list_on = account_list

    def publish(
        self, email: Email, *, sent_at: datetime, message_id: str | None = None, outcome: MailOutcome | None = None
    ) -> list[bytes]:
        r"""Return the events of one e-mail, in the order in which they happen; each ends in "\n".

        Args:
            email: The e-mail.
            sent_at: Time at which SES accepts it.
            message_id: SES's message id, if the sender has one already; None: a new one.
            outcome: Its outcome, whatever the account's list holds; None: its content, that list and its addresses
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
        occurrences = sorted((outcome or self._simulate(email)).occurrences, key=_after_ms)
        if list_ := self._list_of(email):
            list_.add_from(occurrences, sent_ms=sent_ms)
        return self._events(message, occurrences)

    def is_suppressed(self, address: str) -> bool:
        """Return True if SES does not deliver to an address because of the account's suppression list."""
        return self._is_list_on and self.account_list.reason(address) is not None

    def _simulate(self, email: Email) -> MailOutcome:
        if any(map(is_infected, email.content)):
            return INFECTED
        return simulated_outcome(email.destination, account_list=self._list_of(email), random=self._random)

    def _list_of(self, email: Email) -> AccountList | None:
        """Return the list that applies to an e-mail: its tenant's, else the account's; None if none does.

        Its configuration set may say so otherwise than its tenant.
        """
        tenant = self.tenants.get(email.tenant)
        options = self.configuration_sets.suppression(email.configuration_set)
        if options.suppressed_reasons == () or (
            options.suppressed_reasons is None and tenant and not tenant.has_reasons
        ):
            return None
        is_own = tenant and tenant.has_own_list
        if options.suppression_scope:
            is_own = options.suppression_scope is ListScope.TENANT
        if tenant and is_own:
            return tenant.own_list
        return self.account_list if self._is_list_on else None

    def _events(self, message: Message, occurrences: list[Occurrence]) -> list[bytes]:
        mail = MailObject(message)
        # A mail that could not be rendered was never sent. One with a virus was: SES scans it later.
        was_sent = not any(isinstance(occurrence, RenderingFailed) for occurrence in occurrences)
        sends = [send_record(mail)] if was_sent else []
        return sends + [record(occurrence, mail, self._context(message, occurrence)) for occurrence in occurrences]

    def _context(self, message: Message, occurrence: Occurrence) -> RecordContext:
        return RecordContext(
            sent_ms=message.sent_ms,
            feedback_id=self._account.ses_id(message.sent_ms + _after_ms(occurrence), self._random),
            route=self._account.route(self._random),
        )


def _after_ms(occurrence: Occurrence) -> int:
    return 0 if isinstance(occurrence, RejectedMail | RenderingFailed) else occurrence.after_ms
