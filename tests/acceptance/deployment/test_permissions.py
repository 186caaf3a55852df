"""Permissions of the deployed roles: each allows every request made with the role, and nothing more.

The emulator checks permissions of requests with a role's credentials, as those of the Lambda functions. Its services
check nothing for their own work: Firehose's delivery, Lambda's reads of stream and queue, Lambda's logs. So a user
with the same permissions sends those requests here, one by one.
"""

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from pipeline.aws.deployment.bundle import Bundle
from tests.acceptance.deployment.account import Account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.acceptance.deployment.permission import Permission, granted, is_denied, without
from tests.acceptance.deployment.use import USES, ClientsOfUser, use
from tests.support.builders import a_bounce
from tests.support.lambda_events import a_kinesis_event, an_sqs_event

pytestmark = pytest.mark.slow

# AWS checks a Glue table's catalog, database and table; the emulator checks the database only.
# docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
NOT_CHECKED = (":catalog", ":table/roles/events")

# Events that the projector cannot process without each permission.
NEEDED = {
    "ssm:GetParameter": a_kinesis_event(a_bounce(recipients=["ann@roles.example"])),
    "dynamodb:BatchGetItem": a_kinesis_event(a_bounce(recipients=["bob@roles.example"])),
    "dynamodb:PutItem": a_kinesis_event(a_bounce(recipients=["cid@roles.example"])),
    "s3:PutObject": a_kinesis_event(b"poison of a test of roles"),
    "firehose:PutRecordBatch": an_sqs_event(a_bounce(recipients=["dan@roles.example"])),
}


@pytest.fixture(scope="module")
def roles(account: Account, bundle: Bundle, topic: str) -> Deployment:
    """A deployment with every feature that has a role."""
    parameters = {"NotificationTopic": topic, "SourceBackup": "true"}
    return deploy(account, name="roles", bundle=bundle, parameters=parameters)


@pytest.mark.parametrize("output", USES)
def test_a_role_allows_exactly_the_requests_made_with_it(roles: Deployment, output: str) -> None:
    """All requests are allowed, and each permission is needed by one of them."""
    account, allowed = roles.account, granted(roles.account, roles[output])
    client = partial(account.client, credentials=account.user(output, []))

    def denied_with(permissions: Iterable[Permission], actions: Iterable[str]) -> set[str]:
        account.allow(output, [in_emulator_form(permission).statement() for permission in permissions])
        return denied(roles, output, actions, client)

    assert {permission.action for permission in allowed} == USES[output].keys()
    assert denied_with(allowed, USES[output]) == set()
    needless = {
        permission
        for permission in allowed
        if not denied_with((other for other in allowed if other != permission), [permission.action])
    }
    assert needless == {permission for permission in allowed if permission.resource.endswith(NOT_CHECKED)}


@pytest.mark.parametrize("action", NEEDED)
def test_the_projector_fails_without_each_permission(roles: Deployment, action: str) -> None:
    """Without one permission the projector reports the record as failed. With it, the record is processed."""
    event = NEEDED[action]
    clear_cache(roles)
    with without(roles.account, roles["ProjectorRoleArn"], action):
        assert len(unfinished(roles, event)) == 1
    assert unfinished(roles, event) == []


def denied(deployment: Deployment, output: str, actions: Iterable[str], client: ClientsOfUser) -> set[str]:
    """Return the actions that are denied."""
    denied_actions = set()
    for action in actions:
        for arguments in USES[output][action]:
            try:
                use(deployment, action, arguments, client=client)
            except ClientError as error:
                if is_denied(error):
                    denied_actions.add(action)
    return denied_actions


def in_emulator_form(permission: Permission) -> Permission:
    """Return a permission in the emulator's form: a log group's ARN ends in `:*` only in AWS."""
    if permission.action.startswith("logs:"):
        return msgspec.structs.replace(permission, resource=permission.resource.removesuffix(":*"))
    return permission


def clear_cache(deployment: Deployment) -> None:
    """Discard the projector's warm instances, by changing its configuration."""
    deployment.client("lambda").update_function_configuration(FunctionName=deployment["Projector"], Timeout=120)


def unfinished(deployment: Deployment, event: dict[str, Any]) -> list[Any]:
    """Call the deployed projector, and return its batch item failures."""
    answer = deployment.client("lambda").invoke(FunctionName=deployment["Projector"], Payload=json.dumps(event))
    failures: list[Any] = json.loads(answer["Payload"].read())["batchItemFailures"]
    return failures
