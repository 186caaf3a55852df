"""An e-mail as an application hands it to SES.

What exists can be sent: an `Email` that SES would refuse cannot be made.
Limits: docs.aws.amazon.com/ses/latest/dg/quotas.html
"""

from collections.abc import Mapping

import msgspec

from pipeline.address import canonical
from pipeline.errors import UsageError

MAX_RECIPIENTS = 50  # SES's limit for To, Cc and Bcc together
CONFIGURATION_SET = "mailfold"


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be sent. Addresses may carry a display name: `Ann Lee <ann@example.com>`.

    Attributes:
        sender: The From address.
        to: The To addresses.
        cc: The Cc addresses.
        bcc: The Bcc addresses: in the event's `destination`, in none of its headers.
        reply_to: The Reply-To addresses.
        subject: The subject, unencoded.
        tags: Message tags, each with all its values.
        configuration_set: Whose event destinations get the events. SES publishes none for mail sent without one; here
            every identity has a default one.
        operation: The API action that sent it, as the tag `ses:operation` has it.
        headers: Further headers, in order.
        content: Bodies and attachments, or the whole raw message. Only looked at for the EICAR test file.

    Raises:
        UsageError: No recipient, more than 50, or an address that is none.
    """

    sender: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str = ""
    tags: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    configuration_set: str = CONFIGURATION_SET
    operation: str = "SendEmail"
    headers: tuple[tuple[str, str], ...] = ()
    content: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what SES would refuse."""
        if canonical(self.sender) is None:
            raise UsageError("the sender is no e-mail address")
        if not 1 <= len(self.destination) <= MAX_RECIPIENTS:
            raise UsageError(f"an e-mail has 1 to {MAX_RECIPIENTS} recipients, this one has {len(self.destination)}")
        for number, recipient in enumerate(self.destination, start=1):
            if canonical(recipient) is None:
                raise UsageError(f"recipient {number} of {len(self.destination)} is no e-mail address")

    @property
    def destination(self) -> tuple[str, ...]:
        """All recipients, as given: To, then Cc, then Bcc."""
        return self.to + self.cc + self.bcc
