"""A canary: one mail that SES's simulator bounces, so that what becomes of it can be followed.

Facts about the simulator's addresses are kept and suppress nobody, and do not count in SES's bounce rate.
docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from pipeline.address import SIMULATOR_DOMAIN, Address
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.identity import sending_identities
from pipeline.aws.refusal import asking
from pipeline.aws.sending import Email, send_email
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

SUBJECT = "A canary of Mailfold's"
MESSAGE_ID = re.compile(r"[A-Za-z0-9@.<>_-]{1,200}", re.ASCII)  # fit to stand in SQL


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A mail on its way.

    Attributes:
        recipient: The simulator's address that it went to, with a label of its own.
        message_id: SES's id of it.
        sent_at: When it was given to SES.
        started: The clock at that moment.
    """

    recipient: Address
    message_id: str
    sent_at: datetime
    started: float


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What tells the time, and passes it.

    Attributes:
        seconds: Seconds from some moment on.
        now: The moment, aware.
        wait: Waits so many seconds.
    """

    seconds: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[float], None] = time.sleep


def first_sender(deployment: Deployment) -> str:
    """Return an address of the first identity that SES has verified.

    Raises:
        Misuse: There is none; or SES denies saying so.
        CloudUnavailable: SES throttles or cannot be reached.
    """
    with asking("listing SES's identities"):
        identity = next(sending_identities(deployment.client("sesv2")), None)
    if identity is None:
        raise Misuse("SES has no verified identity here: verify one, or name a sender with --from")
    name = identity["IdentityName"]
    return name if "@" in name else f"canary@{name}"


def send(deployment: Deployment, *, sender: str, clock: Clock) -> Canary:
    """Send a canary with the stack's own configuration set.

    Raises:
        Misuse: SES refuses it.
        CloudUnavailable: SES throttles or cannot be reached.
    """
    ses: SESV2Client = deployment.client("sesv2")
    recipient = Address(f"bounce+{uuid4().hex}@{SIMULATOR_DOMAIN}")
    started, sent_at = clock.seconds(), clock.now()
    email = Email(sender=sender, to=[recipient], subject=SUBJECT, body=SUBJECT)
    message_id = send_email(ses, email, configuration_set=deployment.output("ConfigurationSet"))
    if not MESSAGE_ID.fullmatch(message_id):
        raise Misuse("SES's id of the canary is none that can be looked for")
    return Canary(recipient=recipient, message_id=message_id, sent_at=sent_at, started=started)
