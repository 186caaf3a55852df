"""CloudFormation with a stack that is deleted step by step, as a test says. moto knows no termination protection."""

from collections.abc import Sequence
from typing import Any

from tests.support.fake_cloudformation import FakeCloudFormation

LIFE = (("LogBucket", "AWS::S3::Bucket"), ("SuppressionTable", "AWS::DynamoDB::Table"), ("Transform", "AWS::Lambda::X"))


class FakeDeletion(FakeCloudFormation):
    """One stack.

    Args:
        status: Its state.
        protected: Whether it is protected from deletion.
        resources: What it is made of: names in the template, and types.
        steps: What happens once it is deleted, as much as each look at the events shows for the first time.

    Attributes:
        deletions: How often it was told to be deleted.
    """

    def __init__(
        self,
        *,
        status: str,
        protected: bool = False,
        resources: Sequence[tuple[str, str]] = LIFE,
        steps: Sequence[Sequence[Any]] = (),
    ) -> None:
        super().__init__(status=status, steps=steps)
        self.protected = protected
        self.deletions = 0
        self._resources = resources
        self._executed = status == "DELETE_IN_PROGRESS"

    def _describe_stacks(self, **asked: Any) -> dict[str, Any]:
        found = super()._describe_stacks(**asked)
        for stack in found.get("Stacks", ()):
            stack["EnableTerminationProtection"] = self.protected
        return found

    def _list_stack_resources(self, **_: Any) -> dict[str, Any]:
        return {
            "StackResourceSummaries": [
                {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": "CREATE_COMPLETE"}
                for name, kind in self._resources
            ]
        }

    def _delete_stack(self, **_: Any) -> dict[str, Any]:
        if self.protected:
            error = {"Code": "ValidationError", "Message": "it is protected"}
            return {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}
        self.deletions += 1
        self._executed = True
        return {}
