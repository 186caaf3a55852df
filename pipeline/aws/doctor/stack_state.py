"""The stack itself: whether CloudFormation ended well."""

from collections.abc import Iterator

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, fault, warning

# docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
ENDED_WELL = frozenset({"CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"})


def check_stack(deployment: Deployment) -> Iterator[Finding]:
    """Look at the stack's own state."""
    stack = deployment.stack
    again = f"see why in the stack's events, then {deployment.mailfold('deploy')}"
    if stack.status in ENDED_WELL:
        return
    if stack.status.startswith("UPDATE_ROLLBACK_COMPLETE"):
        yield warning("stack_rolled_back", "the last update failed, and what was before stands again", mending=again)
    elif stack.status.endswith("_IN_PROGRESS"):
        yield warning("stack_changing", f"CloudFormation is still at it ({stack.status})", mending="look again later")
    else:
        yield fault("stack_failed", f"CloudFormation ended badly ({stack.status})", mending=again)
