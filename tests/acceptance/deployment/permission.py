"""Permissions of the deployed roles, and their temporary removal."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from pipeline.aws.errors import ErrorKind, classify
from tests.acceptance.deployment.account import Account
from tests.support.cloudformation import listed


class Permission(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Permission for one action on one resource.

    Attributes:
        action: The action.
        resource: ARN of the resource; may contain wildcards.
    """

    action: str
    resource: str

    def statement(self) -> Mapping[str, Any]:
        """Return the permission as a statement of a policy."""
        return {"Effect": "Allow", "Action": self.action, "Resource": self.resource}


def permissions(policy: Mapping[str, Any]) -> Iterator[Permission]:
    """Yield every permission of a policy document."""
    for statement in policy["Statement"]:
        assert statement.keys() == {"Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            yield from (Permission(action=action, resource=resource) for resource in listed(statement["Resource"]))


def granted(account: Account, arn: str) -> list[Permission]:
    """Return the permissions of a managed policy, or of the one policy of a role."""
    iam = account.client("iam")
    if ":policy/" in arn:
        [version] = [entry["VersionId"] for entry in iam.list_policy_versions(PolicyArn=arn)["Versions"]]
        policy = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    else:
        name, policy_name = _role(account, arn)
        policy = iam.get_role_policy(RoleName=name, PolicyName=policy_name)["PolicyDocument"]
    return list(permissions(policy))


@contextmanager
def without(account: Account, arn: str, action: str) -> Iterator[None]:
    """Remove a permission from a role temporarily."""
    before = granted(account, arn)
    assert action in {permission.action for permission in before}
    _grant(account, arn, [permission for permission in before if permission.action != action])
    try:
        yield
    finally:
        _grant(account, arn, before)


def is_denied(error: ClientError) -> bool:
    """Return True if AWS denies the request."""
    return classify(error) is ErrorKind.DENIED


def _grant(account: Account, arn: str, allowed: Iterable[Permission]) -> None:
    name, policy_name = _role(account, arn)
    document = json.dumps({"Version": "2012-10-17", "Statement": [permission.statement() for permission in allowed]})
    account.client("iam").put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=document)


def _role(account: Account, arn: str) -> tuple[str, str]:
    name = arn.rpartition("/")[2]
    [policy_name] = account.client("iam").list_role_policies(RoleName=name)["PolicyNames"]
    return name, policy_name
