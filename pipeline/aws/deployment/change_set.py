"""A change set: what CloudFormation would do to a stack, known before it does it.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import msgspec

from pipeline.aws.errors import redact_addresses, translated
from pipeline.errors import MailfoldError, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, ResourceChangeTypeDef

ChangeSetType = Literal["CREATE", "UPDATE"]

PREFIX = "mailfold-"  # of the names of our change sets
POLLS = 600  # one a second: CloudFormation makes a change set in seconds; where hooks look at it too, in minutes

# A change set that changes nothing fails, and only its words tell it from one that is wrong; the AWS CLI reads them
# too: github.com/aws/aws-cli, awscli/customizations/cloudformation/deployer.py
NOTHING = ("didn't contain changes", "No updates are to be performed")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen to one resource.

    Attributes:
        action: Add, Modify, Remove, Import or Dynamic.
        logical_id: Its name in the template.
        type: Its type, `AWS::S3::Bucket`.
        replacement: Whether another takes its place: True, False, Conditional, or empty where none can.
        policy_action: What becomes of the one that is there: Retain, Delete, ReplaceAndRetain, …; empty where it stays.
        properties: What of it changes.
    """

    action: str
    logical_id: str
    type: str
    replacement: str
    policy_action: str
    properties: tuple[str, ...]

    @property
    def ends_it(self) -> bool:
        """Whether the resource that is there now is no part of the stack afterwards, or may be none."""
        return self.action in {"Remove", "Dynamic"} or self.replacement in {"True", "Conditional"}


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True):
    """A change set that can be executed.

    Attributes:
        id: Its ARN.
        stack_id: The stack's ARN.
        kind: Whether it makes the stack or changes it.
        changes: What it would do, in CloudFormation's order.
    """

    id: str
    stack_id: str
    kind: ChangeSetType
    changes: tuple[Change, ...]


def create_change_set(
    cloudformation: CloudFormationClient,
    *,
    stack: str,
    kind: ChangeSetType,
    template_url: str,
    parameters: Sequence[ParameterTypeDef],
) -> ChangeSet | None:
    """Make a change set and wait for it; None if it would change nothing.

    Raises:
        UsageError: AWS denies or refuses it; with its reason. Nothing is left of it.
        ServiceUnavailable: AWS throttles, cannot be reached, or does not finish it.
    """
    token = uuid4().hex  # boto3 asks again where no answer came; by this, CloudFormation knows that it is the same
    with translated(f"making a change set for the stack {stack}"):
        made = cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName=f"{PREFIX}{token}",
            ClientToken=token,
            ChangeSetType=kind,
            TemplateURL=template_url,
            Parameters=list(parameters),
            Capabilities=["CAPABILITY_IAM"],
        )
    change_set = ChangeSet(id=made["Id"], stack_id=made["StackId"], kind=kind, changes=())
    try:
        reason = _failure(cloudformation, change_set)
        if reason is None:
            return msgspec.structs.replace(change_set, changes=tuple(_changes(cloudformation, change_set)))
    except BaseException:  # an interrupt too: nobody would ever find it
        with suppress(MailfoldError):
            discard(cloudformation, change_set)
        raise
    if any(words in reason for words in NOTHING):
        discard(cloudformation, change_set)
        return None
    found = _found_wrong(cloudformation, change_set)
    discard(cloudformation, change_set)
    words = redact_addresses("; ".join([reason.rstrip("."), *found]))
    raise UsageError(f"CloudFormation refuses the change set for the stack {stack}: {words}")


def execute(cloudformation: CloudFormationClient, change_set: ChangeSet) -> None:
    """Begin to do what a change set says.

    Raises:
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("executing the change set"):
        cloudformation.execute_change_set(ChangeSetName=change_set.id, ClientRequestToken=uuid4().hex)


def discard(cloudformation: CloudFormationClient, change_set: ChangeSet) -> None:
    """Delete a change set that was not executed, and the empty stack that came with it.

    Raises:
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("deleting the change set"):
        cloudformation.delete_change_set(ChangeSetName=change_set.id)
    if change_set.kind == "CREATE":
        delete_stack(cloudformation, stack_id=change_set.stack_id)


def is_abandoned(cloudformation: CloudFormationClient, *, stack_id: str) -> bool:
    """Tell whether all change sets of a stack are ours: such a stack, never made, is what an interrupt left behind.

    Raises:
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("listing change sets"):
        pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack_id)
        names = [one["ChangeSetName"] for page in pages for one in page["Summaries"]]
    return all(name.startswith(PREFIX) for name in names)


def delete_stack(cloudformation: CloudFormationClient, *, stack_id: str) -> None:
    """Delete a stack that never was, and wait until it is gone.

    Raises:
        UsageError: AWS denies or refuses it, or it does not go.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    from botocore.exceptions import WaiterError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    with translated("deleting the stack that never was"):
        cloudformation.delete_stack(StackName=stack_id)
        try:
            cloudformation.get_waiter("stack_delete_complete").wait(
                StackName=stack_id, WaiterConfig={"Delay": 1, "MaxAttempts": POLLS}
            )
        except WaiterError as error:
            raise UsageError(f"the stack {stack_id} cannot be deleted: see CloudFormation's console for why") from error


def _failure(cloudformation: CloudFormationClient, change_set: ChangeSet) -> str | None:
    """Wait for a change set; return why it failed, None if it did not."""
    from botocore.exceptions import WaiterError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    with translated("making the change set"):
        try:
            cloudformation.get_waiter("change_set_create_complete").wait(
                ChangeSetName=change_set.id, WaiterConfig={"Delay": 1, "MaxAttempts": POLLS}
            )
        except WaiterError as error:
            if error.last_response.get("Status") == "FAILED":
                return str(error.last_response.get("StatusReason", "it gives no reason"))
            raise ServiceUnavailable(f"CloudFormation does not finish the change set: {error}") from error
    return None


def _found_wrong(cloudformation: CloudFormationClient, change_set: ChangeSet) -> list[str]:
    """Return what CloudFormation's own checks found, such as names that are taken: its reason only says that they did.

    Nothing, where they found nothing or cannot be asked: the reason is worth telling without.
    docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
    """
    found: list[str] = []
    with suppress(MailfoldError), translated("reading what is wrong with the change set"):
        pages = cloudformation.get_paginator("describe_events").paginate(
            ChangeSetName=change_set.id, Filters={"FailedEvents": True}
        )
        found += [
            f"{event.get('LogicalResourceId', 'the stack')}: {why.rstrip('.')}"
            for page in pages
            for event in page["OperationEvents"]
            if (why := event.get("ValidationStatusReason") or event.get("HookStatusReason"))
        ]
    return found


def _changes(cloudformation: CloudFormationClient, change_set: ChangeSet) -> Iterator[Change]:
    with translated("reading the change set"):
        pages = cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set.id)
        found = [one["ResourceChange"] for page in pages for one in page["Changes"] if "ResourceChange" in one]
    yield from map(_change, found)


def _change(found: ResourceChangeTypeDef) -> Change:
    targets = [detail.get("Target", {}) for detail in found.get("Details", [])]
    return Change(
        action=found["Action"],
        logical_id=found["LogicalResourceId"],
        type=found["ResourceType"],
        replacement=found.get("Replacement", ""),
        policy_action=found.get("PolicyAction", ""),
        properties=tuple(dict.fromkeys(str(target.get("Name") or target.get("Attribute", "")) for target in targets)),
    )
