"""Options of the commands that decide about addresses: `suppress`, `release`, `revert` and `undo`."""

import os
import pwd
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer

from pipeline.aws.decisions import caller_arn
from pipeline.cli.target import Target
from pipeline.decision import AHEAD_TOLERANCE, newest_evidence
from pipeline.decision_batch import DecisionBatch, check_texts, new_request_id, parse_request_id, request_time
from pipeline.errors import UsageError
from pipeline.ports import Item

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who ask later.")]
ScopeOption = Annotated[
    str, typer.Option("--scope", help="Only mail of this scope, such as an SES tenant; by default all mail.")
]
AlsoSesOption = Annotated[
    bool,
    typer.Option("--also-ses", help="Change SES's own suppression list too: the account's, or that of the tenant."),
]
AuthorOption = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="NAME", help="Who decides; by default the identity of the AWS credentials, or the user."
    ),
]
RequestOption = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="The id of a request that failed, to repeat it without deciding twice."),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Decide without asking.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be decided, and decide nothing.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Do not wait until the table shows the decisions.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON for each address.")]


class DecisionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that all these commands have.

    Attributes:
        reason: Why.
        author: Who decides, as `--as` states it.
        request_id: The id of the request that is repeated, as given; None for a new one.
        also_ses: Change SES's list too.
        yes: Do not ask.
        dry_run: Decide nothing.
        no_wait: Do not wait for the table.
        json: Print JSON.
    """

    reason: str
    author: str | None = None
    request_id: str | None = None
    also_ses: bool = False
    yes: bool = False
    dry_run: bool = False
    no_wait: bool = False
    json: bool = False

    def check(self) -> None:
        """Check them before anything is read.

        Raises:
            UsageError: The reason, the author or the id is invalid.
        """
        check_texts(author=self.author or "", reason=self.reason)
        if self.request_id is not None:
            parse_request_id(self.request_id)

    def batch(self, cloud: Target, *, now: datetime, items: Iterable[Item] = ()) -> DecisionBatch:
        """Return the request: a new one, or the one that is repeated.

        Args:
            cloud: Where it is made.
            now: The time by the service's clock.
            items: What its author is shown.

        Raises:
            UsageError: The id is of a time to come.
            AccessDenied, ServiceUnavailable: AWS does not say whose credentials these are.
        """
        if self.request_id is None:
            moment = request_time(now=now, newest=newest_evidence(item.standing for item in items))
            id_ = new_request_id(moment, random_bits=secrets.randbits(74))
        else:
            id_ = parse_request_id(self.request_id)
        batch = DecisionBatch(id=id_, author=_author(cloud, self.author), reason=self.reason)
        if batch.decided_at > now + AHEAD_TOLERANCE - timedelta(minutes=1):
            raise UsageError("the id of the request is of a time to come: make it with a clock that is right")
        return batch


def _author(cloud: Target, name: str | None) -> str:
    """Return who decides: the identity, after the name that a person states."""
    identity = _user() if cloud.is_local else caller_arn(cloud.clients.sts)
    return f"{name} ({identity})" if name else identity


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container whose user has no entry
        return f"user {os.getuid()}"
