"""A scripted CloudFormation with a stack that is deleted. moto does not support termination protection."""

from collections.abc import Sequence
from typing import Any

from tests.support.fake_cloudformation import FakeCloudFormation

RESOURCES = (
    ("LogBucket", "AWS::S3::Bucket"),
    ("SuppressionTable", "AWS::DynamoDB::Table"),
    ("Transform", "AWS::Lambda::X"),
)


class FakeDeletion(FakeCloudFormation):
    """One stack.

    Args:
        status: Status of the stack.
        protected: Whether it is protected from deletion.
        resources: Logical ids and types of its resources.
        steps: Events of the deletion, by the request for events that shows them first.

    Attributes:
        deletions: Number of accepted requests to delete it.
    """

    def __init__(
        self,
        *,
        status: str,
        protected: bool = False,
        resources: Sequence[tuple[str, str]] = RESOURCES,
        steps: Sequence[Sequence[Any]] = (),
    ) -> None:
        super().__init__(status=status, steps=steps)
        self.protected = protected
        self.deletions = 0
        self._resources = resources
        self._executed = status == "DELETE_IN_PROGRESS"

    def _describe_stacks(self, **request: Any) -> dict[str, Any]:
        answer = super()._describe_stacks(**request)
        for stack in answer.get("Stacks", ()):
            stack["EnableTerminationProtection"] = self.protected
        return answer

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
