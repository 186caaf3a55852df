"""An e-mail as an application sends it to SES. An `Email` that SES would reject cannot be created.

Claims: the limit on recipients, and addresses that can be parsed. Leaves out: limits on size, and verified identities.
Limits: docs.aws.amazon.com/ses/latest/dg/quotas.html
"""

from collections.abc import Mapping

import msgspec

from pipeline.address import canonical
from pipeline.errors import UsageError

MAX_RECIPIENTS = 50  # SES's limit for To, Cc and Bcc together
CONFIGURATION_SET = "mailfold"


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """A message to send. Addresses may have a display name: `Ann Lee <ann@example.com>`.

    Attributes:
        sender: From address.
        to: To addresses.
        cc: Cc addresses.
        bcc: Bcc addresses. They are in the event's `destination`, and in none of its headers.
        reply_to: Reply-To addresses.
        subject: Subject, unencoded.
        tags: Message tags, each with all its values.
        configuration_set: Configuration set whose event destinations get the events. SES publishes none for mail
            without one; here every identity has a default one.
        tenant: SES tenant that sends it, as in the tag `ses:tenant-name`; "" if there is none.
        operation: API action that sends it, as in the tag `ses:operation`.
        headers: Further headers, in order.
        content: Bodies and attachments, or the whole raw message. Only scanned for the EICAR test file.

    Raises:
        UsageError: It has no recipient, more than 50, or an invalid address.
    """

    sender: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str = ""
    tags: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    configuration_set: str = CONFIGURATION_SET
    tenant: str = ""
    operation: str = "SendEmail"
    headers: tuple[tuple[str, str], ...] = ()
    content: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Reject what SES would reject."""
        if canonical(self.sender) is None:
            raise UsageError("the sender is not an e-mail address")
        if not 1 <= len(self.destination) <= MAX_RECIPIENTS:
            raise UsageError(f"an e-mail has 1 to {MAX_RECIPIENTS} recipients, this one has {len(self.destination)}")
        for number, recipient in enumerate(self.destination, start=1):
            if canonical(recipient) is None:
                raise UsageError(f"recipient {number} of {len(self.destination)} is not an e-mail address")

    @property
    def destination(self) -> tuple[str, ...]:
        """All recipients, as given: To, then Cc, then Bcc."""
        return self.to + self.cc + self.bcc
