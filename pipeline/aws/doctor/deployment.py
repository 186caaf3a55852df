"""The deployment that is checked: its stack, AWS clients and the current time.

Names of resources come from the stack's outputs, which infra/mailfold.yaml defines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property

import msgspec

from pipeline.aws.clients import Clients, limit_rate
from pipeline.aws.deployment.attach import attached_sets
from pipeline.aws.stack import Stack, SuppressionTables, tables_of

DEFAULT_IDENTITIES = 30  # SES answers one call a second, so this takes half a minute


class Deployment(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a check reads.

    Attributes:
        stack: The stack. Its outputs name everything else.
        clients: AWS clients of its account and region.
        now: The current time, aware.
        max_identities: How many of SES's identities to check. Each takes a second.
    """

    stack: Stack
    clients: Clients
    now: datetime
    max_identities: int = DEFAULT_IDENTITIES

    def output(self, name: str) -> str:
        """Return an output of the stack. See `Stack.output`."""
        return self.stack.output(name)

    @property
    def accepts_all_sets(self) -> bool:
        """Whether the stack accepts the events of every configuration set of the account."""
        return self.stack.accepts_all_sets

    @cached_property
    def configuration_sets(self) -> tuple[str, ...]:
        """The names of the configuration sets whose events are kept: those accepted by name, or else those attached."""
        if self.accepts_all_sets:
            attached = attached_sets(self.clients.sesv2, self.stack)
            return (self.output("ConfigurationSet"), *(attached_set.configuration_set for attached_set in attached))
        return tuple(self.output("ConfigurationSets").split(","))

    @property
    def example_sets(self) -> tuple[str, ...]:
        """Names of configuration sets that rule and role must accept, with an arbitrary one if they accept all."""
        return (*self.configuration_sets, *(("any",) if self.accepts_all_sets else ()))

    @property
    def read_by_lambda(self) -> bool:
        """Whether Lambda reads the stream, which is the default."""
        return self.stack.outputs.get("Consumer", "lambda") == "lambda"

    @property
    def partition(self) -> str:
        """The partition of its ARNs: `aws`, `aws-cn` or another."""
        return self.stack.id.split(":")[1]

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in the deployment's account and region."""
        return f"arn:{self.partition}:{service}:{self.stack.region}:{self.stack.account_id}:{resource}"

    @property
    def bucket_arn(self) -> str:
        """The ARN of the log's bucket."""
        return f"arn:{self.partition}:s3:::{self.output('LogBucket')}"

    @property
    def rule_arn(self) -> str:
        """The ARN of the feedback rule."""
        return self.arn("events", f"rule/{self.output('FeedbackRule')}")

    def queue_arn(self, url: str) -> str:
        """Return the ARN of a queue of the deployment. The last part of its URL is its name."""
        return self.arn("sqs", url.rpartition("/")[2])

    def tables(self) -> SuppressionTables:
        """Read which suppression tables are in use now. See `stack.tables_of`."""
        return tables_of(self.clients.ssm, self.stack)

    def live_table(self) -> str:
        """Read which table senders query now."""
        return self.tables().live

    def aws_command(self, command: str) -> str:
        """Return an AWS CLI command for this deployment's region."""
        return f"aws {command} --region {self.stack.region}"

    def mailfold_command(self, command: str) -> str:
        """Return a `mailfold` command for this deployment."""
        return f"mailfold {command} {self.stack.options}"


def connect_deployment(
    stack: Stack,
    clients: Clients,
    *,
    max_identities: int = DEFAULT_IDENTITIES,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Deployment:
    """Return the deployment of a stack, with an SES client that keeps to SES's rate limit.

    Args:
        stack: The stack.
        clients: AWS clients of its account and region. The SES client is changed.
        max_identities: How many of SES's identities to check.
        clock: Monotonic seconds.
        wait: Waits so many seconds.
    """
    limit_rate(clients.sesv2, clock=clock, wait=wait)
    return Deployment(stack=stack, clients=clients, now=datetime.now(UTC), max_identities=max_identities)
