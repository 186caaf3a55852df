"""The deployment that is looked at: its stack, clients for its services, and the moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from pipeline.aws.clients import Service, rate_limited
from pipeline.aws.errors import CODES, ErrorKind, error_code
from pipeline.aws.stack import Stack, SuppressionTables, tables_of

IDENTITIES = 30  # to look at, unless said otherwise


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What a check looks at.

    Attributes:
        stack: The stack; its outputs name everything else.
        client: Gives a boto3 client of a service there; the same one each time.
        now: The moment, aware.
        identities: How many of SES's identities are looked at, at most: each takes a second.
    """

    stack: Stack
    client: Callable[[Service], Any]
    now: datetime
    identities: int = IDENTITIES

    def output(self, name: str) -> str:
        """Return an output of the stack; see `Stack.output`."""
        return self.stack.output(name)

    @property
    def sets(self) -> tuple[str, ...]:
        """The names of the configuration sets whose mail is kept."""
        return tuple(self.output("ConfigurationSets").split(","))

    @property
    def read_by_lambda(self) -> bool:
        """Whether Lambda reads the stream, as it does unless the stack was told otherwise."""
        return self.stack.outputs.get("Consumer", "lambda") == "lambda"

    @property
    def partition(self) -> str:
        """The partition of its ARNs: `aws`, `aws-cn` or another."""
        return self.stack.id.split(":")[1]

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of something in the deployment's account and region."""
        return f"arn:{self.partition}:{service}:{self.stack.region}:{self.stack.account_id}:{resource}"

    @property
    def bucket_arn(self) -> str:
        """The ARN of the log's bucket."""
        return f"arn:{self.partition}:s3:::{self.output('LogBucket')}"

    @property
    def tables(self) -> SuppressionTables:
        """The tables at this moment; see `tables.tables_of`."""
        return tables_of(self.client("ssm"), self.stack)

    @property
    def live_table(self) -> str:
        """The table that senders ask."""
        return self.tables.live

    def aws(self, command: str) -> str:
        """Return a command of AWS's own command line that works on this deployment's region."""
        return f"aws {command} --region {self.stack.region}"

    def mailfold(self, command: str) -> str:
        """Return a command of ours that works on this deployment."""
        return f"mailfold {command} --stack {self.stack.name} --region {self.stack.region}"


def connect_deployment(
    connect: Callable[[Service], Any],
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Callable[[Service], Any]:
    """Return what gives each client once, and lets SES be asked no faster than it answers.

    Args:
        connect: Makes a client.
        clock: Seconds from some moment on.
        wait: Waits so many seconds.
    """

    @cache
    def client(service: Service) -> Any:
        made = connect(service)
        if service == "sesv2":
            rate_limited(made, clock=clock, wait=wait)
        return made

    return client


def unless_missing(
    ask: Callable[..., Any], *, missing: frozenset[str] = CODES[ErrorKind.MISSING], **arguments: Any
) -> Any | None:
    """Return what AWS answers, or None if what is asked for is not there.

    Args:
        ask: A client's method.
        missing: The codes by which the service says so.
        arguments: What the method is called with.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    try:
        return ask(**arguments)
    except ClientError as error:
        if error_code(error) in missing:
            return None
        raise
