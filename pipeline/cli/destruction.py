"""What taking a deployment down would do, and what it did, for people and for programs."""

from collections.abc import Iterator, Sequence

import msgspec

from pipeline.aws.deployment.detachment import Attached
from pipeline.aws.deployment.remains import Kind, Remain
from pipeline.aws.stack import Stack

HOLDS = {
    Kind.BUCKET: "the log, and what was set aside: every event there ever was",
    Kind.TABLE: "suppressions, and what they rest on",
    Kind.LEASES: "how far a consumer in Lambda's place has read",
    Kind.STREAM: "feedback of the last days; a shard costs about $11 a month, and $15 more beyond a day's retention",
    Kind.QUEUE: "what could not be delivered",
    Kind.LOG_GROUP: "what the functions or Firehose wrote about themselves",
    Kind.PARAMETER: "which table is live",
}


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, once everything was asked.

    Attributes:
        stack: The stack to delete; None: it is gone already.
        detached: The sets whose destinations are taken away first.
        erased: What is deleted with all that it holds.
        kept: What stays.
    """

    stack: Stack | None
    detached: Sequence[Attached]
    erased: Sequence[Remain]
    kept: Sequence[Remain]


def plan(name: str, found: Stack | None, left: Sequence[Remain], attached: Sequence[Attached]) -> Iterator[str]:
    """Say what would go and what would stay."""
    if found:
        yield f"The stack {name} ({found.status}, in {found.region}, account {found.account_id}) would be deleted:"
        yield "functions, rule, roles, alarms, Firehose stream, Athena's tables, views and workgroup, and the SES"
        yield "configuration set."
        if own := found.outputs.get("ConfigurationSet"):
            yield f"From then on SES refuses mail that names the configuration set {own}: change senders first."
    else:
        yield f"The stack {name} is gone already."
    for one in attached:
        yield f"The configuration set {one.configuration_set} still leads here, by: {', '.join(one.destinations)}."
    if left:
        yield "What holds data stays, and goes only with --data, each by its own name:"
    for remain in left:
        yield f"  {remain.kind} {remain.name}: {HOLDS[remain.kind]}"


def result(name: str, intent: Intent) -> Iterator[str]:
    """Say what was done, and what stays."""
    yield f"the stack {name} is deleted" if intent.stack else f"the stack {name} was deleted before"
    yield from (f"deleted: {one.kind} {one.name}" for one in intent.erased)
    yield from (f"left: {one.kind} {one.name}" for one in intent.kept)


def told(some: Sequence[Remain]) -> list[dict[str, str]]:
    """Return things as JSON has them."""
    return [{"kind": one.kind, "name": one.name} for one in some]
