"""`mailfold send`: one e-mail through the local SES, to see what becomes of it."""

from typing import Annotated

import typer

from pipeline.address import canonical
from pipeline.cli.target import local_target
from pipeline.cli.words import results, say, to_people, write_json
from pipeline.errors import Misuse

CONFIGURATION_SET = "mailfold"
BODY = "Sent by mailfold send."


def send_command(
    *,
    to: Annotated[str, typer.Option(metavar="A[,B…]", help="Recipients.")],
    cc: Annotated[str, typer.Option(metavar="A[,B…]", help="More recipients.")] = "",
    bcc: Annotated[str, typer.Option(metavar="A[,B…]", help="Hidden recipients.")] = "",
    sender: Annotated[str, typer.Option("--from", help="The sender.")] = "Mailfold <news@example.com>",
    subject: Annotated[str, typer.Option(help="The subject.")] = "Hello from Mailfold",
    tag: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A message tag; may be repeated.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The message id as JSON.")] = False,
) -> None:
    """Send an e-mail through the local SES. Its fate is in the address.

    The names of SES's mailbox simulator work at any domain, with labels: success, bounce, complaint, ooto,
    suppressionlist. At simulator.amazonses.com, as in SES, they never suppress.

    Example: mailfold send --to bounce+ann@example.com,success@example.com
    """
    to_addresses, cc_addresses, bcc_addresses = _addresses(to), _addresses(cc), _addresses(bcc)
    tags = [_tag(text) for text in tag or ()]
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 takes a third of a second

    try:
        answer = (
            local_target()
            .client("sesv2")
            .send_email(
                FromEmailAddress=sender,
                Destination={"ToAddresses": to_addresses, "CcAddresses": cc_addresses, "BccAddresses": bcc_addresses},
                Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": BODY}}}},
                EmailTags=[{"Name": name, "Value": value} for name, value in tags],
                ConfigurationSetName=CONFIGURATION_SET,
            )
        )
    except (BotoCoreError, ClientError) as error:
        raise Misuse(f"SES refused the e-mail: {error}") from error
    if json:
        write_json({"message_id": answer["MessageId"]})
    else:
        say([f"sent: message {answer['MessageId']}"], to=results())
        say(["what becomes of it is in the table in about a second, in the log in a few"], to=to_people())


def _addresses(text: str) -> list[str]:
    addresses = [address.strip() for address in text.split(",") if address.strip()]
    wrong = sum(canonical(address) is None for address in addresses)
    if wrong:
        raise Misuse(f"{wrong} of the {len(addresses)} recipients in one option are no e-mail address")
    return addresses


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise Misuse(f"not a tag: {text!r}; write name=value")
    return name, value
