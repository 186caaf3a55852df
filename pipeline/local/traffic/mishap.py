"""The ways in which made-up mail bounces, and how often each: mostly for good, mostly because there is no mailbox."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

from pipeline.address import bare
from pipeline.local.ses.fate import MAX_DELIVERY_MS, Bounced, Occurrence
from pipeline.local.ses.simulator import automatic_reply, on_global_list


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a remote server says; `{}` stands for the address."""

    type: str = "Permanent"
    sub_type: str = "General"
    status: str = "5.1.1"
    diagnostic: str | None = None
    latest_ms: int = 30_000


_EXPIRED = _Refusal(
    type="Transient",
    status="4.4.7",
    diagnostic="smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 Unable to lookup DNS>",
)
_REFUSALS = {
    _Refusal(diagnostic="smtp; 550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"): 32,
    _Refusal(diagnostic="smtp; 550-5.1.1 There is no account of that name here.\n550 5.1.1 Is it spelt right?"): 14,
    _Refusal(status="5.4.1", diagnostic="smtp; 550 5.4.1 Recipient address rejected: Access denied"): 7,
    _Refusal(status="5.4.4"): 4,  # no such domain: nobody to say anything
    _Refusal(sub_type="NoEmail", diagnostic="smtp; 550 5.1.1 {}... User unknown"): 2,
    _EXPIRED: 9,
    _Refusal(
        type="Transient", sub_type="MailboxFull", status="5.2.2", diagnostic="smtp; 552 5.2.2 Mailbox over quota"
    ): 9,
    _Refusal(
        type="Transient", sub_type="MessageTooLarge", status="5.3.4", diagnostic="smtp; 552 5.3.4 Message too big"
    ): 2,
    _Refusal(
        type="Transient", sub_type="ContentRejected", status="5.7.1", diagnostic="smtp; 554 5.7.1 Looks like spam"
    ): 4,
    _Refusal(
        type="Transient", sub_type="AttachmentRejected", status="5.7.1", diagnostic="smtp; 552 5.7.0 Attachment refused"
    ): 1,
    _Refusal(type="Undetermined", sub_type="Undetermined", status="5.0.0", diagnostic="smtp; 500 5.0.0 Error"): 3,
}


def bounces(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Give what becomes of a mail that bounces."""
    return random.choices(_WAYS, _WEIGHTS)[0](recipients, random)


def _refused(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    refusal = random.choices(tuple(_REFUSALS), tuple(_REFUSALS.values()))[0]
    diagnostic = refusal.diagnostic and refusal.diagnostic.replace("{}", bare(recipients[0]))
    yield Bounced(
        after_ms=MAX_DELIVERY_MS if refusal is _EXPIRED else random.randint(300, refusal.latest_ms),
        recipients=tuple(map(bare, recipients)),
        type=refusal.type,
        sub_type=refusal.sub_type,
        status=refusal.status,
        diagnostic=diagnostic,
    )


_WAYS: tuple[Callable[[Sequence[str], Random], Iterator[Occurrence]], ...] = (_refused, automatic_reply, on_global_list)
_WEIGHTS = (89, 8, 3)
