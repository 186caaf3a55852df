"""The mix of bounces in simulated traffic: mostly permanent, mostly because the mailbox does not exist.

Claims: types, sub-types, status codes and diagnostics as in published records. Leaves out: the proportions of any real
sender.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

from pipeline.address import bare
from pipeline.local.ses.outcome import MAX_DELIVERY_MS, Bounced, Occurrence
from pipeline.local.ses.simulator import automatic_reply, on_global_list


class _Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A remote server's answer; `{}` in the diagnostic is the address."""

    type: str = "Permanent"
    sub_type: str = "General"
    status: str = "5.1.1"
    diagnostic: str | None = None
    latest_ms: int = 30_000


_EXPIRED = _Rejection(
    type="Transient",
    status="4.4.7",
    diagnostic="smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 Unable to lookup DNS>",
)
_REJECTIONS = {
    _Rejection(
        diagnostic="smtp; 550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"
    ): 32,
    _Rejection(diagnostic="smtp; 550-5.1.1 There is no account of that name here.\n550 5.1.1 Is it spelt right?"): 14,
    _Rejection(status="5.4.1", diagnostic="smtp; 550 5.4.1 Recipient address rejected: Access denied"): 7,
    _Rejection(status="5.4.4"): 4,  # no such domain, so no server that could answer
    _Rejection(sub_type="NoEmail", diagnostic="smtp; 550 5.1.1 {}... User unknown"): 2,
    _EXPIRED: 9,
    _Rejection(
        type="Transient", sub_type="MailboxFull", status="5.2.2", diagnostic="smtp; 552 5.2.2 Mailbox over quota"
    ): 9,
    _Rejection(
        type="Transient", sub_type="MessageTooLarge", status="5.3.4", diagnostic="smtp; 552 5.3.4 Message too big"
    ): 2,
    _Rejection(
        type="Transient", sub_type="ContentRejected", status="5.7.1", diagnostic="smtp; 554 5.7.1 Looks like spam"
    ): 4,
    _Rejection(
        type="Transient", sub_type="AttachmentRejected", status="5.7.1", diagnostic="smtp; 552 5.7.0 Attachment refused"
    ): 1,
    _Rejection(type="Undetermined", sub_type="Undetermined", status="5.0.0", diagnostic="smtp; 500 5.0.0 Error"): 3,
}


def draw_bounce(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Yield what happens to an e-mail that bounces."""
    return random.choices(_BOUNCES, _WEIGHTS)[0](recipients, random)


def _rejected(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    rejection = random.choices(tuple(_REJECTIONS), tuple(_REJECTIONS.values()))[0]
    diagnostic = rejection.diagnostic and rejection.diagnostic.replace("{}", bare(recipients[0]))
    yield Bounced(
        after_ms=MAX_DELIVERY_MS if rejection is _EXPIRED else random.randint(300, rejection.latest_ms),
        recipients=tuple(map(bare, recipients)),
        type=rejection.type,
        sub_type=rejection.sub_type,
        status=rejection.status,
        diagnostic=diagnostic,
    )


_BOUNCES: tuple[Callable[[Sequence[str], Random], Iterator[Occurrence]], ...]
_BOUNCES = (_rejected, automatic_reply, on_global_list)
_WEIGHTS = (89, 8, 3)
