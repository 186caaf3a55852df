"""`mailfold send`: one e-mail, whose events and suppressions the other commands show."""

from itertools import chain
from typing import Annotated

import typer

from pipeline.address import SIMULATOR_DOMAIN, canonical, is_simulator, mailboxes
from pipeline.aws.ses import OutgoingEmail, ensure_tenant, send_email
from pipeline.aws.settings import BUCKET, TABLE
from pipeline.aws.stack import Stack
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, results, say, to_people, write_json
from pipeline.cli.prompt import ask_yes_no
from pipeline.cli.target import Target, target
from pipeline.errors import NotAnAddress, UsageError

LOCAL_SENDER = "Mailfold <news@example.com>"
BODY = "Sent by mailfold send."


def send_command(
    *,
    to: Annotated[str, typer.Option(metavar="A[,B…]", help="Recipients.")],
    cc: Annotated[str, typer.Option(metavar="A[,B…]", help="More recipients.")] = "",
    bcc: Annotated[str, typer.Option(metavar="A[,B…]", help="Hidden recipients.")] = "",
    sender: Annotated[
        str | None, typer.Option("--from", metavar="A", help="Sender; with --stack, a verified identity.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Subject.")] = "Hello from Mailfold",
    tag: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Message tag; may be repeated.")] = None,
    tenant: Annotated[str, typer.Option(metavar="NAME", help="SES tenant that sends it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Send mail to people without asking.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the message id as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Send an e-mail through the local SES, or, with --stack, a real one.

    In the local SES, the address decides the outcome. The local parts of SES's mailbox simulator work at any domain,
    with labels: success, bounce, complaint, ooto, suppressionlist. At simulator.amazonses.com, as in SES, they never
    suppress.

    In the local SES, a tenant that does not exist is created. Complaints about a tenant's mail suppress in its scope.

    With --stack, SES sends it with that deployment's configuration set. The command asks before it sends to addresses
    other than the simulator's: that is mail to people, and its bounces count.

    Example: mailfold send --to bounce+ann@example.com,success@example.com
    """
    recipients = [_addresses(to), _addresses(cc), _addresses(bcc)]
    tags = [_tag(text) for text in tag or ()]
    cloud = target(stack, region)
    sender = _sender(sender, cloud)
    if not (cloud.is_local or yes):
        _confirm([*chain.from_iterable(recipients)])
    if cloud.is_local and tenant:
        ensure_tenant(cloud.clients.sesv2, tenant)
    email = OutgoingEmail(
        sender=sender,
        to=recipients[0],
        cc=recipients[1],
        bcc=recipients[2],
        subject=subject,
        body=BODY,
        tags=tags,
        tenant=tenant,
    )
    message_id = send_email(cloud.clients.sesv2, email, configuration_set=str(cloud.configuration_set))
    if json:
        write_json({"message_id": message_id})
    else:
        say([f"sent: message {message_id}"], to=results())
        say([f"its outcome is in the table in {_delays(cloud.stack)}"], to=to_people())


def _sender(address: str | None, cloud: Target) -> str:
    """Return the sender. Nothing is sent to AWS without --stack.

    Raises:
        UsageError: The environment names AWS and --stack does not; or a sender is missing.
        NotAnAddress: The sender is not one address.
    """
    if not cloud.stack and not cloud.is_local:
        raise UsageError(
            "this works on a local cloud, or on a stack in AWS that is named with --stack: name one, or unset "
            f"{TABLE} and {BUCKET}, and start a local cloud with `mailfold up`"
        )
    if cloud.stack and not address:
        raise UsageError("no sender: name one of SES's verified identities with --from")
    if address and canonical(address) is None:
        raise NotAnAddress("the sender in --from is not one e-mail address")
    return address or LOCAL_SENDER


def _confirm(recipients: list[str]) -> None:
    """Ask before mail is sent to people.

    Raises:
        UsageError: The answer is no, or there is no terminal to ask on.
    """
    people = [text for text in recipients if (address := canonical(text)) and not is_simulator(address)]
    if not people:
        return
    warning = f"this sends real mail to {counted(len(people), 'recipient')} outside {SIMULATOR_DOMAIN}"
    question = f"{warning[0].upper()}{warning[1:]}. Send it?"
    if not ask_yes_no(question, no_terminal=f"{warning}, and there is no terminal to ask on: add --yes to send it"):
        raise UsageError("nothing was sent")


def _delays(stack: Stack | None) -> str:
    if stack is None:
        return "about a second, in the log in a few"
    return f"seconds, in the log after {stack.parameters.get('LogBufferSeconds', '900')} s or so"


def _addresses(text: str) -> list[str]:
    """Return the addresses in an option, as written.

    Raises:
        NotAnAddress: A part of it is none. Nothing was sent.
    """
    parsed = mailboxes(text)
    if text and parsed.unusable:
        total = parsed.unusable + len(parsed.found)
        raise NotAnAddress(f"not an e-mail address: {parsed.unusable} of the {total} recipients in one option")
    return [mailbox.spelling for mailbox in parsed.found]


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"not a tag: {text!r}; write name=value")
    return name, value
