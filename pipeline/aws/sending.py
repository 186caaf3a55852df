"""One e-mail through SES, and what SES's refusals mean. No address is repeated: SES's words quote them.

docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.refusal import DENIALS, SERVER_ERROR, THROTTLES, asking, code_of, without_addresses
from pipeline.errors import CloudUnavailable, Misuse

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_sesv2 import SESV2Client

# What it means, or what to do, by SES's code.
REMEDIES = {
    "AccountSuspendedException": ". The account may send nothing any more: see SES's console",
    "MailFromDomainNotVerifiedException": ". Finish setting up the identity's MAIL FROM domain",
    "MessageRejected": (
        ". The sender has to be a verified identity of this region, and so has each recipient while the account is in "
        "SES's sandbox, but for those of the mailbox simulator"
    ),
    "NotFoundException": ". There is no such configuration set: is the stack whole? See `mailfold doctor`",
    "SendingPausedException": ". Sending is switched off, for the account or the set: see `mailfold doctor`",
}
QUOTAS = frozenset({"LimitExceededException", "TooManyRequestsException"})


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail of plain text.

    Attributes:
        sender: The From address.
        to: The To addresses.
        cc: The Cc addresses.
        bcc: The Bcc addresses.
        subject: The subject.
        body: The text.
        tags: Message tags, by name.
    """

    sender: str
    to: Sequence[str]
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str
    body: str
    tags: Sequence[tuple[str, str]] = ()


def send_email(client: SESV2Client, email: Email, *, configuration_set: str) -> str:
    """Give an e-mail to SES, and return SES's id of it.

    Raises:
        Misuse: SES refuses it; with what to do.
        CloudUnavailable: A quota of SES's is used up, or it cannot be reached.
    """
    with asking("sending the e-mail"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            answer = client.send_email(
                FromEmailAddress=email.sender,
                Destination={
                    "ToAddresses": list(email.to),
                    "CcAddresses": list(email.cc),
                    "BccAddresses": list(email.bcc),
                },
                Content={"Simple": {"Subject": {"Data": email.subject}, "Body": {"Text": {"Data": email.body}}}},
                EmailTags=[{"Name": name, "Value": value} for name, value in email.tags],
                ConfigurationSetName=configuration_set,
            )
        except ClientError as error:
            if refusal := _refusal(error):
                raise refusal from error
            raise
    return answer["MessageId"]


def _refusal(error: ClientError) -> Misuse | CloudUnavailable | None:
    """Return what SES's refusal means; None for an outage, whose words are not repeated anyway."""
    code = code_of(error)
    words = f"{code}: {without_addresses(error.response['Error'].get('Message', '').strip().rstrip('.'))}"
    if code in QUOTAS:
        return CloudUnavailable(f"SES answers {words}. Its quota for sending is used up for now: try again later")
    if code in THROTTLES or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= SERVER_ERROR:
        return None
    if code in DENIALS:
        return Misuse(f"AWS denies sending, these credentials may not do it: {words}")
    return Misuse(f"SES refused the e-mail: {words}{REMEDIES.get(code, '')}")
