"""The service-linked role of ECS. An account that has never used ECS does not have it.

CloudFormation's first ECS service in such an account fails with "Unable to assume the service linked role".
docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.errors import missing_ok, tolerate, translated

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ECS, ECS_ROLE = "ecs.amazonaws.com", "AWSServiceRoleForECS"
EXISTS = ("InvalidInput", "EntityAlreadyExists")  # the codes of IAM and of emulators for a role that exists


def ensure_ecs_role(iam: IAMClient) -> bool:
    """Create the role if the account does not have it.

    Returns:
        Whether it was created.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated(f"creating the service-linked role {ECS_ROLE}"):
        if missing_ok(lambda: iam.get_role(RoleName=ECS_ROLE)) is not None:
            return False
        return tolerate(lambda: iam.create_service_linked_role(AWSServiceName=ECS), *EXISTS) is not None
